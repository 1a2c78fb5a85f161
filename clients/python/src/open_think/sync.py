"""The same client for scripts that do not use asyncio: it runs on a thread of its own."""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, TypeVar, Union

from .approvals import Approve
from .client import DEFAULT_SESSION, Client, OnNotification, PathLike, connect
from .subscription import Subscription
from .turn import Turn
from .types import (
    ApprovalAnswer,
    ApprovalParams,
    CodexStatusResult,
    Content,
    Decision,
    DevicePollResult,
    DeviceStartResult,
    Event,
    EventParams,
    Mode,
    ModelRow,
    ProvidersListResult,
    SessionDetail,
    SessionMessage,
    SessionSummary,
    SkillRow,
    StatusResult,
    TurnResult,
)

T = TypeVar("T")

ApproveSync = Callable[[ApprovalParams], Union[Decision, ApprovalAnswer, None]]


def connect_sync(
    *,
    command: str | Sequence[str] = "open-think",
    profile: str | None = None,
    cwd: PathLike | None = None,
    env: Mapping[str, str] | None = None,
    socket: PathLike | None = None,
    approve: Approve | ApproveSync | None = None,
    on_notification: OnNotification | None = None,
    name: str = "python",
) -> SyncClient:
    """As `connect`, for `with open_think.connect_sync() as client`. `approve` may be a plain function that blocks."""
    client = connect(
        command=command,
        profile=profile,
        cwd=cwd,
        env=env,
        socket=socket,
        approve=None if approve is None else patient(approve),
        on_notification=on_notification,
        name=name,
    )
    return SyncClient(client)


def patient(approve: Approve | ApproveSync) -> Approve:
    async def ask(params: ApprovalParams) -> Decision | ApprovalAnswer | None:
        answer = await asyncio.to_thread(approve, params)
        return await answer if inspect.isawaitable(answer) else answer

    return ask


class Background:
    """A loop on a thread. Whoever is interrupted while waiting, as by Ctrl-C, cancels what it waits for."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="open-think", daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def stop(self) -> None:
        self.run(self._loop.shutdown_asyncgens())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


class SyncTurn(Iterator[Event]):
    """Iterate over it for the events; `result()` waits for the end."""

    def __init__(self, background: Background, turn: Turn) -> None:
        self._background = background
        self._turn = turn

    @property
    def session_name(self) -> str:
        return self._turn.session_name

    @property
    def turn_id(self) -> str | None:
        return self._turn.turn_id

    def __next__(self) -> Event:
        event = self._background.run(following(self._turn))
        if event is None:
            raise StopIteration
        return event

    def result(self) -> TurnResult:
        return self._background.run(self._turn.result())

    def interrupt(self) -> bool:
        return self._background.run(self._turn.interrupt())

    def cancel(self) -> None:
        async def cancel() -> None:
            self._turn.cancel()

        self._background.run(cancel())


class SyncSubscription(Iterator[EventParams]):
    """Iterate over it; it ends with the context, or with `close`."""

    def __init__(self, background: Background, subscription: Subscription) -> None:
        self._background = background
        self._subscription = subscription

    @property
    def last_seq(self) -> int | None:
        return self._subscription.last_seq

    def __enter__(self) -> SyncSubscription:
        self._background.run(self._subscription.start())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __next__(self) -> EventParams:
        event = self._background.run(following(self._subscription))
        if event is None:
            raise StopIteration
        return event

    def close(self) -> None:
        self._background.run(self._subscription.aclose())


async def following(events: AsyncIterator[T]) -> T | None:
    """The next of them; a task cannot end by `StopAsyncIteration`."""
    try:
        return await events.__anext__()
    except StopAsyncIteration:
        return None


class SyncClient:
    """Made by `connect_sync`. The methods are those of `Client`."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._background: Background | None = None

    def __enter__(self) -> SyncClient:
        self._background = Background()
        try:
            self._run(self._client.__aenter__())
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        if self._background is not None:
            self._run(self._client.close())
            self._background.stop()
            self._background = None

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        if self._background is None:
            work.close()
            raise RuntimeError("the client is closed, or was not entered yet")
        return self._background.run(work)

    def message(
        self,
        content: Content,
        *,
        session_name: str = DEFAULT_SESSION,
        mode: Mode | None = None,
        provider: str | None = None,
        model: str | None = None,
        stream: bool = True,
        **more: Any,
    ) -> SyncTurn:
        async def begin() -> Turn:
            return self._client.message(
                content,
                session_name=session_name,
                mode=mode,
                provider=provider,
                model=model,
                stream=stream,
                **more,
            )

        return self._turn(begin())

    def approve(
        self,
        action_ids: Sequence[str],
        decision: Decision = "approve",
        *,
        session_name: str = DEFAULT_SESSION,
        stream: bool = True,
        **more: Any,
    ) -> SyncTurn:
        async def begin() -> Turn:
            return self._client.approve(action_ids, decision, session_name=session_name, stream=stream, **more)

        return self._turn(begin())

    def _turn(self, begin: Coroutine[Any, Any, Turn]) -> SyncTurn:
        turn = self._run(begin)
        assert self._background is not None, "it has just run"
        return SyncTurn(self._background, turn)

    def subscribe(self, session_name: str = DEFAULT_SESSION, *, after_seq: int | None = None) -> SyncSubscription:
        async def begin() -> Subscription:
            return self._client.subscribe(session_name, after_seq=after_seq)

        subscription = self._run(begin())
        assert self._background is not None, "it has just run"
        return SyncSubscription(self._background, subscription)

    def interrupt(self, session_name: str = DEFAULT_SESSION) -> bool:
        return self._run(self._client.interrupt(session_name))

    def request(self, method: str, params: Any = None) -> Any:
        return self._run(self._client.request(method, params))

    def skills(self) -> list[SkillRow]:
        return self._run(self._client.skills())

    def invoke(self, skill: str, input: Any = None, *, confirm: bool = False) -> Any:
        return self._run(self._client.invoke(skill, input, confirm=confirm))

    def providers(self) -> ProvidersListResult:
        return self._run(self._client.providers())

    def models(self, provider: str) -> list[ModelRow]:
        return self._run(self._client.models(provider))

    def sessions_list(self) -> list[SessionSummary]:
        return self._run(self._client.sessions_list())

    def sessions_get(self, session_name: str) -> SessionDetail:
        return self._run(self._client.sessions_get(session_name))

    def sessions_messages(
        self, session_name: str, *, limit: int | None = None, before: str | None = None
    ) -> list[SessionMessage]:
        return self._run(self._client.sessions_messages(session_name, limit=limit, before=before))

    def sessions_delete(self, session_name: str) -> bool:
        return self._run(self._client.sessions_delete(session_name))

    def status(self) -> StatusResult:
        return self._run(self._client.status())

    def codex_status(self, *, probe: bool = False) -> CodexStatusResult:
        return self._run(self._client.codex_status(probe=probe))

    def codex_rpc(
        self, method: str, params: Any = None, *, confirm: bool = False, timeout_ms: int | None = None
    ) -> Any:
        return self._run(self._client.codex_rpc(method, params, confirm=confirm, timeout_ms=timeout_ms))

    def sign_in_start(self) -> DeviceStartResult:
        return self._run(self._client.sign_in_start())

    def sign_in_poll(self, device_code: str) -> DevicePollResult:
        return self._run(self._client.sign_in_poll(device_code))

    def sign_in(self, show: Callable[[DeviceStartResult], None]) -> DevicePollResult:
        return self._run(self._client.sign_in(show))
