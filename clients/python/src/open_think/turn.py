"""A turn of Helm's: its events as they come, and its result."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Generator
from typing import Any, cast

from .errors import OpenThinkError, cancelled
from .event_queue import EventQueue
from .types import Event, EventParams, TurnResult


class Turn(AsyncIterator[Event]):
    """Iterate over it for the events, await it for the result; both, or either.

    A task that is cancelled while it waits for a turn cancels the turn. Several may wait; for all of them it is over
    then. The events may be iterated over once.
    """

    def __init__(
        self,
        id: int,
        session_name: str,
        run: Callable[[], Awaitable[Any]],
        interrupt: Callable[[Turn], Awaitable[bool]],
        on_over: Callable[[Turn], None],
    ) -> None:
        self.id = id
        self.session_name = session_name
        self._turn_id: str | None = None
        self._accepted_or_over = asyncio.Event()
        self._events = EventQueue()
        self._last_seq = 0
        self._begun = False
        self._over = asyncio.Event()
        self._result: TurnResult | None = None
        self._fault: OpenThinkError | None = None
        self._interrupt = interrupt
        self._on_over = on_over
        self._task = asyncio.create_task(self._run(run))
        self._task.add_done_callback(self._finish)

    @property
    def turn_id(self) -> str | None:
        """Known when the daemon has accepted it, before the first event."""
        return self._turn_id

    def __await__(self) -> Generator[Any, None, TurnResult]:
        return self.result().__await__()

    def __aiter__(self) -> Turn:
        return self

    async def __anext__(self) -> Event:
        try:
            params = await self._events.next()
        except asyncio.CancelledError:
            self.cancel()
            raise
        if params is None:
            raise StopAsyncIteration
        return params["event"]

    async def result(self) -> TurnResult:
        """Waits for the end of the turn."""
        try:
            await self._over.wait()
        except asyncio.CancelledError:
            self.cancel()
            raise
        if self._fault is not None:
            raise self._fault
        return cast(TurnResult, self._result)

    async def interrupt(self) -> bool:
        """Stops this turn; the result then has the stop reason `cancelled`. False if it was over.

        One that still waits for another turn of its session never runs, as if by `cancel`.
        """
        await self._accepted_or_over.wait()
        if self._over.is_set():
            return False
        if await self._interrupt(self):
            return True
        if self._begun or self._over.is_set():
            return False
        self.cancel()
        return True

    def cancel(self) -> None:
        """Gives the turn up: whoever waits for it gets the error `E_CANCELLED`."""
        self._task.cancel()

    def accept(self, turn_id: str) -> None:
        self._turn_id = turn_id
        self._accepted_or_over.set()

    async def over(self) -> None:
        """Waits for the end, whatever it is, and cancels nothing."""
        await self._over.wait()

    def push(self, params: EventParams) -> None:
        """Takes an event of this turn; one that came before is passed over."""
        if params["seq"] <= self._last_seq:
            return
        self._last_seq = params["seq"]
        self._begun = self._begun or params["turnId"] == self._turn_id
        self._events.push(params)

    async def _run(self, run: Callable[[], Awaitable[Any]]) -> None:
        try:
            self._result = await run()
        except OpenThinkError as error:
            self._fault = error

    def _finish(self, task: asyncio.Task[None]) -> None:
        """Also where the task was cancelled before its first step."""
        if task.cancelled():
            self._fault = cancelled()
        elif (error := task.exception()) is not None:
            self._fault = OpenThinkError("E_INTERNAL", 0, f"the client failed: {error!r}")
        self._over.set()
        self._accepted_or_over.set()
        self._events.end(self._fault)
        self._on_over(self)
