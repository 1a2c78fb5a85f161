"""Skills that clients offer, against the real daemon."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from typing import Any

from .home import PROGRAM, HomeTest
from .test_sessions import shim

import open_think

COUNT = 'call count-words {"text":"one two three"}'
WAIT = "call wait {}"


def count(input: Any) -> dict[str, int]:
    """Counts the words of a text."""
    return {"words": len(input["text"].split())}


class Waiting:
    """A handler that ends when it is cancelled, and tells of it."""

    def __init__(self) -> None:
        self.begun, self.given_up = asyncio.Event(), asyncio.Event()

    async def handle(self, input: Any) -> None:
        """Waits for ever."""
        self.begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.given_up.set()


class ClientSkills(HomeTest):
    async def ids(self, client: open_think.Client) -> list[str]:
        return [skill["id"] for skill in await client.skills()]

    async def until_gone(self, client: open_think.Client, id: str) -> None:
        while id in await self.ids(client):
            pass

    async def test_helm_and_others_call_what_a_client_offers(self) -> None:
        async with self.home.connect() as other:
            client = self.home.connect(name="counter")
            client.skill("count-words", dangerous=False)(count)
            async with client:
                rows = {skill["id"]: skill for skill in await other.skills()}
                self.assertEqual(rows["count-words"]["plugin"], "client:counter")
                self.assertEqual(rows["count-words"]["description"], "Counts the words of a text.")
                self.assertFalse(rows["count-words"]["dangerous"])
                self.assertEqual(await other.invoke("count-words", {"text": "one"}), {"words": 1})
                for one in (client, other):
                    turn = one.message(COUNT, mode="auto")
                    told = [event["skill"] async for event in turn if event["kind"] == "tool-result"]
                    self.assertEqual(told, ["count-words"])
                    self.assertEqual((await turn)["trace"][0]["result"], {"words": 3})
            await self.until_gone(other, "count-words")

    async def test_what_the_schema_refuses_does_not_reach_the_handler(self) -> None:
        schema = {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}
        async with self.home.connect() as client:
            await client.register_skill("count-words", count, input_schema=schema, dangerous=False)
            with self.assertRaises(open_think.OpenThinkError) as raised:
                await client.invoke("count-words", {"text": 3})
            self.assertEqual(raised.exception.code, "E_BAD_REQUEST")

    async def test_a_dangerous_one_is_held(self) -> None:
        async with self.home.connect() as client:
            await client.register_skill("count-words", count)
            held = await client.message(COUNT, mode="selective")
            self.assertEqual(held["stopReason"], "dangerous-skill")
            result = await client.approve([action["id"] for action in held["suggestedActions"]])
            self.assertEqual(result["trace"][-1]["result"], {"words": 3})
            with self.assertRaises(open_think.OpenThinkError) as raised:
                await client.invoke("count-words", {"text": "one"})
            self.assertEqual(raised.exception.code, "E_APPROVAL_REQUIRED")

    async def test_a_handler_that_raises_fails_the_call(self) -> None:
        async with self.home.connect() as client:
            await client.register_skill("count-words", count, dangerous=False)
            result = await client.message("call count-words {}", mode="auto")
            row = result["trace"][0]
            self.assertFalse(row["ok"])
            self.assertIn("KeyError: 'text'", str(row.get("error")))
            self.assertNotIn("Traceback", str(row.get("error")))
            with self.assertRaises(open_think.OpenThinkError) as raised:
                await client.invoke("count-words", {})
            self.assertEqual(raised.exception.code, "E_SKILL_FAILED")

    async def test_of_two_clients_that_offer_the_same_each_gets_its_own(self) -> None:
        async with self.home.connect() as one, self.home.connect() as other:
            await one.register_skill("who", lambda input: "one", description="Says who.", dangerous=False)
            await other.register_skill("who", lambda input: "other", description="Says who.", dangerous=False)
            for client, own in ((other, "other"), (one, "one")):
                turn = await client.message("call who {}", session_name=own, mode="auto")
                self.assertEqual(turn["trace"][0]["result"], own)
                self.assertEqual(await client.invoke("who", {}), own)
            await one.register_skill("who", lambda input: "anew", description="Says who.", dangerous=False)
            self.assertEqual(await one.invoke("who", {}), "anew")
            await one.unregister_skill("who")
            self.assertEqual(await one.invoke("who", {}), "other")

    async def test_an_id_of_the_daemons_own_is_refused(self) -> None:
        async with self.home.connect() as client:
            with self.assertRaises(open_think.OpenThinkError) as raised:
                await client.register_skill("read-note", count)
            self.assertEqual(raised.exception.code, "E_BAD_REQUEST")
        client = self.home.connect()
        client.skill("read-note")(count)
        with self.assertRaises(open_think.OpenThinkError) as raised:
            await client.__aenter__()
        self.assertEqual(raised.exception.code, "E_BAD_REQUEST")

    async def test_an_interrupted_turn_cancels_the_handler(self) -> None:
        waiting = Waiting()
        async with self.home.connect() as client:
            await client.register_skill("wait", waiting.handle, dangerous=False)
            turn = client.message(WAIT, mode="auto")
            await waiting.begun.wait()
            self.assertTrue(await turn.interrupt())
            await waiting.given_up.wait()
            self.assertEqual((await turn)["stopReason"], "cancelled")

    async def test_one_that_takes_too_long_fails(self) -> None:
        waiting = Waiting()
        async with self.home.connect() as client:
            await client.register_skill("wait", waiting.handle, dangerous=False, timeout_ms=100)
            result = await client.message(WAIT, mode="auto")
            self.assertTrue(waiting.begun.is_set())
            self.assertFalse(result["trace"][0]["ok"])
            self.assertEqual(result["stopReason"], "end-turn")
            await waiting.given_up.wait()

    async def test_a_call_fails_with_its_client(self) -> None:
        waiting = Waiting()
        async with self.home.connect() as other:
            async with self.home.connect() as client:
                await client.register_skill("wait", waiting.handle, dangerous=False)
                turn = other.message(WAIT, mode="auto")
                await waiting.begun.wait()
            result = await turn
            await waiting.given_up.wait()
        self.assertFalse(result["trace"][0]["ok"])
        self.assertEqual(result["stopReason"], "end-turn")

    async def test_they_are_offered_again_after_a_loss(self) -> None:
        async with self.home.connect(name="one") as one, self.home.connect(name="other") as other:
            await one.register_skill("count-words", count, dangerous=False)
            os.kill(await shim(other, "one"), signal.SIGKILL)
            await self.counts(one)
            before = (await other.status())["pid"]
            await other.request("daemon.stop", {"when": "now"})
            await self.counts(one)
            self.assertNotEqual((await one.status())["pid"], before)

    async def counts(self, client: open_think.Client) -> None:
        """As soon as there is a connection again."""
        while True:
            try:
                result = await client.message(COUNT, mode="auto")
                break
            except open_think.OpenThinkError as error:
                self.assertTrue(error.retryable, error)
        self.assertEqual([row.get("result") for row in result["trace"]], [{"words": 3}])

    async def test_a_script_offers_them_too(self) -> None:
        threads: list[str] = []

        def script() -> Any:
            client = open_think.connect_sync(command=PROGRAM, env=self.home.env)

            @client.skill("count-words", dangerous=False)
            def counting(input: Any) -> Any:
                """Counts the words of a text, and asks another skill meanwhile."""
                threads.append(threading.current_thread().name)
                return client.invoke("read-note", {"name": input["text"]})

            with client:
                client.register_skill("last", count, dangerous=False)
                client.unregister_skill("last")
                return client.message(COUNT, mode="auto").result()

        result = await asyncio.to_thread(script)
        self.assertEqual(result["trace"][0]["result"], {"name": "one two three"})
        self.assertNotEqual(threads, ["open-think"])
