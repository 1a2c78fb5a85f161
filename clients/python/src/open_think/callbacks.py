"""Calls the user's functions, which may be plain ones that block."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from typing import Any


async def call(callback: Callable[[Any], Any], argument: Any) -> Any:
    """A plain function runs in a thread, where it keeps nobody waiting; cancelled, it runs on and nobody listens."""
    if inspect.iscoroutinefunction(callback):
        return await callback(argument)
    answer = await asyncio.to_thread(in_thread, callback, argument)
    return await answer if inspect.isawaitable(answer) else answer


def in_thread(callback: Callable[[Any], Any], argument: Any) -> Any:
    try:
        return callback(argument)
    except StopIteration as error:
        # It cannot leave a thread: whoever waits would wait for ever.
        raise RuntimeError("StopIteration") from error
