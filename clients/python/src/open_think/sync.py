"""The same client for scripts that do not use asyncio: it runs on a thread of its own."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import ParamSpec

from .background import Background, Blocking, calling, following, giving, passing, waiting
from .client import Client, connect
from .subscription import Subscription
from .turn import Turn
from .types import Event, EventParams

P = ParamSpec("P")


class SyncTurn(Blocking[Turn], Iterator[Event]):
    """Iterate over it for the events; `result()` waits for the end."""

    @property
    def session_name(self) -> str:
        return self._inner.session_name

    @property
    def turn_id(self) -> str | None:
        return self._inner.turn_id

    def __next__(self) -> Event:
        event = self._background.run(following(self._inner))
        if event is None:
            raise StopIteration
        return event

    result = waiting(Turn.result)
    interrupt = waiting(Turn.interrupt)
    cancel = calling(Turn.cancel)


class SyncSubscription(Blocking[Subscription], Iterator[EventParams]):
    """Iterate over it; it ends with the context, or with `close`."""

    @property
    def last_seq(self) -> int | None:
        return self._inner.last_seq

    def __enter__(self) -> SyncSubscription:
        self._background.run(self._inner.start())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __next__(self) -> EventParams:
        event = self._background.run(following(self._inner))
        if event is None:
            raise StopIteration
        return event

    close = waiting(Subscription.aclose)


class SyncClient(Blocking[Client]):
    """Made by `connect_sync`. The methods are those of `Client`, and wait."""

    def __enter__(self) -> SyncClient:
        self._background.start()
        try:
            self._background.run(self._inner.__aenter__())
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Ends the connection. What it asked for and still runs is cancelled; the daemon stays."""
        if self._background.runs:
            self._background.run(self._inner.close())
            self._background.stop()

    message = giving(SyncTurn, Client.message)
    approve = giving(SyncTurn, Client.approve)
    subscribe = giving(SyncSubscription, Client.subscribe)
    interrupt = waiting(Client.interrupt)
    request = waiting(Client.request)
    skill = passing(Client.skill)
    register_skill = waiting(Client.register_skill)
    unregister_skill = waiting(Client.unregister_skill)
    skills = waiting(Client.skills)
    invoke = waiting(Client.invoke)
    providers = waiting(Client.providers)
    models = waiting(Client.models)
    sessions_list = waiting(Client.sessions_list)
    sessions_get = waiting(Client.sessions_get)
    sessions_messages = waiting(Client.sessions_messages)
    sessions_delete = waiting(Client.sessions_delete)
    status = waiting(Client.status)
    codex_status = waiting(Client.codex_status)
    codex_rpc = waiting(Client.codex_rpc)
    sign_in_start = waiting(Client.sign_in_start)
    sign_in_poll = waiting(Client.sign_in_poll)
    sign_in = waiting(Client.sign_in)


def blocking_form(connect: Callable[P, Client]) -> Callable[P, SyncClient]:
    @functools.wraps(connect, assigned=())
    def connect_sync(*args: P.args, **kwargs: P.kwargs) -> SyncClient:
        """As `connect`, for `with open_think.connect_sync() as client`."""
        return SyncClient(Background(), connect(*args, **kwargs))

    return connect_sync


connect_sync = blocking_form(connect)
