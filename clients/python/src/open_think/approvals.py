"""Asks the user's callback about held actions."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Union, cast

from .callbacks import call
from .errors import INTERNAL_ERROR, OpenThinkError, cancelled
from .types import ApprovalAnswer, ApprovalParams, Decision

Answer = Union[Decision, ApprovalAnswer, None]
Approve = Callable[[ApprovalParams], Union[Answer, Awaitable[Answer]]]
"""Async or plain; a plain one runs in a thread. Answers `"approve"`, `"deny"`, or both with another `input`. `None`
decides nothing: the actions stay held."""

DECISIONS = ("approve", "deny")

log = logging.getLogger("open_think")


class Approvals:
    def __init__(self, approve: Approve | None) -> None:
        self._approve = approve
        self._asked: dict[str, asyncio.Task[Any]] = {}

    def request(self, method: str, params: dict[str, Any]) -> Awaitable[Any] | None:
        """The answer to a request of the daemon's, if it is one that is answered here."""
        if method != "conductor.approval" or self._approve is None:
            return None
        return self._ask(self._approve, cast(ApprovalParams, params))

    async def _ask(self, approve: Approve, params: ApprovalParams) -> ApprovalAnswer:
        approval_id = params["approvalId"]
        task = self._asked[approval_id] = asyncio.create_task(call(approve, params))
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError:
            task.cancel()
            raise
        finally:
            del self._asked[approval_id]
        if task.cancelled():
            raise cancelled()
        if (error := task.exception()) is not None:
            log.error("approve failed, and the actions stay held: %r", error)
            log.debug("approve failed here", exc_info=error)
            raise OpenThinkError("E_UNDECIDED", INTERNAL_ERROR, f"the client failed: {error!r}") from error
        return decided(task.result())

    def resolved(self, approval_id: Any) -> None:
        """Somebody else has decided, or it is too late: nobody need be asked any longer."""
        if (task := self._asked.get(approval_id)) is not None:
            task.cancel()


def decided(answer: Any) -> ApprovalAnswer:
    if isinstance(answer, str) and answer in DECISIONS:
        return {"decision": answer}
    if isinstance(answer, dict) and answer.get("decision") in DECISIONS:
        return cast(ApprovalAnswer, answer)
    if answer is not None:
        log.warning('approve answered %.120r, and the actions stay held: say "approve", "deny" or None', answer)
    raise OpenThinkError("E_UNDECIDED", -32803, "nobody decided")
