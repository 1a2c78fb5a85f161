"""A daemon that says what a test wants, on a socket."""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

Say = Callable[..., None]
Handler = Callable[["FakeDaemon", dict[str, Any]], "Awaitable[None]"]


class FakeDaemon:
    """Answers the handshake; everything else is `handle`'s."""

    def __init__(self, handle: Handler) -> None:
        self._handle = handle
        self._directory = tempfile.TemporaryDirectory()
        self.socket = Path(self._directory.name) / "fake.sock"
        self.received: list[dict[str, Any]] = []
        self._writer: asyncio.StreamWriter | None = None
        self._answers: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    async def __aenter__(self) -> FakeDaemon:
        self._server = await asyncio.start_unix_server(self._serve, self.socket, limit=2**25)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        self.cut()
        self._directory.cleanup()

    def say(self, **message: Any) -> None:
        self.write(json.dumps({"jsonrpc": "2.0", **message}))

    def write(self, text: str) -> None:
        assert self._writer is not None
        self._writer.write(text.encode() + b"\n")

    def begin(self, token: Any, turn: str = "t1") -> None:
        value = {"kind": "begin", "title": "Helm", "cancellable": True, "turnId": turn}
        self.say(method="$/progress", params={"token": token, "value": value})

    def event(self, seq: int, event: dict[str, Any], turn: str = "t1", session: str = "conductor:default") -> None:
        params = {"sessionName": session, "turnId": turn, "seq": seq, "event": event}
        self.say(method="conductor.event", params=params)

    def cut(self) -> None:
        if self._writer is not None:
            self._writer.transport.abort()

    async def answer(self) -> dict[str, Any]:
        """What the client next answers to a request of ours."""
        return await self._answers.get()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        try:
            while line := await reader.readline():
                message = json.loads(line)
                self.received.append(message)
                await self._take(message)
        except ConnectionError:
            pass
        finally:
            writer.close()

    async def _take(self, message: dict[str, Any]) -> None:
        if "method" not in message:
            self._answers.put_nowait(message)
        elif message["method"] == "initialize":
            capabilities = {"protocolVersion": "1.9", "methods": [], "modes": [], "novelty": True}
            self.say(id=message["id"], result={"capabilities": capabilities, "serverInfo": {"name": "fake"}})
        elif message["method"] == "shutdown":
            self.say(id=message["id"], result=None)
        elif message["method"] == "conductor.unsubscribe":
            self.say(id=message["id"], result={})
            await self._handle(self, message)
        else:
            await self._handle(self, message)
