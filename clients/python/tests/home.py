"""A home of its own for every test, with skills that leave traces, and the daemon that lives there."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path
from typing import Any

import open_think

PROGRAM = os.environ.get("OPEN_THINK_BIN") or shutil.which("open-think") or "open-think"

CONFIGURATION = """
[helm]
approval_timeout_ms = 60000

[http]
discover = false

[[skill]]
id = "read-note"
description = "Gives its input back."
input_schema = {{ properties = {{ name = {{ type = "string" }} }}, required = ["name"] }}
dangerous = false
command = ["/bin/cat"]

[[skill]]
id = "write-note"
description = "Keeps its input in a file."
input_schema = {{ properties = {{ text = {{ type = "string" }} }}, required = ["text"] }}
command = ["/usr/bin/tee", "-a", "{home}/written.jsonl"]

[[skill]]
id = "take-a-nap"
description = "Says so and takes ten minutes."
dangerous = false
command = ["/bin/sh", "-c", "echo $$ > {home}/nap; exec sleep 600"]
timeout_ms = 600000

[[skill]]
id = "give-up"
description = "Fails, and says why."
dangerous = false
command = ["/bin/sh", "-c", "echo 'no luck today' >&2; exit 3"]
"""

READ = 'call read-note {"name":"quince"}'
WRITE = 'call write-note {"text":"medlar"}'
NAP = "call take-a-nap {}"


class Home:
    def __init__(self) -> None:
        self.path = Path(tempfile.mkdtemp(prefix="open-think-"))
        self.env = {"HOME": str(self.path), "PATH": os.environ["PATH"]}
        configuration = self.path / ".config" / "open-think" / "config.toml"
        configuration.parent.mkdir(parents=True)
        configuration.write_text(CONFIGURATION.format(home=self.path))
        os.mkfifo(self.path / "nap")

    def connect(self, **more: Any) -> open_think.Client:
        return open_think.connect(command=PROGRAM, env=self.env, **more)

    def notes(self) -> list[Any]:
        written = self.path / "written.jsonl"
        return [json.loads(written.read_text())] if written.exists() else []

    async def nap_begins(self) -> int:
        """Waits for the process that sleeps: it cannot go on before somebody reads what it is called."""
        text = await asyncio.to_thread((self.path / "nap").read_text)
        return int(text)

    def stop(self, *options: str) -> None:
        subprocess.run([PROGRAM, "stop", "--now", *options], env=self.env, check=False, capture_output=True)

    def end(self) -> None:
        self.stop()
        shutil.rmtree(self.path, ignore_errors=True)


class HomeTest(unittest.IsolatedAsyncioTestCase):
    def setUp(self) -> None:
        self.home = Home()
        self.addCleanup(self.home.end)
