"""Calls the user's functions, which may be plain ones that block."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import threading
from collections.abc import Callable
from typing import Any


async def call(callback: Callable[[Any], Any], argument: Any) -> Any:
    """A plain function runs in a thread, where it keeps nobody waiting; cancelled, it runs on and nobody listens."""
    if inspect.iscoroutinefunction(callback):
        return await callback(argument)
    answer = await in_thread(callback, argument)
    return await answer if inspect.isawaitable(answer) else answer


async def in_thread(callback: Callable[[Any], Any], argument: Any) -> Any:
    """In one of its own, which does not keep the interpreter from ending: those of asyncio's executor do."""
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[Any] = loop.create_future()
    context = contextvars.copy_context()

    def settle(result: Any, error: Exception | None) -> None:
        if answer.done():
            return
        if error is not None:
            answer.set_exception(error)
        else:
            answer.set_result(result)

    def run() -> None:
        result, error = None, None
        try:
            result = context.run(callback, argument)
        except BaseException as raised:
            error = bearable(raised)
        try:
            loop.call_soon_threadsafe(settle, result, error)
        except RuntimeError:
            # The loop is closed, and nobody waits.
            pass

    threading.Thread(target=run, name="open-think callback", daemon=True).start()
    return await answer


def bearable(error: BaseException) -> Exception:
    """What would end the loop, or keep whoever waits waiting for ever, becomes a common failure."""
    if isinstance(error, Exception) and not isinstance(error, StopIteration):
        return error
    common = RuntimeError(f"{type(error).__name__}: {error}" if str(error) else type(error).__name__)
    common.__cause__ = error
    return common
