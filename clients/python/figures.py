"""Prints what the package weighs, how long it takes to load, and how long until the daemon's first answer.

Run it in this folder: PYTHONPATH=src python3 figures.py
"""

from __future__ import annotations

import asyncio
import importlib.util
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import open_think

HERE = Path(__file__).resolve().parent
RUNS = 5


def kibibytes(size: float) -> str:
    return f"{size / 1024:.1f} KiB"


def weight() -> str:
    """Of the wheel where it can be built without a network, else of the source."""
    source = sum(file.stat().st_size for file in (HERE / "src").rglob("*.py"))
    if importlib.util.find_spec("hatchling") is None or importlib.util.find_spec("pip") is None:
        return f"source {kibibytes(source)}"
    with tempfile.TemporaryDirectory() as folder:
        offline = ["-q", "--no-deps", "--no-build-isolation"]
        subprocess.run([sys.executable, "-m", "pip", "wheel", *offline, "-w", folder, HERE], check=True)
        wheel = next(Path(folder).glob("*.whl")).stat().st_size
    return f"source {kibibytes(source)}, wheel {kibibytes(wheel)}"


def seconds(code: str) -> float:
    times = []
    for _ in range(RUNS):
        begin = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True)
        times.append(time.perf_counter() - begin)
    return min(times)


async def first_answers() -> tuple[float, float]:
    """With a daemon that has to be started, and with one that runs."""
    command = os.environ.get("OPEN_THINK_BIN", "open-think")
    with tempfile.TemporaryDirectory() as home:
        env = {"HOME": home, "PATH": os.environ["PATH"]}
        times = []
        for _ in range(2):
            begin = time.perf_counter()
            async with open_think.connect(command=command, env=env) as client:
                await client.status()
                times.append(time.perf_counter() - begin)
        subprocess.run([command, "stop", "--now"], env=env, check=True, capture_output=True)
    return times[0], times[1]


def main() -> None:
    loaded = seconds("import open_think") - seconds("import asyncio")
    cold, warm = asyncio.run(first_answers())
    print(f"open-think for Python: {weight()}; loads in {loaded * 1000:.0f} ms beside asyncio;", end=" ")
    print(f"first answer in {cold * 1000:.0f} ms, {warm * 1000:.0f} ms when the daemon runs")


if __name__ == "__main__":
    main()
