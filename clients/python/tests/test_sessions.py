"""Several clients on one session, and connections that are lost, against the real daemon."""

from __future__ import annotations

import asyncio
import os
import signal

from .home import NAP, READ, WRITE, HomeTest

import open_think
from open_think.types import EventParams


async def until_done(subscription: open_think.Subscription) -> list[EventParams]:
    events: list[EventParams] = []
    async for params in subscription:
        events.append(params)
        if params["event"]["kind"] == "loop-done":
            break
    return events


async def shim(client: open_think.Client, name: str) -> int:
    """The process that passes on what this client says."""
    rows = (await client.status())["connections"]
    pid = next(row.get("pid") for row in rows if row.get("name") == name)
    assert pid is not None
    return pid


class Sessions(HomeTest):
    def check_numbers(self, events: list[EventParams]) -> None:
        firsts = [event.get("firstSeq") or event["seq"] for event in events]
        self.assertEqual(firsts[1:], [event["seq"] + 1 for event in events[:-1]])

    async def test_one_watches_what_another_does(self) -> None:
        async with self.home.connect() as one, self.home.connect() as other:
            async with other.subscribe("fruit") as watched:
                turn = one.message(READ, session_name="fruit", mode="auto")
                seen = await until_done(watched)
                told = [event async for event in turn]
        self.check_numbers(seen)
        self.assertEqual([params["event"]["kind"] for params in seen], [event["kind"] for event in told])
        self.assertEqual({params["turnId"] for params in seen}, {turn.turn_id})

    async def test_a_client_that_watches_gets_its_own_turn_and_not_that_of_others(self) -> None:
        async with self.home.connect() as one, self.home.connect() as other:
            async with one.subscribe("fruit") as watched:
                theirs = other.message(NAP, session_name="fruit", mode="auto")
                await self.home.nap_begins()
                mine = one.message(READ, session_name="fruit", mode="auto")
                await theirs.interrupt()
                told = [event async for event in mine]
                await until_done(watched)
                seen = await until_done(watched)
                self.assertEqual((await theirs)["stopReason"], "cancelled")
        self.assertEqual(told, [params["event"] for params in seen])

    async def test_what_was_before_is_replayed_to_whoever_asks(self) -> None:
        async with self.home.connect() as client:
            await client.message(READ, session_name="fruit", mode="auto")
            async with client.subscribe("fruit", after_seq=0) as all, client.subscribe("fruit") as new:
                before = await until_done(all)
                async with client.subscribe("fruit", after_seq=3) as late:
                    await client.message(READ, session_name="fruit", mode="auto")
                    self.assertEqual(await until_done(new), await until_done(all))
                    self.assertEqual((await until_done(late))[-1]["seq"], before[-1]["seq"])
                    self.assertEqual(late.last_seq, before[-1]["seq"])
                    self.check_numbers(await until_done(late))
        self.assertEqual(before[0]["seq"], 1)
        self.check_numbers(before)

    async def test_whoever_watches_is_asked_too(self) -> None:
        async def approve(params: open_think.types.ApprovalParams) -> str:
            return "approve"

        async with self.home.connect() as one, self.home.connect(approve=approve) as other:
            async with other.subscribe("fruit"):
                result = await one.message(WRITE, session_name="fruit", mode="selective")
        self.assertEqual(result["stopReason"], "end-turn")
        self.assertEqual(self.home.notes(), [{"text": "medlar"}])

    async def test_a_lost_connection_is_made_anew_and_nothing_is_missed(self) -> None:
        async with self.home.connect(name="one") as one, self.home.connect(name="other") as other:
            async with one.subscribe("fruit") as watched:
                await one.message(READ, session_name="fruit", mode="auto")
                lost = one.message(NAP, session_name="elsewhere", mode="auto")
                await self.home.nap_begins()
                before = await shim(other, "one")
                os.kill(before, signal.SIGKILL)
                with self.assertRaises(open_think.OpenThinkError) as raised:
                    await lost
                self.assertEqual((raised.exception.code, raised.exception.retryable), ("E_CONNECTION_LOST", True))
                await other.message(READ, session_name="fruit", mode="auto")
                await one.message(READ, session_name="fruit", mode="auto")
                events = [params for _ in range(3) for params in await until_done(watched)]
                self.assertNotEqual(await shim(other, "one"), before)
        self.check_numbers(events)
        self.assertEqual(events[0]["seq"], 1)

    async def test_a_daemon_that_ends_is_followed_by_another(self) -> None:
        async with self.home.connect() as client, client.subscribe("fruit") as watched:
            await client.message(READ, session_name="fruit", mode="auto")
            first = await until_done(watched)
            before = (await client.status())["pid"]
            await client.request("daemon.stop", {"when": "now"})
            while True:
                try:
                    result = await client.message(READ, session_name="fruit", mode="auto")
                    break
                except open_think.OpenThinkError as error:
                    self.assertTrue(error.retryable, error)
            self.assertNotEqual((await client.status())["pid"], before)
            second = await until_done(watched)
        self.assertEqual(result["stopReason"], "end-turn")
        self.assertEqual({params["turnId"] for params in second}, {result["turnId"]})
        self.check_numbers(first + second)

    async def test_over_the_daemons_own_socket(self) -> None:
        async with self.home.connect() as client:
            socket = (await client.status()).get("socket")
            assert socket is not None
            async with self.home.connect(socket=socket, cwd=self.home.path, name="direct") as direct:
                told = [event async for event in direct.message(READ, mode="auto")]
                rows = (await client.status())["connections"]
                row = next(row for row in rows if row.get("name") == "direct")
                self.assertEqual((row["via"], row.get("cwd")), ("unix", str(self.home.path)))
        self.assertEqual(told[-1]["kind"], "loop-done")

    async def test_many_at_once(self) -> None:
        async with self.home.connect() as client:

            async def ask(number: int) -> str:
                turn = client.message(READ, session_name=f"session-{number}", mode="auto")
                events = [event async for event in turn]
                self.assertEqual(events[-1]["kind"], "loop-done")
                return (await turn)["turnId"]

            self.assertEqual(len(set(await asyncio.gather(*map(ask, range(40))))), 40)
