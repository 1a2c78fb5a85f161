"""How the client answers calls of its skills, against a daemon of our own making."""

from __future__ import annotations

import asyncio
import threading
import unittest
from functools import partial
from typing import Any

from .fake_daemon import FakeDaemon

import open_think


class SkillCalls(unittest.IsolatedAsyncioTestCase):
    async def asyncSetUp(self) -> None:
        self.daemon = await FakeDaemon(self.handle).__aenter__()
        self.addAsyncCleanup(self.daemon.__aexit__)
        self.own: list[str] = []

    async def handle(self, daemon: FakeDaemon, message: dict[str, Any]) -> None:
        skills = message["params"].get("skills", [])
        if any(skill["id"] in self.own for skill in skills if isinstance(skill, dict)):
            daemon.say(id=message["id"], error={"code": -32602, "message": "it is the daemon's own"})
        elif skills:
            daemon.say(id=message["id"], result={"registered": []})
        elif message["method"] == "cut":
            daemon.cut()

    def call(self, skill: str, input: Any = None, id: str = "s1") -> None:
        params = {"skill": skill, "input": input, "sessionName": "fruit", "turnId": "t1", "deadlineMs": 60000}
        self.daemon.say(id=id, method="skills.call", params=params)

    async def answer(self, skill: str, input: Any = None) -> Any:
        self.call(skill, input)
        answer = await self.daemon.answer()
        self.assertEqual(answer["id"], "s1")
        return answer.get("result") or answer["error"]

    def registered(self) -> list[Any]:
        received = self.daemon.received
        return [message["params"]["skills"] for message in received if message.get("method") == "skills.register"]

    async def test_what_is_said_of_a_skill(self) -> None:
        client = open_think.connect(socket=self.daemon.socket)
        schema = {"type": "object", "properties": {"text": {"type": "string"}}}

        @client.skill("count-words", input_schema=schema, dangerous=False, timeout_ms=500)
        def count(input: Any) -> int:
            """Counts words."""
            return len(input["text"].split())

        self.assertEqual(count({"text": "one two"}), 2)
        async with client:
            await client.register_skill("shout", lambda input: input.upper(), description="Says it loudly.")
            with self.assertRaises(RuntimeError):
                client.skill("late", description="It cannot be told.")(count)
            with self.assertRaises(ValueError):
                await client.register_skill("silent", lambda input: input)
            self.assertEqual(await self.answer("count-words", {"text": "one two"}), {"output": 2})
            self.assertEqual(await self.answer("shout", "sloe"), {"output": "SLOE"})
            await client.unregister_skill("shout")
            self.assertIn("shout", (await self.answer("shout", "sloe"))["message"])
        offered = {"id": "count-words", "description": "Counts words.", "dangerous": False}
        loud = {"id": "shout", "description": "Says it loudly.", "dangerous": True}
        self.assertEqual(self.registered(), [[{**offered, "inputSchema": schema, "timeoutMs": 500}], [loud]])
        self.assertTrue(self.daemon.received[0]["params"]["capabilities"]["skills"])
        # What is offered is told only when the connection may be used.
        methods = [message["method"] for message in self.daemon.received[:3]]
        self.assertEqual(methods, ["initialize", "initialized", "skills.register"])

    async def test_a_failure_is_told_without_its_trace(self) -> None:
        async def failing(input: str) -> Any:
            raise KeyError(input)

        def leaving(input: Any) -> Any:
            raise SystemExit(3)

        def at_the_end(input: Any) -> Any:
            return next(iter([]))

        def saying(input: Any) -> Any:
            raise open_think.OpenThinkError("E_MINE", -32000, "no luck today")

        handlers: dict[str, Any] = {"failing": failing, "leaving": leaving, "at-the-end": at_the_end, "saying": saying}
        odd = {"no-json": object(), "nan": {"value": float("nan")}, "long": "x" * 17 * 2**20}
        handlers |= {id: partial(lambda value, _: value, value) for id, value in odd.items()}
        async with open_think.connect(socket=self.daemon.socket) as client:
            asyncio.get_running_loop().set_exception_handler(lambda *_: self.fail("all is dealt with"))
            for id, handler in handlers.items():
                await client.register_skill(id, handler, description=id)
            with self.assertLogs("open_think", "ERROR") as logged:
                said = {id: (await self.answer(id, "quince"))["message"] for id in handlers}
        self.assertEqual(said["failing"], "KeyError: 'quince'")
        self.assertEqual(said["leaving"], "RuntimeError: SystemExit: 3")
        self.assertEqual(said["at-the-end"], "RuntimeError: StopIteration")
        self.assertEqual(said["saying"], "no luck today")
        self.assertIn("cannot be sent as JSON", said["no-json"])
        self.assertIn("cannot be sent as JSON", said["nan"])
        self.assertIn("may have 16777216", said["long"])
        for id, line in zip(odd, logged.output, strict=True):
            self.assertIn(f"'skill': '{id}'", line)

    async def test_a_plain_handler_blocks_nobody_and_knows_its_call(self) -> None:
        gate = threading.Event()

        def patient(input: Any) -> Any:
            gate.wait()
            return [open_think.current_call.get()["sessionName"], threading.current_thread() is threading.main_thread()]

        async def quick(input: Any) -> Any:
            gate.set()
            return open_think.current_call.get()["skill"]

        async with open_think.connect(socket=self.daemon.socket) as client:
            await client.register_skill("patient", patient, description="Waits for the other.")
            await client.register_skill("quick", quick, description="Lets the other go on.")
            self.call("patient", id="s1")
            self.call("quick", id="s2")
            answers = [await self.daemon.answer() for _ in range(2)]
        outputs = {answer["id"]: answer["result"]["output"] for answer in answers}
        self.assertEqual(outputs, {"s1": ["fruit", False], "s2": "quick"})

    async def test_a_call_that_is_cancelled_is_given_up_and_answered_once(self) -> None:
        begun, given_up = asyncio.Event(), asyncio.Event()

        async def wait(input: Any) -> None:
            begun.set()
            try:
                await asyncio.Event().wait()
            finally:
                given_up.set()

        async with open_think.connect(socket=self.daemon.socket) as client:
            await client.register_skill("wait", wait, description="Never ends.")
            self.call("wait")
            await begun.wait()
            self.daemon.say(method="$/cancelRequest", params={"id": "s1"})
            self.assertEqual((await self.daemon.answer())["error"]["code"], -32800)
            await given_up.wait()
            # One that comes right behind its request finds it not begun.
            begun.clear()
            self.call("wait", id="s2")
            self.daemon.say(method="$/cancelRequest", params={"id": "s2"})
            answer = await self.daemon.answer()
            self.assertEqual((answer["id"], answer["error"]["code"]), ("s2", -32800))
            self.daemon.say(method="$/cancelRequest", params={"id": "unknown"})
            self.call("wait", id="s3")
            await begun.wait()
            given_up.clear()
        await given_up.wait()

    async def test_one_that_the_daemon_has_itself_by_now_is_reported_and_the_rest_offered(self) -> None:
        reported: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.set_result(context))
        async with open_think.connect(socket=self.daemon.socket) as client:
            await client.register_skill("one", lambda input: 1, description="Gives 1.")
            await client.register_skill("two", lambda input: 2, description="Gives 2.")
            self.own.append("one")
            with self.assertRaises(open_think.OpenThinkError):
                await client.request("cut")
            self.assertIn("one is no longer offered", (await reported)["message"])
            self.assertEqual(await self.answer("two"), {"output": 2})
        again = [[skill["id"] for skill in skills] for skills in self.registered()[2:]]
        self.assertEqual(again, [["one"], ["two"]])

    async def test_a_new_connection_is_told_what_is_offered(self) -> None:
        async with open_think.connect(socket=self.daemon.socket) as client:
            await client.register_skill("one", lambda input: 1, description="Gives 1.")
            await client.register_skill("two", lambda input: 2, description="Gives 2.")
            await client.register_skill("one", lambda input: "one", description="Gives one.")
            await client.unregister_skill("two")
            with self.assertRaises(open_think.OpenThinkError):
                await client.request("cut")
            await client.register_skill("three", lambda input: 3, description="Gives 3.")
            self.assertEqual(await self.answer("one"), {"output": "one"})
        again = [[skill["description"] for skill in skills] for skills in self.registered()[3:]]
        self.assertEqual(again, [["Gives one."], ["Gives 3."]])
