"""The client: one connection to the daemon, kept for as long as it is used."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from types import TracebackType
from typing import Any

from .approvals import Approvals, Approve
from .calls import Calls
from .client_skills import ClientSkills, H, SkillHandler, offer
from .connection import Connection
from .errors import OpenThinkError, cannot_connect
from .link import Link
from .subscription import Feeds, Subscription
from .turn import Turn
from .turn_router import TurnRouter, as_event
from .types import PROTOCOL_VERSION, Content, Decision, InitializeResult, Mode
from .way import PathLike, Way

VERSION = "0.1.0"
DEFAULT_SESSION = "conductor:default"
SECONDS_TO_SHUT_DOWN = 2.0

OnNotification = Callable[[str, "dict[str, Any]"], None]


def connect(
    *,
    command: str | Sequence[str] = "open-think",
    profile: str | None = None,
    cwd: PathLike | None = None,
    env: Mapping[str, str] | None = None,
    socket: PathLike | None = None,
    approve: Approve | None = None,
    on_notification: OnNotification | None = None,
    name: str = "python",
    timeout: float | None = 15.0,
) -> Client:
    """A client, to be used as a context: `async with open_think.connect() as client`.

    Starts `command` with `--stdio`, which finds the user's daemon or starts it; `env` is all of its environment. With
    `socket` it connects to a daemon that listens there. Programs of skills are started in `cwd`. `approve` is asked
    about actions that are held. `on_notification` hears what is told beside events, as `daemon.reloaded`.
    Who does not answer within `timeout` seconds is given up, and a program that was started ended.
    """
    return Client(Way(command, profile, cwd, env, socket), name, approve, on_notification, timeout)


class Client(Calls):
    """Made by `connect`."""

    def __init__(
        self,
        way: Way,
        name: str,
        approve: Approve | None,
        on_notification: OnNotification | None,
        timeout: float | None,
    ) -> None:
        self._way = way
        self._timeout = timeout
        self._name = name
        self._can_approve = approve is not None
        self._approvals = Approvals(approve)
        self._on_notification = on_notification
        self._skills = ClientSkills()
        self._was_entered = False
        self._feeds = Feeds(self._ask)
        self._router = TurnRouter()
        self._turns: set[Turn] = set()
        self._link = Link(self._open, self._feeds.end)
        self.server: InitializeResult | None = None
        """What the daemon said of itself."""

    async def __aenter__(self) -> Client:
        self._was_entered = True
        await self._link.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Ends the connection. What it asked for and still runs is cancelled; the daemon stays."""
        connection = await self._link.close()
        turns = list(self._turns)
        for turn in turns:
            turn.cancel()
        await asyncio.gather(*(turn.over() for turn in turns))
        if connection is None:
            return
        try:
            await asyncio.wait_for(connection.request("shutdown"), SECONDS_TO_SHUT_DOWN)
            connection.notify("exit")
        except (OpenThinkError, asyncio.TimeoutError):
            pass
        finally:
            await connection.close()

    async def request(self, method: str, params: Any = None) -> Any:
        return await (await self._link.connection()).request(method, params)

    def message(
        self,
        /,
        content: Content,
        *,
        session_name: str = DEFAULT_SESSION,
        mode: Mode | None = None,
        provider: str | None = None,
        model: str | None = None,
        stream: bool = True,
        **more: Any,
    ) -> Turn:
        """Says something to Helm, at once. `more` are other parameters of `conductor.message`, as `maxIterations`."""
        params = {"content": content, "mode": mode, "provider": provider, "model": model, "stream": stream, **more}
        return self._turn("conductor.message", session_name, params)

    def approve(
        self,
        /,
        action_ids: Sequence[str],
        decision: Decision = "approve",
        *,
        session_name: str = DEFAULT_SESSION,
        stream: bool = True,
        **more: Any,
    ) -> Turn:
        """Decides actions that are held or were suggested, and goes on with their turn."""
        params = {"actionIds": list(action_ids), "decision": decision, "stream": stream, **more}
        return self._turn("conductor.approve", session_name, params)

    async def interrupt(self, session_name: str = DEFAULT_SESSION) -> bool:
        """Stops what runs in a session; false if nothing did."""
        return bool((await self.request("conductor.interrupt", {"sessionName": session_name}))["interrupted"])

    def subscribe(self, session_name: str = DEFAULT_SESSION, *, after_seq: int | None = None) -> Subscription:
        """The events of a session, whoever caused them: from `after_seq` on, or from now on."""
        return Subscription(self._feeds, session_name, after_seq)

    async def register_skill(
        self,
        id: str,
        handler: SkillHandler,
        *,
        description: str | None = None,
        input_schema: dict[str, Any] | None = None,
        dangerous: bool = True,
        timeout_ms: int | None = None,
    ) -> None:
        """Offers a skill, for as long as the client lives; one of its own with this id is replaced.

        `handler` gets the input and gives any JSON. It may be async, and is then cancelled when nobody waits for it any
        more, or plain, and then runs in a thread. What it raises is the failure that the model reads. Its docstring is
        the description where none is given. A skill that is `dangerous` runs only when somebody allows it.
        """
        offered = offer(id, handler, description, input_schema, dangerous, timeout_ms)
        await self._ask("skills.register", {"skills": [offered.spec]}, lambda _: self._skills.put(offered))

    def skill(
        self,
        id: str,
        *,
        description: str | None = None,
        input_schema: dict[str, Any] | None = None,
        dangerous: bool = True,
        timeout_ms: int | None = None,
    ) -> Callable[[H], H]:
        """A decorator for a function that is offered from the start; for a client that was not entered yet."""

        def decorate(handler: H) -> H:
            if self._was_entered:
                raise RuntimeError(f"the client was entered already: offer {id} by `register_skill`, which can wait")
            self._skills.put(offer(id, handler, description, input_schema, dangerous, timeout_ms))
            return handler

        return decorate

    async def unregister_skill(self, id: str) -> None:
        """Offers it no longer."""
        self._skills.remove(id)
        await self.request("skills.unregister", {"skills": [id]})

    def _turn(self, method: str, session_name: str, params: dict[str, Any]) -> Turn:
        id = Connection.next_id()
        params = {**params, "sessionName": session_name, "workDoneToken": id}

        async def run() -> Any:
            connection = await self._link.connection()
            return await connection.request(method, params, id=id)

        def forget(turn: Turn) -> None:
            self._router.remove(turn)
            self._turns.discard(turn)

        turn = Turn(id, session_name, run, self._interrupt, forget)
        self._router.add(turn)
        self._turns.add(turn)
        return turn

    async def _interrupt(self, turn: Turn) -> bool:
        """Stops what runs in the turn's session, if that is this turn."""
        running = (await self.status())["runningTurns"]
        if not any(row["turnId"] == turn.turn_id for row in running):
            return False
        return await self.interrupt(turn.session_name)

    async def _ask(self, method: str, params: dict[str, Any], on_answer: Callable[[Any], None]) -> Any:
        return await (await self._link.connection()).request(method, params, on_answer=on_answer)

    async def _open(self, on_end: Callable[[Connection, OpenThinkError], None], again: bool) -> Connection:
        channel = await self._way.channel()
        connection = Connection(channel, self._told, self._asked)
        connection.start(on_end)
        try:
            await asyncio.wait_for(self._shake_hands(connection, again), self._timeout)
        except asyncio.TimeoutError:
            channel.abort()
            await connection.close()
            raise cannot_connect(f"it did not answer within {self._timeout:g} s{channel.said()}") from None
        except BaseException as error:
            if isinstance(error, asyncio.CancelledError):
                channel.abort()
            await connection.close()
            if isinstance(error, OpenThinkError) and not again and error.code == "E_CONNECTION_LOST":
                raise cannot_connect(error.message) from error
            raise
        return connection

    async def _shake_hands(self, connection: Connection, again: bool) -> None:
        self.server = await connection.request("initialize", self._introduction())
        connection.notify("initialized")
        await self._skills.register(connection, again)
        for session_name in self._feeds.sessions() if again else []:
            await connection.request("conductor.subscribe", self._feeds.again(session_name))

    def _introduction(self) -> dict[str, Any]:
        return {
            "processId": os.getpid(),
            "clientInfo": {"name": self._name, "version": VERSION},
            "protocolVersion": PROTOCOL_VERSION,
            "capabilities": {"approvals": self._can_approve, "skills": True},
            "initializationOptions": self._way.place(),
        }

    def _asked(self, method: str, params: dict[str, Any]) -> Awaitable[Any] | None:
        return self._approvals.request(method, params) or self._skills.request(method, params)

    def _told(self, method: str, params: dict[str, Any]) -> None:
        if method == "conductor.event":
            if (event := as_event(params)) is not None:
                self._router.event(event)
                self._feeds.event(event)
        elif method == "$/progress":
            self._router.progress(params)
        elif method == "conductor.approvalResolved":
            self._approvals.resolved(params.get("approvalId"))
        elif self._on_notification is not None:
            self._on_notification(method, params)
