"""Events on their way to whoever iterates over them, never more than a fixed number."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import cast

from .errors import OpenThinkError
from .types import EventParams, TextDeltaEvent

CAPACITY = 4096
TEXT = ("text-delta", "reasoning-delta")


class EventQueue:
    """Text that was not read yet is merged. If that is not enough, all that was not read is let go of, and the event
    `resync` says so in its place: the same that the daemon does for connections that read slowly."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._events: deque[EventParams] = deque()
        self._changed = asyncio.Event()
        self._ended = False
        self._fault: OpenThinkError | None = None

    def push(self, params: EventParams) -> None:
        if self._ended:
            return
        if self._events and (merged := merge(self._events[-1], params)) is not None:
            self._events[-1] = merged
        else:
            if len(self._events) >= self._capacity:
                last = self._events[-1]
                self._events.clear()
                self._events.append({**last, "event": {"kind": "resync"}})
            self._events.append(params)
        self._changed.set()

    def end(self, fault: OpenThinkError | None = None) -> None:
        """What is in the queue is still given; then it ends, or raises."""
        if not self._ended:
            self._ended, self._fault = True, fault
            self._changed.set()

    async def next(self) -> EventParams | None:
        """The next event; `None` at the end. Nothing is lost when it is cancelled."""
        while not self._events:
            if self._fault is not None:
                raise self._fault
            if self._ended:
                return None
            self._changed.clear()
            await self._changed.wait()
        return self._events.popleft()


def merge(earlier: EventParams, later: EventParams) -> EventParams | None:
    """One event that stands for both, if both are of one text."""
    one, other = earlier["event"], later["event"]
    if one.get("kind") not in TEXT or one.get("kind") != other.get("kind"):
        return None
    if one.get("index") != other.get("index") or earlier["turnId"] != later["turnId"]:
        return None
    first, second = cast(TextDeltaEvent, one), cast(TextDeltaEvent, other)
    text = cast(TextDeltaEvent, {**second, "text": first["text"] + second["text"]})
    return {**later, "firstSeq": earlier.get("firstSeq") or earlier["seq"], "event": text}
