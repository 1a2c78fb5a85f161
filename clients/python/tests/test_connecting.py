"""Programs that are not there, hang, or are no daemon."""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
import unittest
from pathlib import Path

import open_think

PATIENCE = 0.3


class Connecting(unittest.IsolatedAsyncioTestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def program(self, script: str) -> str:
        """Says in the file `pid` which process it is."""
        file = self.folder / "program"
        file.write_text(f"#!/bin/sh\necho $$ > {self.folder}/pid\n{script}\n", encoding="utf-8")
        file.chmod(0o755)
        return str(file)

    async def ended(self) -> None:
        """Waits until nothing is left of its group."""
        group, deadline = int((self.folder / "pid").read_text()), time.monotonic() + 10
        while time.monotonic() < deadline:
            try:
                os.killpg(group, 0)
            except ProcessLookupError:
                return
            await asyncio.sleep(0.01)
        self.fail("it still runs")

    async def fault(self, client: open_think.Client) -> open_think.OpenThinkError:
        with self.assertRaises(open_think.OpenThinkError) as raised:
            async with client:
                self.fail("there is nothing to connect to")
        self.assertEqual(raised.exception.code, "E_CONNECT")
        return raised.exception

    async def test_one_that_hangs_is_given_up_and_ended_with_what_it_started(self) -> None:
        for script in ("exec sleep 600", "sleep 600", "trap '' TERM; while read -r line; do :; done; sleep 600"):
            begin = time.monotonic()
            fault = await self.fault(open_think.connect(command=self.program(script), timeout=PATIENCE))
            self.assertIn("0.3 s", fault.message)
            self.assertTrue(fault.retryable)
            self.assertLess(time.monotonic() - begin, 4)
            await self.ended()

    async def test_one_that_is_no_daemon_is_quoted(self) -> None:
        talks = "echo hello there; echo and more; while read -r line; do echo nonsense; done"
        for script in (talks, "printf 'hello there'; sleep 600", "exec yes 'hello there'"):
            fault = await self.fault(open_think.connect(command=self.program(script), timeout=PATIENCE))
            self.assertIn("it said 'hello there'", fault.message)
            await self.ended()

    async def test_one_that_ends_at_once_is_quoted_too(self) -> None:
        fault = await self.fault(open_think.connect(command=self.program("echo usage; echo 'sorry, no' >&2; exit 3")))
        self.assertIn("ended with 3; it said 'usage'\nsorry, no", fault.message)

    async def test_who_gives_up_connecting_leaves_nothing_behind(self) -> None:
        client = open_think.connect(command=self.program("exec sleep 600"))
        entering = asyncio.create_task(client.__aenter__())
        while not (self.folder / "pid").exists() or not (self.folder / "pid").read_text():
            await asyncio.sleep(0)
        entering.cancel()
        with self.assertRaises(asyncio.CancelledError):
            await entering
        await self.ended()

    async def test_trying_again_helps_where_something_may_come(self) -> None:
        missing = await self.fault(open_think.connect(command="/does/not/exist"))
        self.assertFalse(missing.retryable)
        self.assertIn("`command`", str(missing.hint))
        nowhere = await self.fault(open_think.connect(command=self.program("exit"), cwd="/does/not/exist"))
        self.assertIsNone(nowhere.hint)
        nobody = await self.fault(open_think.connect(socket=self.folder / "nobody.sock"))
        self.assertTrue(nobody.retryable)
        opened: list[asyncio.StreamWriter] = []
        server = await asyncio.start_unix_server(lambda _, writer: opened.append(writer), self.folder / "mute.sock")
        mute = await self.fault(open_think.connect(socket=self.folder / "mute.sock", timeout=PATIENCE))
        self.assertTrue(mute.retryable)
        server.close()
        for writer in opened:
            writer.close()
