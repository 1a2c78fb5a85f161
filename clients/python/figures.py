"""Prints what the package weighs, how long it takes to load, and how long it takes to connect.

    python3 figures.py [WHEEL]
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import open_think

RUNS = 5


def weight(wheel: Path | None) -> str:
    source = sum(file.stat().st_size for file in Path(open_think.__file__).parent.glob("*.py"))
    packed = f"{wheel.stat().st_size} bytes packed, " if wheel is not None else ""
    return f"{packed}{source} bytes of source"


def seconds(code: str) -> float:
    times = []
    for _ in range(RUNS):
        begin = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True)
        times.append(time.perf_counter() - begin)
    return min(times)


async def connected() -> tuple[float, float]:
    """Until the handshake is done: with a daemon that has to be started, and with one that runs."""
    command = os.environ.get("OPEN_THINK_BIN", "open-think")
    with tempfile.TemporaryDirectory() as home:
        env = {"HOME": home, "PATH": os.environ["PATH"]}
        times = []
        try:
            for _ in range(RUNS + 1):
                begin = time.perf_counter()
                async with open_think.connect(command=command, env=env):
                    times.append(time.perf_counter() - begin)
        finally:
            subprocess.run([command, "stop", "--now"], env=env, check=False, capture_output=True)
    return times[0], min(times[1:])


def main(arguments: list[str]) -> None:
    loaded = seconds("import open_think") - seconds("import asyncio")
    cold, warm = asyncio.run(connected())
    print(weight(Path(arguments[0]) if arguments else None))
    print(f"loaded in {loaded * 1000:.0f} ms beside asyncio")
    print(f"connected in {warm * 1000:.0f} ms, in {cold * 1000:.0f} ms where the daemon has to be started")


if __name__ == "__main__":
    main(sys.argv[1:])
