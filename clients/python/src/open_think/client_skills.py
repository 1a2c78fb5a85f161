"""The skills that this client offers to Helm and to other clients, and the daemon's calls of them."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from .callbacks import call
from .connection import Connection
from .errors import OpenThinkError
from .types import ClientSkill, SkillCallParams

SKILL_FAILED = -32015

SkillHandler = Callable[[Any], Any]
"""Gets the input and gives any JSON, async or plain. A plain one runs in a thread."""

H = TypeVar("H", bound=SkillHandler)

current_call: ContextVar[SkillCallParams] = ContextVar("open_think.current_call")
"""In a skill's handler: the call as it came, with its session, its turn and the milliseconds that are left."""

log = logging.getLogger("open_think")


@dataclass
class Offer:
    spec: ClientSkill
    handler: SkillHandler


def offer(
    id: str,
    handler: SkillHandler,
    description: str | None,
    input_schema: dict[str, Any] | None,
    dangerous: bool,
    timeout_ms: int | None,
) -> Offer:
    description = description or (inspect.getdoc(handler) if inspect.isroutine(handler) else None)
    if not description:
        raise ValueError(f"the skill {id} needs a description: models choose by it")
    spec: ClientSkill = {"id": id, "description": description, "dangerous": dangerous}
    if input_schema is not None:
        spec["inputSchema"] = input_schema
    if timeout_ms is not None:
        spec["timeoutMs"] = timeout_ms
    return Offer(spec, handler)


class ClientSkills:
    def __init__(self) -> None:
        self._offers: dict[str, Offer] = {}

    def put(self, offer: Offer) -> None:
        self._offers[offer.spec["id"]] = offer

    def remove(self, id: str) -> None:
        self._offers.pop(id, None)

    async def register(self, connection: Connection, again: bool) -> None:
        """Registers all with a connection. `again`, one that the daemon has itself by now is but reported."""
        for spec in [offer.spec for offer in self._offers.values()]:
            try:
                await connection.request("skills.register", {"skills": [spec]})
            except OpenThinkError as error:
                if not again or connection.fault is not None:
                    raise
                context = {"message": f"open-think: {spec['id']} is no longer offered", "exception": error}
                asyncio.get_running_loop().call_exception_handler(context)

    def request(self, method: str, params: dict[str, Any]) -> Awaitable[Any] | None:
        """The answer to a request of the daemon's, if it is one that is answered here."""
        return self._call(cast(SkillCallParams, params)) if method == "skills.call" else None

    async def _call(self, params: SkillCallParams) -> dict[str, Any]:
        id = params["skill"]
        offer = self._offers.get(id)
        if offer is None:
            raise OpenThinkError("E_SKILL_UNAVAILABLE", SKILL_FAILED, f"{id} is not offered any longer")
        current_call.set(params)
        try:
            return {"output": await call(offer.handler, params["input"])}
        except (Exception, SystemExit) as error:
            log.info("the skill %s failed", id, exc_info=True)
            raise OpenThinkError("E_SKILL_FAILED", SKILL_FAILED, told_of(error)) from error


def told_of(error: BaseException) -> str:
    """What a model reads: no trace."""
    if isinstance(error, OpenThinkError):
        return error.message
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
