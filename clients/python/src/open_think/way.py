"""How the daemon is reached, and what it is told of the place from where."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Union

from .channel import Channel, dial_socket, start_program

PathLike = Union[str, "os.PathLike[str]"]

OF_THE_PLACE = ("HOME", "LANG", "LANGUAGE", "LOGNAME", "PATH", "SHELL", "TMPDIR", "TZ", "USER", "VIRTUAL_ENV")
"""What a program needs to find its way; none of them holds a key."""


@dataclass(frozen=True)
class Way:
    command: str | Sequence[str]
    profile: str | None
    cwd: PathLike | None
    env: Mapping[str, str] | None
    socket: PathLike | None

    async def channel(self) -> Channel:
        if self.socket is not None:
            return await dial_socket(self.socket)
        program = [self.command] if isinstance(self.command, str) else list(self.command)
        profile = ["--profile", self.profile] if self.profile else []
        return await start_program([*program, *profile, "--stdio"], self.cwd, self.env)

    def place(self) -> dict[str, Any]:
        """A program that was started for this has it already."""
        if self.socket is None:
            return {}
        env = os.environ if self.env is None else self.env
        told = {name: env[name] for name in env if name in OF_THE_PLACE or name.startswith("LC_")}
        return {"cwd": os.path.abspath(self.cwd if self.cwd is not None else os.getcwd()), "env": told}
