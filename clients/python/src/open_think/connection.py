"""One connection's requests and answers, in both directions. It knows no method but `$/cancelRequest`."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from .channel import Channel
from .errors import CANCELLED, INTERNAL_ERROR, METHOD_NOT_FOUND, OpenThinkError, connection_lost

log = logging.getLogger("open_think")

OnNotification = Callable[[str, dict[str, Any]], None]
OnRequest = Callable[[str, dict[str, Any]], "Awaitable[Any] | None"]
OnAnswer = Callable[[Any], None]


@dataclass
class Pending:
    answer: asyncio.Future[Any]
    length: int
    on_answer: OnAnswer | None


class Connection:
    """Lives from `start` until the other side ends or `close` is called; then all that waits fails at once."""

    _ids = itertools.count(1)

    def __init__(self, channel: Channel, on_notification: OnNotification, on_request: OnRequest) -> None:
        self._channel = channel
        self._on_notification = on_notification
        self._on_request = on_request
        self._pending: dict[int, Pending] = {}
        self._answering: dict[int | str, asyncio.Task[None]] = {}
        self.fault: OpenThinkError | None = None
        """Why it is over, once it is."""
        self._reading: asyncio.Task[None] | None = None

    def start(self, on_end: Callable[[Connection, OpenThinkError], None]) -> None:
        self._reading = asyncio.create_task(self._read(on_end))

    @classmethod
    def next_id(cls) -> int:
        """No two requests of a process have the same id, whichever connection they take."""
        return next(cls._ids)

    async def request(
        self, method: str, params: Any = None, *, id: int | None = None, on_answer: OnAnswer | None = None
    ) -> Any:
        """Sends a request and waits for its answer. Who stops waiting cancels it.

        `on_answer` is called in the order of what comes over the connection, before anything behind the answer.
        """
        if self.fault is not None:
            raise self.fault
        id = self.next_id() if id is None else id
        message = {"jsonrpc": "2.0", "id": id, "method": method, "params": {} if params is None else params}
        length = self._channel.send(message)
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._pending[id] = Pending(answer, length, on_answer)
        try:
            await self._channel.drain()
            return await answer
        except asyncio.CancelledError:
            if id in self._pending:
                self.notify("$/cancelRequest", {"id": id})
            raise
        finally:
            self._pending.pop(id, None)

    def notify(self, method: str, params: Any = None) -> None:
        self._channel.send({"jsonrpc": "2.0", "method": method, "params": {} if params is None else params})

    async def close(self) -> None:
        await self._channel.close()
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)
        self._fail(connection_lost("it was closed"))

    async def _read(self, on_end: Callable[[Connection, OpenThinkError], None]) -> None:
        try:
            while (message := await self._channel.receive()) is not None:
                if isinstance(message, dict):
                    self._receive_safely(message)
            why = await self._channel.why_it_ended()
        except OSError as error:
            why = str(error)
        except asyncio.CancelledError:
            self._fail(connection_lost("it was closed"))
            raise
        fault = connection_lost(why)
        self._fail(fault)
        on_end(self, fault)

    def _receive_safely(self, message: dict[str, Any]) -> None:
        """A message that is not as it should be, or a callback that fails, harms no other."""
        try:
            self._receive(message)
        except Exception as error:
            context = {"message": "open-think: a message could not be dealt with", "exception": error}
            asyncio.get_running_loop().call_exception_handler(context)

    def _receive(self, message: dict[str, Any]) -> None:
        method, id = message.get("method"), message.get("id")
        params = message.get("params")
        params = params if isinstance(params, dict) else {}
        if not isinstance(method, str):
            self._take_answer(id, message)
        elif id is not None:
            task = self._answering[id] = asyncio.create_task(self._answer(id, method, params))
            task.add_done_callback(lambda task: self._answered(id, task))
        elif method == "$/cancelRequest":
            if (asked := self._answering.get(params["id"])) is not None:
                asked.cancel()
        else:
            self._on_notification(method, params)

    def _take_answer(self, id: Any, message: dict[str, Any]) -> None:
        if id is None and "error" in message and self._pending:
            # A frame of ours was refused unread, which happens to those that are too long.
            id = max(self._pending, key=lambda each: self._pending[each].length)
        pending = self._pending.pop(id, None) if isinstance(id, int) else None
        if pending is None or pending.answer.done():
            return
        if "error" in message:
            pending.answer.set_exception(OpenThinkError.from_wire(message["error"]))
            return
        result = message.get("result")
        if pending.on_answer is not None:
            pending.on_answer(result)
        pending.answer.set_result(result)

    async def _answer(self, id: Any, method: str, params: dict[str, Any]) -> None:
        answer = self._on_request(method, params)
        if answer is None:
            self._refuse(id, METHOD_NOT_FOUND, f"{method} is not a method of this client")
            return
        try:
            result = await answer
        except OpenThinkError as error:
            self._refuse(id, error.number or INTERNAL_ERROR, error.message)
        except Exception as error:
            log.error("%s could not be answered: %r", method, error)
            self._refuse(id, INTERNAL_ERROR, f"the client failed: {error!r}")
        else:
            self._send_answer(id, method, params, result)

    def _send_answer(self, id: Any, method: str, params: dict[str, Any], result: Any) -> None:
        try:
            self._channel.send({"jsonrpc": "2.0", "id": id, "result": result})
        except OpenThinkError as error:
            log.error("the answer to %s %.120r: %s", method, params, error.message)
            self._refuse(id, INTERNAL_ERROR, f"the answer is no good: {error.message}")

    def _answered(self, id: Any, task: asyncio.Task[None]) -> None:
        """Also where the task was cancelled before its first step."""
        self._answering.pop(id, None)
        if task.cancelled() and self.fault is None:
            self._refuse(id, CANCELLED, "the request was cancelled")

    def _refuse(self, id: Any, number: int, message: str) -> None:
        self._channel.send({"jsonrpc": "2.0", "id": id, "error": {"code": number, "message": message}})

    def _fail(self, fault: OpenThinkError) -> None:
        self.fault = self.fault or fault
        pending, self._pending = self._pending, {}
        for each in pending.values():
            if not each.answer.done():
                each.answer.set_exception(fault)
        for task in self._answering.values():
            task.cancel()
