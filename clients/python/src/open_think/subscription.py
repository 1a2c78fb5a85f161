"""Watching a session: its events from a sequence number on, across lost connections."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from types import TracebackType
from typing import Any

from .errors import OpenThinkError
from .event_queue import EventQueue
from .types import EventParams


class Subscription(AsyncIterator[EventParams]):
    """Iterate over it; it begins with the first step, or on entering it as a context, and ends with that.

    The event `resync` means that events before it are gone: read the session anew.
    """

    def __init__(self, feeds: Feeds, session_name: str, after_seq: int | None) -> None:
        self.session_name = session_name
        self.last_seq = after_seq
        """Of the last event that you got; where to go on from, in another process too."""
        self.reached = after_seq
        """Of the last event that came, whether or not you got it."""
        self._feeds = feeds
        self._events = EventQueue()
        self._begun = False

    async def start(self) -> None:
        """Returns once every later event will come."""
        if not self._begun:
            self._begun = True
            try:
                await self._feeds.add(self)
            except BaseException:
                self._begun = False
                raise

    async def __aenter__(self) -> Subscription:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    def __aiter__(self) -> Subscription:
        return self

    async def __anext__(self) -> EventParams:
        await self.start()
        params = await self._events.next()
        if params is None:
            raise StopAsyncIteration
        self.last_seq = params["seq"]
        return params

    async def aclose(self) -> None:
        """Ends it; nothing more comes."""
        self._events.end()
        await self._feeds.remove(self)

    def push(self, params: EventParams, asked: int) -> None:
        """`asked` is where the daemon was asked to begin. One that has not come so far has lost its count, and says so
        by `resync`; any other `resync` from before is for somebody else."""
        starts_anew = params["event"].get("kind") == "resync" and params["seq"] < asked
        if not starts_anew and self.reached is not None and params["seq"] <= self.reached:
            return
        self.reached = params["seq"]
        self._events.push(params)

    def fail(self, fault: OpenThinkError | None) -> None:
        self._events.end(fault)


Ask = Callable[[str, dict[str, Any], "Callable[[Any], None]"], Awaitable[Any]]


class Feeds:
    """Who listens to which session. The daemon sends each session's events once, however many listen here."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self._by_session: dict[str, list[Subscription]] = {}
        self._asked: dict[str, int] = {}
        self._changing = asyncio.Lock()
        self._leaving: set[asyncio.Task[None]] = set()

    def sessions(self) -> list[str]:
        return list(self._by_session)

    async def add(self, subscription: Subscription) -> None:
        async with self._changing:
            await self._add(subscription)

    async def _add(self, subscription: Subscription) -> None:
        name, after = subscription.session_name, subscription.reached
        listening = self._by_session.setdefault(name, [])
        known = self._reached(listening)
        # What the others still wait for comes again as well; they pass over what they have.
        wanted = min((each for each in (known, after) if each is not None), default=None)

        def begin(result: Any) -> None:
            if subscription.reached is None:
                subscription.reached = subscription.last_seq = sequence_number(result)
            listening.append(subscription)

        try:
            await self._ask("conductor.subscribe", self._from(name, wanted), begin)
        except BaseException:
            # It may have been granted all the same.
            leaving = asyncio.create_task(self.remove(subscription))
            self._leaving.add(leaving)
            leaving.add_done_callback(self._leaving.discard)
            raise

    async def remove(self, subscription: Subscription) -> None:
        async with self._changing:
            name = subscription.session_name
            listening = self._by_session.get(name)
            if listening is None:
                return
            if subscription in listening:
                listening.remove(subscription)
            if not listening:
                del self._by_session[name]
                try:
                    await self._ask("conductor.unsubscribe", {"sessionName": name}, lambda _: None)
                except OpenThinkError:
                    # Without a connection there is nothing to end.
                    pass

    def event(self, params: EventParams) -> None:
        name = params["sessionName"]
        for subscription in self._by_session.get(name, []):
            subscription.push(params, self._asked.get(name, 0))

    def again(self, session_name: str) -> dict[str, Any]:
        """How a new connection asks for what this one has not seen."""
        return self._from(session_name, self._reached(self._by_session.get(session_name, [])))

    def _from(self, session_name: str, after_seq: int | None) -> dict[str, Any]:
        self._asked[session_name] = after_seq or 0
        after = {} if after_seq is None else {"afterSeq": after_seq}
        return {"sessionName": session_name, **after}

    def end(self, fault: OpenThinkError | None) -> None:
        for subscription in [each for listening in self._by_session.values() for each in listening]:
            subscription.fail(fault)
        self._by_session.clear()

    @staticmethod
    def _reached(listening: list[Subscription]) -> int | None:
        """The last event that all of them have."""
        reached = [each.reached for each in listening if each.reached is not None]
        return min(reached) if reached else None


def sequence_number(result: Any) -> int:
    seq = result.get("seq") if isinstance(result, dict) else None
    return seq if isinstance(seq, int) else 0
