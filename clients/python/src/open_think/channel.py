"""Bytes to messages and back: one JSON object a line, over a program's pipes or a socket."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

from .errors import cannot_connect, frame_too_long, not_json

LONGEST_SENT = 16 * 1024 * 1024
LONGEST_READ = 64 * 1024 * 1024
CHUNK = 64 * 1024
NONSENSE_SHOWN = 200
STDERR_LINES = 20
SECONDS_TO_END = 5.0
SECONDS_TO_SAY_WHY = 1.0


class Channel:
    """Both directions of one connection. Whoever reads is alone in it; anybody may write."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._read = bytearray()
        self._searched = 0
        self._draining = asyncio.Lock()
        self._nonsense: bytes | None = None
        """The first line that was no JSON."""

    async def receive(self) -> Any:
        """The next message; `None` when the other side has ended. What is no JSON is passed over."""
        while True:
            line = await self._line()
            if line is None:
                return None
            try:
                return json.loads(line)
            except (ValueError, RecursionError):
                self._nonsense = self._nonsense or line.strip()

    async def _line(self) -> bytes | None:
        while (end := self._read.find(b"\n", self._searched)) < 0:
            self._searched = len(self._read)
            if self._searched > LONGEST_READ:
                raise ConnectionError(f"a line has more than {LONGEST_READ} bytes")
            chunk = await self._reader.read(CHUNK)
            if not chunk:
                return None
            self._read += chunk
        line = bytes(self._read[:end])
        del self._read[: end + 1]
        self._searched = 0
        return line

    def send(self, message: Mapping[str, Any]) -> int:
        """Takes the message to be sent, whole and in its turn, and gives its length."""
        try:
            frame = json.dumps(message, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
        except (TypeError, ValueError, RecursionError) as error:
            raise not_json(error) from error
        if len(frame) > LONGEST_SENT:
            raise frame_too_long(len(frame), LONGEST_SENT)
        if not self._writer.is_closing():
            self._writer.write(frame + b"\n")
        return len(frame)

    async def drain(self) -> None:
        """Waits until what was sent is on its way."""
        async with self._draining:
            try:
                await self._writer.drain()
            except OSError:
                # Whoever reads finds out, and tells all who wait.
                pass

    async def close(self) -> None:
        self._writer.close()
        try:
            await self._writer.wait_closed()
        except OSError:
            pass

    def abort(self) -> None:
        """Lets go at once, whatever the other side is at."""
        self._writer.transport.abort()

    async def why_it_ended(self) -> str:
        return f"the other side closed it{self.said()}"

    def said(self) -> str:
        """What came that was no message, as the end of a sentence."""
        text = (self._nonsense or bytes(self._read))[:NONSENSE_SHOWN].decode(errors="replace")
        return f"; it said {text!r}" if text else ""


class ProgramChannel(Channel):
    """A program that was started for this, and ends with it."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdin and process.stdout and process.stderr, "all three are pipes"
        super().__init__(process.stdout, process.stdin)
        self._process = process
        self._said: deque[str] = deque(maxlen=STDERR_LINES)
        self._listening = asyncio.create_task(self._listen(process.stderr))

    async def _listen(self, stderr: asyncio.StreamReader) -> None:
        while chunk := await stderr.read(CHUNK):
            self._said.extend(line for line in chunk.decode(errors="replace").splitlines() if line)

    async def close(self) -> None:
        await super().close()
        try:
            await asyncio.wait_for(self._process.wait(), SECONDS_TO_END)
        except asyncio.TimeoutError:
            self._kill()
            await self._process.wait()
        except asyncio.CancelledError:
            self._kill()
            raise
        finally:
            self._listening.cancel()

    def abort(self) -> None:
        self._kill()

    def _kill(self) -> None:
        """It leads a group of its own; what it started there ends with it."""
        if self._process.returncode is None:
            try:
                os.killpg(self._process.pid, signal.SIGKILL)
            except (ProcessLookupError, PermissionError):
                pass

    async def why_it_ended(self) -> str:
        try:
            code = await asyncio.wait_for(self._process.wait(), SECONDS_TO_SAY_WHY)
            await asyncio.wait_for(self._listening, SECONDS_TO_SAY_WHY)
        except asyncio.TimeoutError:
            return f"the program closed its output{self.said()}"
        return f"the program ended with {code}{self.said()}"

    def said(self) -> str:
        return super().said() + "".join(f"\n{line}" for line in self._said)


async def start_program(
    command: Sequence[str], cwd: str | os.PathLike[str] | None, env: Mapping[str, str] | None
) -> Channel:
    pipe = asyncio.subprocess.PIPE
    try:
        # In a session of its own Ctrl-C does not reach it, and what runs can be cancelled properly.
        process = await asyncio.create_subprocess_exec(
            *command, stdin=pipe, stdout=pipe, stderr=pipe, cwd=cwd, env=env, start_new_session=True
        )
    except OSError as error:
        of_the_place = cwd is not None and error.filename == os.fspath(cwd)
        hint = None if of_the_place else "Install open-think, or say where it is with `command`."
        raise cannot_connect(f"{command[0]} does not start: {error}", retryable=False, hint=hint) from error
    return ProgramChannel(process)


async def dial_socket(path: str | os.PathLike[str]) -> Channel:
    try:
        reader, writer = await asyncio.open_unix_connection(path)
    except OSError as error:
        hint = "`open-think status` says where the daemon listens."
        raise cannot_connect(f"nobody listens at {os.fspath(path)}: {error}", hint=hint) from error
    return Channel(reader, writer)
