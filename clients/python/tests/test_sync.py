"""The façade for scripts, against the real daemon."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
import unittest
from typing import Any

from .home import NAP, PROGRAM, READ, WRITE, Home

import open_think
from open_think.types import ApprovalParams

SCRIPT = """
import sys, open_think

with open_think.connect_sync(command=sys.argv[1]) as client:
    try:
        client.message(sys.argv[2], mode="auto").result()
    except KeyboardInterrupt:
        print("interrupted", flush=True)
    turn = client.message(sys.argv[3], mode="auto")
    print(turn.result()["stopReason"], client.status()["runningTurns"])
"""

BLOCKED = """
import sys, threading, open_think

with open_think.connect_sync(command=sys.argv[1]) as client:
    begun = threading.Event()

    def block(input):
        begun.set()
        threading.Event().wait()

    client.register_skill("block", block, description="Never ends.", dangerous=False)
    turn = client.message("call block {}", mode="auto")
    begun.wait()
    turn.interrupt()
    print(turn.result()["stopReason"])
"""


class Sync(unittest.TestCase):
    def setUp(self) -> None:
        self.home = Home()
        self.addCleanup(self.home.end)

    def connect(self, **more: Any) -> open_think.SyncClient:
        return open_think.connect_sync(command=PROGRAM, env=self.home.env, **more)

    def test_events_and_the_result(self) -> None:
        with self.connect() as client:
            turn = client.message(READ, mode="auto")
            kinds = [event["kind"] for event in turn]
            self.assertEqual(kinds[-1], "loop-done")
            self.assertEqual(turn.result()["stopReason"], "end-turn")
            self.assertEqual(turn.result()["turnId"], turn.turn_id)
            self.assertEqual(client.invoke("read-note", {"name": "sloe"}), {"name": "sloe"})
            self.assertIn("offline", [provider["id"] for provider in client.providers()["providers"]])
            self.assertEqual(client.sessions_list()[0]["sessionName"], "conductor:default")
            self.assertEqual(client.sessions_messages("conductor:default", limit=1)[0]["role"], "assistant")
            self.assertTrue(client.skills())
            with self.assertRaises(open_think.OpenThinkError):
                client.message("hello", provider="anthropic").result()
        for late in (client.skills, turn.result, lambda: next(turn)):
            with self.assertRaises(open_think.OpenThinkError) as raised:
                late()
            self.assertEqual(raised.exception.code, "E_CLOSED")

    def test_a_plain_function_approves_and_may_block(self) -> None:
        with self.connect(approve=lambda params: "approve") as client:
            client.message(WRITE, mode="selective").result()
        self.assertEqual(self.home.notes(), [{"text": "medlar"}])

    def test_an_asynchronous_one_may_too(self) -> None:
        async def approve(params: ApprovalParams) -> str:
            return "deny"

        with self.connect(approve=approve) as client:
            client.message(WRITE, mode="selective").result()
        self.assertEqual(self.home.notes(), [])

    def test_an_asynchronous_callback_cannot_wait_for_the_client_whose_thread_it_is_on(self) -> None:
        async def ask(input: Any) -> Any:
            return client.invoke("read-note", {"name": "quince"})

        with self.connect() as client:
            client.register_skill("ask", ask, description="Asks another.", dangerous=False)
            with self.assertRaises(open_think.OpenThinkError) as raised:
                client.invoke("ask")
            self.assertIn("async callback", raised.exception.message)

    def test_held_actions_and_watching(self) -> None:
        with self.connect() as client, client.subscribe("fruit") as watched:
            held = client.message(WRITE, session_name="fruit", mode="selective").result()
            ids = [action["id"] for action in held["suggestedActions"]]
            client.approve(ids, "deny", session_name="fruit").result()
            kinds = [params["event"]["kind"] for params, _ in zip(watched, range(6))]
        self.assertEqual(kinds[0], "turn-start")
        self.assertIn("tool-held", kinds)

    def test_interrupt_from_another_thread(self) -> None:
        with self.connect() as client:
            turn = client.message(NAP, mode="auto")

            def interrupt() -> None:
                asyncio.run(self.home.nap_begins())
                turn.interrupt()

            thread = threading.Thread(target=interrupt)
            thread.start()
            self.assertEqual(turn.result()["stopReason"], "cancelled")
            thread.join()

    def test_control_c_cancels_what_runs_and_the_client_goes_on(self) -> None:
        # As in a terminal, the signal goes to all processes of the group.
        script = subprocess.Popen(
            [sys.executable, "-c", SCRIPT, PROGRAM, NAP, READ],
            env={**self.home.env, "PYTHONPATH": os.pathsep.join(sys.path)},
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        asyncio.run(self.home.nap_begins())
        os.killpg(script.pid, signal.SIGINT)
        said, _ = script.communicate()
        self.assertEqual((said, script.returncode), ("interrupted\nend-turn []\n", 0))

    def test_a_plain_function_that_blocks_keeps_nobody_from_ending(self) -> None:
        done = subprocess.run(
            [sys.executable, "-c", BLOCKED, PROGRAM],
            env={**self.home.env, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            text=True,
            timeout=30,
        )
        self.assertEqual((done.stdout, done.stderr, done.returncode), ("cancelled\n", "", 0))

    def test_a_daemon_that_cannot_be_reached_leaves_nothing_behind(self) -> None:
        threads = threading.active_count()
        with self.assertRaises(open_think.OpenThinkError):
            with open_think.connect_sync(command="/does/not/exist"):
                self.fail("there is nothing to connect to")
        self.assertEqual(threading.active_count(), threads)
