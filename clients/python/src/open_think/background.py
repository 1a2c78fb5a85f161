"""A loop on a thread of its own, and methods that run there while the caller waits."""

from __future__ import annotations

import asyncio
import functools
import threading
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar

from .errors import closed

P = ParamSpec("P")
T = TypeVar("T")
A_co = TypeVar("A_co", covariant=True)
B = TypeVar("B")
F = TypeVar("F")


class Background:
    """Whoever is interrupted while waiting, as by Ctrl-C, cancels what it waits for."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    @property
    def runs(self) -> bool:
        return self._loop is not None

    def start(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="open-think", daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        if self._loop is None:
            work.close()
            raise closed()
        if self._thread is threading.current_thread():
            work.close()
            raise RuntimeError("an async callback cannot wait for a blocking client")
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def stop(self) -> None:
        if self._loop is None or self._thread is None:
            return
        self.run(self._loop.shutdown_asyncgens())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self._loop = self._thread = None


class Blocking(Generic[A_co]):
    """Stands before something asynchronous. Its methods are made of those by the functions below."""

    def __init__(self, background: Background, inner: A_co) -> None:
        self._background = background
        self._inner = inner


def waiting(
    method: Callable[Concatenate[A_co, P], Coroutine[Any, Any, T]],
) -> Callable[Concatenate[Blocking[A_co], P], T]:
    """The method, which waits until it is done."""

    @functools.wraps(method)
    def run(self: Blocking[A_co], /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self._background.run(method(self._inner, *args, **kwargs))

    return run


def calling(method: Callable[Concatenate[A_co, P], T]) -> Callable[Concatenate[Blocking[A_co], P], T]:
    """The method, which does not wait, and is called where the loop is."""

    @functools.wraps(method)
    def run(self: Blocking[A_co], /, *args: P.args, **kwargs: P.kwargs) -> T:
        async def work() -> T:
            return method(self._inner, *args, **kwargs)

        return self._background.run(work())

    return run


def giving(
    facade: Callable[[Background, B], F], method: Callable[Concatenate[A_co, P], B]
) -> Callable[Concatenate[Blocking[A_co], P], F]:
    """The same; what it gives gets this façade."""
    call = calling(method)

    @functools.wraps(method)
    def run(self: Blocking[A_co], /, *args: P.args, **kwargs: P.kwargs) -> F:
        return facade(self._background, call(self, *args, **kwargs))

    return run


def passing(method: Callable[Concatenate[A_co, P], T]) -> Callable[Concatenate[Blocking[A_co], P], T]:
    """The method, which needs no loop."""

    @functools.wraps(method)
    def run(self: Blocking[A_co], /, *args: P.args, **kwargs: P.kwargs) -> T:
        return method(self._inner, *args, **kwargs)

    return run


async def following(events: AsyncIterator[T]) -> T | None:
    """The next of them; a task cannot end by `StopAsyncIteration`."""
    try:
        return await events.__anext__()
    except StopAsyncIteration:
        return None
