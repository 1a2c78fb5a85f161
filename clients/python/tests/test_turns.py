"""Turns against the real daemon."""

from __future__ import annotations

import asyncio
import signal
import sys
from typing import Any

from .home import NAP, PROGRAM, READ, WRITE, HomeTest

import open_think
from open_think.types import ApprovalParams, Event


SCRIPT = """
import asyncio, sys, open_think

async def main():
    async with open_think.connect(command=sys.argv[1]) as client:
        await client.message(sys.argv[2], mode="auto")

asyncio.run(main())
"""


def kinds(events: list[Event]) -> list[str]:
    return [event["kind"] for event in events]


def text(events: list[Event]) -> str:
    return "".join(event["text"] for event in events if event["kind"] == "text-delta")


class Turns(HomeTest):
    async def test_events_come_and_then_the_result(self) -> None:
        async with self.home.connect() as client:
            turn = client.message(READ, mode="selective")
            events = [event async for event in turn]
            result = await turn
        self.assertEqual(kinds(events)[0], "turn-start")
        self.assertEqual(kinds(events)[-1], "loop-done")
        self.assertIn("tool-result", kinds(events))
        self.assertEqual(turn.turn_id, result["turnId"])
        assert result["assistantMessage"] is not None
        self.assertEqual(text(events), result["assistantMessage"]["content"])
        self.assertEqual(result["trace"][0]["result"], {"name": "quince"})
        self.assertEqual(result["stopReason"], "end-turn")

    async def test_the_result_alone(self) -> None:
        async with self.home.connect() as client:
            result = await client.message(WRITE, stream=False)
        self.assertEqual(result["mode"], "propose")
        self.assertEqual(result["suggestedActions"][0]["input"], {"text": "medlar"})
        self.assertEqual(self.home.notes(), [])

    async def test_turns_that_wait_for_one_another_are_told_apart(self) -> None:
        async with self.home.connect() as client:
            calls = [f'call read-note {{"name":"{name}"}}' for name in ("quince", "medlar", "sloe")]
            turns = [client.message(call, mode="auto") for call in calls]

            async def follow(turn: open_think.Turn) -> str:
                return text([event async for event in turn])

            texts = await asyncio.gather(*map(follow, turns))
            results = await asyncio.gather(*turns)
        for told, result in zip(texts, results):
            assert result["assistantMessage"] is not None
            self.assertEqual(told, result["assistantMessage"]["content"])
        self.assertEqual(len({result["turnId"] for result in results}), 3)

    async def test_a_dangerous_skill_runs_when_the_callback_allows_it(self) -> None:
        asked: list[ApprovalParams] = []

        async def approve(params: ApprovalParams) -> str:
            asked.append(params)
            return "approve"

        async with self.home.connect(approve=approve) as client:
            turn = client.message(WRITE, mode="selective")
            events = [event async for event in turn]
            result = await turn
        self.assertEqual(asked[0]["actions"][0]["skill"], "write-note")
        self.assertIn("tool-held", kinds(events))
        self.assertEqual(result["stopReason"], "end-turn")
        self.assertEqual(self.home.notes(), [{"text": "medlar"}])

    async def test_the_callback_may_change_the_input(self) -> None:
        async def approve(params: ApprovalParams) -> open_think.types.ApprovalAnswer:
            return {"decision": "approve", "input": {"text": "sloe"}}

        async with self.home.connect(approve=approve) as client:
            await client.message(WRITE, mode="selective")
        self.assertEqual(self.home.notes(), [{"text": "sloe"}])

    async def test_what_the_callback_denies_does_not_run(self) -> None:
        async def approve(params: ApprovalParams) -> str:
            return "deny"

        async with self.home.connect(approve=approve) as client:
            result = await client.message(WRITE, mode="selective")
        self.assertFalse(result["trace"][0]["ok"])
        self.assertEqual(self.home.notes(), [])

    async def test_held_actions_are_decided_later(self) -> None:
        async with self.home.connect() as client:
            held = await client.message(WRITE, mode="selective")
            self.assertEqual(held["stopReason"], "dangerous-skill")
            turn = client.approve([action["id"] for action in held["suggestedActions"]])
            events = [event async for event in turn]
            result = await turn
        self.assertEqual(result["turnId"], held["turnId"])
        self.assertIn("tool-result", kinds(events))
        self.assertEqual(self.home.notes(), [{"text": "medlar"}])

    async def test_a_question_that_is_settled_elsewhere_is_taken_back(self) -> None:
        asked: asyncio.Future[ApprovalParams] = asyncio.get_running_loop().create_future()
        taken_back = asyncio.Event()

        async def approve(params: ApprovalParams) -> str:
            asked.set_result(params)
            try:
                await asyncio.Event().wait()
            finally:
                taken_back.set()
            return "deny"

        async with self.home.connect(approve=approve) as client, self.home.connect() as other:
            turn = client.message(WRITE, mode="selective")
            actions = (await asked)["actions"]
            theirs = await other.approve([action["id"] for action in actions])
            ours = await turn
            await taken_back.wait()
        self.assertEqual(ours["turnId"], theirs["turnId"])

    async def test_an_interrupted_turn_has_a_result(self) -> None:
        async with self.home.connect() as client:
            turn = client.message(NAP, mode="auto")
            await self.home.nap_begins()
            self.assertTrue(await turn.interrupt())
            self.assertEqual((await turn)["stopReason"], "cancelled")
            self.assertFalse(await client.interrupt())

    async def test_a_turn_that_waits_for_another_is_interrupted_alone(self) -> None:
        async with self.home.connect() as client:
            runs = client.message(NAP, mode="auto")
            await self.home.nap_begins()
            for stream in (True, False):
                waits = client.message(WRITE, mode="auto", stream=stream)
                self.assertTrue(await waits.interrupt())
                with self.assertRaises(open_think.OpenThinkError) as raised:
                    await waits
                self.assertEqual(raised.exception.code, "E_CANCELLED")
                self.assertFalse(await waits.interrupt())
            running = [turn["turnId"] for turn in (await client.status())["runningTurns"]]
            self.assertEqual(running, [runs.turn_id])
            self.assertTrue(await runs.interrupt())
            self.assertEqual((await runs)["stopReason"], "cancelled")
            self.assertFalse(await runs.interrupt())
            result = await client.message(READ, mode="auto")
            self.assertEqual(result["stopReason"], "end-turn")
        self.assertEqual(self.home.notes(), [])

    async def test_a_cancelled_task_cancels_its_turn(self) -> None:
        async with self.home.connect() as client:

            async def wait() -> Any:
                async for _ in client.message(NAP, mode="auto"):
                    pass

            task = asyncio.create_task(wait())
            await self.home.nap_begins()
            task.cancel()
            with self.assertRaises(asyncio.CancelledError):
                await task
            # The session is free again only when the turn is over.
            result = await client.message(READ, mode="auto")
            self.assertEqual(result["stopReason"], "end-turn")
            self.assertEqual((await client.status())["runningTurns"], [])

    async def test_a_turn_that_was_given_up_says_so_to_all_who_wait(self) -> None:
        async with self.home.connect() as client:
            turn = client.message(NAP, mode="auto")
            await self.home.nap_begins()
            turn.cancel()
            with self.assertRaises(open_think.OpenThinkError) as raised:
                await turn
        self.assertEqual((raised.exception.code, raised.exception.number), ("E_CANCELLED", -32800))

    async def test_leaving_the_context_cancels_what_runs(self) -> None:
        async with self.home.connect() as client:
            turn = client.message(NAP, mode="auto")
            await self.home.nap_begins()
        with self.assertRaises(open_think.OpenThinkError):
            await turn
        async with self.home.connect() as client:
            result = await client.message(READ, mode="auto")
        self.assertEqual(result["stopReason"], "end-turn")

    async def test_control_c_cancels_what_runs(self) -> None:
        env = {**self.home.env, "PYTHONPATH": ":".join(sys.path)}
        pipe = asyncio.subprocess.PIPE
        script = await asyncio.create_subprocess_exec(
            sys.executable, "-c", SCRIPT, PROGRAM, NAP, env=env, stderr=pipe, start_new_session=True
        )
        await self.home.nap_begins()
        script.send_signal(signal.SIGINT)
        _, said = await script.communicate()
        self.assertTrue(said.endswith(b"KeyboardInterrupt\n"), said.decode())
        async with self.home.connect() as client:
            result = await client.message(READ, mode="auto")
        self.assertEqual(result["stopReason"], "end-turn")
