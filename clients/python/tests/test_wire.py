"""What a bad daemon or a bad connection does to the client; against a daemon of our own making."""

from __future__ import annotations

import asyncio
import unittest
from typing import Any

from .fake_daemon import FakeDaemon, Handler

import open_think
from open_think import link
from open_think.event_queue import EventQueue
from open_think.types import EventParams

RESULT = {"turnId": "t1", "stopReason": "end-turn", "assistantMessage": None}


async def nothing(daemon: FakeDaemon, message: dict[str, Any]) -> None:
    pass


def delta(seq: int, text: str) -> EventParams:
    event: open_think.types.TextDeltaEvent = {"kind": "text-delta", "index": 0, "text": text}
    return {"sessionName": "s", "turnId": "t", "seq": seq, "event": event}


class Wire(unittest.IsolatedAsyncioTestCase):
    async def fake(self, handle: Handler) -> FakeDaemon:
        daemon = await FakeDaemon(handle).__aenter__()
        self.addAsyncCleanup(daemon.__aexit__)
        return daemon

    async def test_requests_of_the_daemon_always_have_an_answer(self) -> None:
        daemon = await self.fake(nothing)

        async def approve(params: Any) -> Any:
            return {"approve": "approve", "hold": None}[params["approvalId"]]

        async with open_think.connect(socket=daemon.socket, approve=approve):
            daemon.say(id="s1", method="helm.novelty", params={})
            self.assertEqual((await daemon.answer())["error"]["code"], -32601)
            daemon.say(id=0, method="conductor.approval", params={"approvalId": "approve"})
            self.assertEqual(await daemon.answer(), {"jsonrpc": "2.0", "id": 0, "result": {"decision": "approve"}})
            daemon.say(id="s2", method="conductor.approval", params={"approvalId": "hold"})
            self.assertEqual((await daemon.answer())["error"]["code"], -32803)

    async def test_a_callback_that_fails_or_answers_oddly_decides_nothing_and_that_is_logged(self) -> None:
        daemon = await self.fake(nothing)
        asyncio.get_running_loop().set_exception_handler(lambda *_: self.fail("all is dealt with"))
        odd: list[Any] = [True, 7, "yes", {}, {"decision": ["approve"]}]

        async def approve(params: Any) -> Any:
            if params["approvalId"] == "fails":
                raise RuntimeError("on purpose")
            return odd[params["approvalId"]]

        async with open_think.connect(socket=daemon.socket, approve=approve):
            for id, answer in enumerate(odd):
                with self.assertLogs("open_think", "WARNING") as logged:
                    daemon.say(id=id, method="conductor.approval", params={"approvalId": id})
                    self.assertEqual((await daemon.answer())["error"]["code"], -32803)
                self.assertIn(repr(answer), logged.output[0])
            with self.assertLogs("open_think", "ERROR") as logged:
                daemon.say(id="s1", method="conductor.approval", params={"approvalId": "fails"})
                self.assertEqual((await daemon.answer())["error"]["code"], -32603)
            self.assertEqual(len(logged.output), 1)
            self.assertIn("on purpose", logged.output[0])

    async def test_nonsense_and_a_callback_that_fails_harm_nothing_else(self) -> None:
        daemon = await self.fake(nothing)
        reported: asyncio.Queue[Any] = asyncio.Queue()
        asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.put_nowait(context["exception"]))

        def fail(method: str, params: Any) -> None:
            raise RuntimeError("on purpose")

        async with open_think.connect(socket=daemon.socket, on_notification=fail) as client:
            turn = client.message("hello")
            daemon.say(method="daemon.reloaded", params={})
            self.assertEqual(str(await reported.get()), "on purpose")
            daemon.begin(turn.id)
            daemon.write("[" * 100000)
            daemon.event(1, {"kind": "text-delta", "index": {}})
            daemon.event(2, {"kind": "text-delta", "index": {}})
            daemon.say(method="$/progress", params={"token": None, "value": 3})
            daemon.say(method="conductor.approvalResolved", params={"approvalId": "unknown"})
            daemon.event(3, {"kind": "text-start"})
            self.assertIsInstance(await reported.get(), KeyError)
            seen = [event["kind"] for event in (await anext(turn), await anext(turn))]
        self.assertEqual(seen, ["text-delta", "text-start"])

    async def test_a_turn_gets_its_own_events_from_the_first_on(self) -> None:
        async def handle(daemon: FakeDaemon, message: dict[str, Any]) -> None:
            if message["method"] == "conductor.subscribe":
                daemon.say(id=message["id"], result={"seq": 0})
            elif message["method"] == "conductor.message":
                asked.put_nowait(message["params"]["workDoneToken"])

        asked: asyncio.Queue[int] = asyncio.Queue()
        daemon = await self.fake(handle)
        async with open_think.connect(socket=daemon.socket) as client, client.subscribe() as watched:
            one, two = client.message("hello"), client.message("hello again")
            tokens = await asked.get(), await asked.get()
            self.assertEqual(tokens, (one.id, two.id))
            daemon.begin(two.id, turn="t2")
            daemon.event(1, {"kind": "text-start"}, turn="theirs")
            # A subscription may be quicker than the progress.
            daemon.event(2, {"kind": "turn-start"}, turn="t1")
            daemon.begin(one.id, turn="t1")
            daemon.event(3, {"kind": "loop-done"}, turn="t1")
            daemon.event(4, {"kind": "tool-held"}, turn="t2")
            self.assertEqual([(await anext(one))["kind"] for _ in range(2)], ["turn-start", "loop-done"])
            self.assertEqual((await anext(two))["kind"], "tool-held")
            self.assertEqual((one.turn_id, two.turn_id), ("t1", "t2"))
            daemon.say(id=one.id, result=RESULT)
            self.assertEqual(await one, RESULT)
            self.assertEqual([(await anext(watched))["seq"] for _ in range(4)], [1, 2, 3, 4])

    async def test_a_cancelled_request_is_cancelled_there(self) -> None:
        asked: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

        async def handle(daemon: FakeDaemon, message: dict[str, Any]) -> None:
            asked.put_nowait(message)

        daemon = await self.fake(handle)
        async with open_think.connect(socket=daemon.socket) as client:
            self.assertEqual((await asked.get())["method"], "initialized")
            for wait in (client.skills, lambda: client.message("hello").result()):
                task = asyncio.create_task(wait())
                request = await asked.get()
                task.cancel()
                with self.assertRaises(asyncio.CancelledError):
                    await task
                cancel = await asked.get()
                self.assertEqual((cancel["method"], cancel["params"]), ("$/cancelRequest", {"id": request["id"]}))
                daemon.say(id=request["id"], error={"code": -32800, "message": "cancelled"})

    async def test_an_error_of_any_shape(self) -> None:
        errors: list[Any] = [
            {"code": -32001, "message": "busy", "data": {"code": "E_NEW", "retryable": True, "retryAfterMs": 250}},
            {"code": -32099, "message": "bare"},
            {},
            "odd",
        ]

        async def handle(daemon: FakeDaemon, message: dict[str, Any]) -> None:
            if "id" in message:
                daemon.say(id=message["id"], error=errors[len(seen)])

        daemon = await self.fake(handle)
        seen: list[open_think.OpenThinkError] = []
        async with open_think.connect(socket=daemon.socket) as client:
            for _ in range(len(errors)):
                with self.assertRaises(open_think.OpenThinkError) as raised:
                    await client.request("anything")
                seen.append(raised.exception)
        first, bare, *_ = seen
        self.assertEqual((first.code, first.number), ("E_NEW", -32001))
        self.assertEqual((first.retryable, first.retry_after_ms), (True, 250))
        self.assertEqual((bare.code, bare.number, bare.message, bare.data), ("E_UNKNOWN", -32099, "bare", None))

    async def test_a_request_that_was_refused_unread_fails(self) -> None:
        async def handle(daemon: FakeDaemon, message: dict[str, Any]) -> None:
            if message["method"] == "long":
                daemon.say(id=None, error={"code": -32600, "message": "too long"})
                daemon.say(id=daemon.received[-2]["id"], result="short")

        daemon = await self.fake(handle)
        async with open_think.connect(socket=daemon.socket) as client:
            requests = client.request("short"), client.request("long", {"text": "x" * 1000})
            answers = await asyncio.gather(*requests, return_exceptions=True)
        self.assertEqual(answers[0], "short")
        self.assertIsInstance(answers[1], open_think.OpenThinkError)

    async def test_a_connection_that_is_cut_goes_on_where_it_was(self) -> None:
        async def handle(daemon: FakeDaemon, message: dict[str, Any]) -> None:
            method, params = message["method"], message["params"]
            if method == "conductor.subscribe":
                after = params.get("afterSeq", 7)
                asked.append(params.get("afterSeq"))
                daemon.say(id=message["id"], result={"seq": after})
                for seq in range(after + 1, 13):
                    daemon.event(seq, {"kind": "text-delta", "index": seq, "text": ""}, session="s")
            elif method == "cut":
                daemon.cut()
            elif method == "again":
                daemon.say(id=message["id"], result="here")

        asked: list[int | None] = []
        daemon = await self.fake(handle)
        async with open_think.connect(socket=daemon.socket) as client, client.subscribe("s") as watched:
            seqs = [(await anext(watched))["seq"] for _ in range(5)]
            with self.assertRaises(open_think.OpenThinkError) as raised:
                await client.request("cut")
            self.assertEqual((raised.exception.code, raised.exception.retryable), ("E_CONNECTION_LOST", True))
            self.assertEqual(await client.request("again"), "here")
            daemon.event(13, {"kind": "text-stop"}, session="s")
            seqs.append((await anext(watched))["seq"])
            # One that has begun to count anew says so, and is believed.
            daemon.event(2, {"kind": "resync"}, session="s", turn="")
            daemon.event(3, {"kind": "text-start"}, session="s")
            self.assertEqual((await anext(watched))["event"], {"kind": "resync"})
            self.assertEqual((await anext(watched))["seq"], 3)
        self.assertEqual(seqs, [8, 9, 10, 11, 12, 13])
        self.assertEqual(asked, [None, 12])

    async def test_a_subscription_that_is_given_up_on_its_way_is_ended_there(self) -> None:
        asked: asyncio.Queue[str] = asyncio.Queue()

        async def handle(daemon: FakeDaemon, message: dict[str, Any]) -> None:
            asked.put_nowait(message["method"])

        daemon = await self.fake(handle)
        async with open_think.connect(socket=daemon.socket) as client:
            task = asyncio.create_task(client.subscribe("s").start())
            await asked.get()
            self.assertEqual(await asked.get(), "conductor.subscribe")
            task.cancel()
            self.assertEqual(await asked.get(), "$/cancelRequest")
            self.assertEqual(await asked.get(), "conductor.unsubscribe")

    async def test_a_daemon_that_does_not_come_back_ends_the_client(self) -> None:
        async def handle(daemon: FakeDaemon, message: dict[str, Any]) -> None:
            if message["method"] == "conductor.subscribe":
                daemon.say(id=message["id"], result={"seq": 0})
            elif message["method"] == "cut":
                daemon.socket.unlink()
                daemon.cut()

        daemon = await self.fake(handle)
        self.addCleanup(setattr, link, "DELAYS", link.DELAYS)
        link.DELAYS = (0.0,) * 3
        async with open_think.connect(socket=daemon.socket) as client, client.subscribe("s") as watched:
            with self.assertRaises(open_think.OpenThinkError):
                await client.request("cut")
            for waiting in (client.skills(), anext(watched), client.message("hello").result()):
                with self.assertRaises(open_think.OpenThinkError) as raised:
                    await waiting
                self.assertEqual(raised.exception.code, "E_CONNECT")

    async def test_whoever_reads_slowly_hears_merged_text_and_then_that_something_is_gone(self) -> None:
        queue = EventQueue(capacity=3)
        queue.push(delta(1, "a"))
        queue.push(delta(2, "b"))
        queue.push(delta(3, "c"))
        merged = await queue.next()
        assert merged is not None
        self.assertEqual((merged.get("firstSeq"), merged["seq"], merged["event"].get("text")), (1, 3, "abc"))
        for seq in range(4, 9):
            queue.push({**delta(seq, ""), "event": {"kind": "text-start", "index": seq}})
        queue.end()
        rest = [params async for params in drained(queue)]
        self.assertEqual([params["event"]["kind"] for params in rest], ["resync", "text-start", "text-start"])
        self.assertEqual([params["seq"] for params in rest], [6, 7, 8])


async def drained(queue: EventQueue) -> Any:
    while (params := await queue.next()) is not None:
        yield params
