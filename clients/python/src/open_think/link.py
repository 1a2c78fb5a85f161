"""Keeps a connection: the first, and another when it is lost."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from .connection import Connection
from .errors import OpenThinkError, closed

DELAYS: tuple[float, ...] = (0.0, 0.05, 0.2, 0.5, 1.0, 2.0, 5.0)
"""Seconds before each attempt to connect again; after the last one the client is closed."""
STEADY = 10.0
"""Seconds after which a connection counts as good, and the next loss as the first."""

Open = Callable[[Callable[[Connection, OpenThinkError], None], bool], Awaitable[Connection]]
"""Makes a connection that is ready for use; whether it takes the place of one that was lost."""


class Link:
    def __init__(self, open: Open, on_end: Callable[[OpenThinkError | None], None]) -> None:
        self._open = open
        self._on_end = on_end
        self._connection: Connection | None = None
        self._connecting: asyncio.Task[Connection] | None = None
        self._fault: OpenThinkError | None = None
        self._attempts = 0
        self._since = 0.0

    async def start(self) -> None:
        if self._fault is not None:
            raise self._fault
        await self._connect(again=False)

    async def connection(self) -> Connection:
        if self._fault is not None:
            raise self._fault
        if self._connection is not None:
            return self._connection
        if self._connecting is None:
            raise closed()
        try:
            return await asyncio.shield(self._connecting)
        except asyncio.CancelledError:
            # Either who waits was cancelled, or the client was closed meanwhile.
            if self._fault is not None:
                raise self._fault from None
            raise

    async def close(self) -> Connection | None:
        """No connection is made from now on; gives the last one, which is still open."""
        self._end(closed(), None)
        if self._connecting is not None:
            self._connecting.cancel()
            await asyncio.gather(self._connecting, return_exceptions=True)
        connection, self._connection = self._connection, None
        return connection

    def _lost(self, connection: Connection, fault: OpenThinkError) -> None:
        # One that is lost before it is ready is the business of whoever opens it.
        if connection is self._connection:
            self._connection = None
            if self._fault is None:
                self._connecting = asyncio.create_task(self._connect_again(connection))
                self._connecting.add_done_callback(lambda task: task.cancelled() or task.exception())

    async def _connect_again(self, lost: Connection) -> Connection:
        await lost.close()
        if asyncio.get_running_loop().time() - self._since > STEADY:
            self._attempts = 0
        fault = lost.fault or closed()
        while self._attempts < len(DELAYS):
            await asyncio.sleep(DELAYS[self._attempts])
            self._attempts += 1
            try:
                return await self._connect(again=True)
            except OpenThinkError as error:
                fault = error
        self._end(fault, fault)
        raise fault

    async def _connect(self, again: bool) -> Connection:
        connection = await self._open(self._lost, again)
        if connection.fault is not None:
            raise connection.fault
        self._connection = connection
        self._since = asyncio.get_running_loop().time()
        return connection

    def _end(self, fault: OpenThinkError, told: OpenThinkError | None) -> None:
        if self._fault is None:
            self._fault = fault
            self._on_end(told)
