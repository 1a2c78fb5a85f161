"""A daemon that is newer than the client: what nobody has heard of reaches the user as it is, or is passed over."""

from __future__ import annotations

import asyncio
import unittest
from typing import Any

from .fake_daemon import FakeDaemon

import open_think

RESULT = {
    "turnId": "t1",
    "mode": "a-new-mode",
    "stopReason": "a-new-one",
    "halted": "a-new-way",
    "assistantMessage": None,
    "novelty": [1],
}
ANSWERS: dict[str, Any] = {
    "conductor.subscribe": {"seq": 0, "novelty": {}},
    "skills.list": {"skills": [{"id": "new", "kind": "a-new-kind"}], "novelty": True},
    "providers.list": {"providers": [{"id": "new", "state": "a-new-state"}], "novelty": 1},
    "oauth.codex.deviceStart": {"status": "a-new-status", "novelty": None},
}


async def newer(daemon: FakeDaemon, message: dict[str, Any]) -> None:
    if message["method"] == "conductor.message":
        daemon.write("no JSON at all")
        daemon.write("[1, 2]")
        daemon.say(novelty="neither a request nor an answer")
        daemon.say(method="conductor.event", params={"event": "of no use"})
        daemon.say(method="helm.novelty", params={"a": 1})
        daemon.say(method="helm.novelties")
        daemon.say(id=99999999, result="nobody asked")
        daemon.say(method="$/progress", params={"token": message["id"], "value": {"kind": "brand-new"}})
        daemon.begin(message["params"]["workDoneToken"])
        daemon.event(1, {"kind": "turn-start", "iteration": 1, "provider": "p", "novelty": {"a": 1}})
        daemon.event(2, {"kind": "brand-new", "shape": ["b"]})
        daemon.event(3, {"kind": "turn-stop", "iteration": 1, "stopReason": "a-new-one"})
        daemon.event(4, {})
        daemon.say(id=message["id"], result=RESULT, novelty=1)
    elif message["method"] in ANSWERS:
        daemon.say(id=message["id"], result=ANSWERS[message["method"]])


class Novelty(unittest.IsolatedAsyncioTestCase):
    async def asyncSetUp(self) -> None:
        self.daemon = await FakeDaemon(newer).__aenter__()
        self.addAsyncCleanup(self.daemon.__aexit__)
        self.told: list[tuple[str, Any]] = []

    def on_notification(self, method: str, params: dict[str, Any]) -> None:
        self.told.append((method, params))

    def check(self, events: list[Any], result: Any) -> None:
        self.assertEqual([event.get("kind") for event in events], ["turn-start", "brand-new", "turn-stop", None])
        self.assertEqual(events[0]["novelty"], {"a": 1})
        self.assertEqual(events[1], {"kind": "brand-new", "shape": ["b"]})
        self.assertEqual(result, RESULT)
        self.assertEqual(self.told, [("helm.novelty", {"a": 1}), ("helm.novelties", {})])

    async def test_events_results_and_notifications(self) -> None:
        where = self.daemon.socket
        async with open_think.connect(socket=where, on_notification=self.on_notification) as client:
            async with client.subscribe() as watched:
                turn = client.message("hello", mode="a-new-mode")
                events: list[Any] = [event async for event in turn]
                self.check(events, await turn)
                self.assertEqual([(await anext(watched))["event"] for _ in events], events)
            assert client.server is not None
            self.assertEqual(client.server["capabilities"]["protocolVersion"], "1.9")

    async def test_to_a_script(self) -> None:
        def script() -> tuple[list[Any], Any]:
            where = self.daemon.socket
            with open_think.connect_sync(socket=where, on_notification=self.on_notification) as client:
                turn = client.message("hello")
                return list(turn), turn.result()

        self.check(*await asyncio.to_thread(script))

    async def test_answers(self) -> None:
        async with open_think.connect(socket=self.daemon.socket) as client:
            self.assertEqual(await client.skills(), ANSWERS["skills.list"]["skills"])
            self.assertEqual(await client.providers(), ANSWERS["providers.list"])
            with self.assertRaises(open_think.OpenThinkError) as raised:
                await client.sign_in(lambda started: None)
            self.assertIn("a-new-status", str(raised.exception))

    async def test_requests(self) -> None:
        asked: list[Any] = []

        def approve(params: Any) -> Any:
            asked.append(params)
            return "approve"

        async with open_think.connect(socket=self.daemon.socket, approve=approve) as client:
            for id in ("s1", 0, -7):
                self.daemon.say(id=id, method="helm.novelty", params={"a": 1})
                answer = await self.daemon.answer()
                self.assertEqual((answer["id"], answer["error"]["code"]), (id, -32601))
                self.assertIn("helm.novelty", answer["error"]["message"])
            question = {"approvalId": "a", "actions": [{"id": "x", "novelty": 1}], "novelty": [1]}
            self.daemon.say(id="s2", method="conductor.approval", params=question, novelty=1)
            self.assertEqual((await self.daemon.answer())["result"], {"decision": "approve"})
            self.assertEqual(await client.skills(), ANSWERS["skills.list"]["skills"])
        self.assertEqual(asked, [question])
