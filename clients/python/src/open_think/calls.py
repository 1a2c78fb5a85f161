"""The methods of the protocol that are asked and answered, by their names."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, cast

from .errors import OpenThinkError
from .types import (
    CodexStatusResult,
    DevicePollResult,
    DeviceStartResult,
    ModelRow,
    ProvidersListResult,
    SessionDetail,
    SessionMessage,
    SessionSummary,
    SkillRow,
    StatusResult,
)


class Calls(ABC):
    @abstractmethod
    async def request(self, method: str, params: Any = None) -> Any:
        """Calls any method. Who is cancelled while waiting cancels the request."""

    async def skills(self) -> list[SkillRow]:
        """The skills on offer."""
        return cast("list[SkillRow]", (await self.request("skills.list"))["skills"])

    async def invoke(self, skill: str, input: Any = None, *, confirm: bool = False) -> Any:
        """Runs one skill, without a model, and gives what it gave. A dangerous one runs only with `confirm`."""
        params = {"skill": skill, "input": {} if input is None else input, "confirm": confirm}
        return (await self.request("skills.invoke", params))["data"]

    async def providers(self) -> ProvidersListResult:
        """The ways to a model, and how to set up those that are not ready."""
        return cast(ProvidersListResult, await self.request("providers.list"))

    async def models(self, provider: str) -> list[ModelRow]:
        """The models of one provider."""
        return cast("list[ModelRow]", (await self.request("providers.models", {"provider": provider}))["models"])

    async def sessions_list(self) -> list[SessionSummary]:
        """The sessions, the one used last first."""
        return cast("list[SessionSummary]", (await self.request("sessions.list"))["sessions"])

    async def sessions_get(self, session_name: str) -> SessionDetail:
        """One session, with its held actions."""
        return cast(SessionDetail, await self.request("sessions.get", {"sessionName": session_name}))

    async def sessions_messages(
        self, session_name: str, *, limit: int | None = None, before: str | None = None
    ) -> list[SessionMessage]:
        """The newest messages of a session in order; `before` is the id of one, to page back from."""
        params = {"sessionName": session_name, "limit": limit, "before": before}
        return cast("list[SessionMessage]", (await self.request("sessions.messages", params))["messages"])

    async def sessions_delete(self, session_name: str) -> bool:
        """Deletes a session with all that belongs to it, for good; false if there was none."""
        return bool((await self.request("sessions.delete", {"sessionName": session_name}))["deleted"])

    async def status(self) -> StatusResult:
        """The daemon itself: version, clients, running turns, paths."""
        return cast(StatusResult, await self.request("daemon.status"))

    async def codex_status(self, *, probe: bool = False) -> CodexStatusResult:
        """How the connection to the Codex app-server stands."""
        return cast(CodexStatusResult, await self.request("codex.status", {"probe": probe}))

    async def codex_rpc(
        self, method: str, params: Any = None, *, confirm: bool = False, timeout_ms: int | None = None
    ) -> Any:
        """Calls any method of the Codex app-server."""
        asked = {"method": method, "confirm": confirm, "timeoutMs": timeout_ms}
        return await self.request("codex.rpc", asked if params is None else {**asked, "params": params})

    async def sign_in_start(self) -> DeviceStartResult:
        """Begins a sign-in to ChatGPT: the user opens `verificationUri` and types in `userCode`."""
        return cast(DeviceStartResult, await self.request("oauth.codex.deviceStart"))

    async def sign_in_poll(self, device_code: str) -> DevicePollResult:
        """How far that sign-in is."""
        return cast(DevicePollResult, await self.request("oauth.codex.devicePoll", {"deviceCode": device_code}))

    async def sign_in(self, show: Callable[[DeviceStartResult], None]) -> DevicePollResult:
        """Signs in to ChatGPT: calls `show` with what the user needs to know, and waits for the user's decision.

        Raises where there is no way to sign in. Otherwise the status of the result tells how it ended.
        """
        started = await self.sign_in_start()
        device_code = started.get("deviceCode")
        if device_code is None:
            message = started.get("message") or f"the sign-in is {started['status']}"
            raise OpenThinkError("E_AUTH", 0, message, hint=started.get("hint"), data=started)
        show(started)
        wait = started.get("interval")
        try:
            while True:
                await asyncio.sleep(wait or 5)
                polled = await self.sign_in_poll(device_code)
                if polled["status"] not in ("pending", "slow_down"):
                    return polled
                wait = polled.get("interval") or wait
        except asyncio.CancelledError:
            await self.request("oauth.codex.deviceCancel", {"deviceCode": device_code})
            raise
