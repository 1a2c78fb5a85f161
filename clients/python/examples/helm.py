"""Helm plans and runs, and asks before anything dangerous.

    python3 helm.py "check runtime health"
"""

from __future__ import annotations

import asyncio
import os
import sys

import open_think
from open_think.types import ApprovalParams


def approve(question: ApprovalParams) -> str:
    for action in question["actions"]:
        print(f"{action['skill']} {action.get('input')}", flush=True)
    print("Run this? [y/N] ", end="", flush=True)
    # Unlike `input` it holds no lock that the interpreter needs to end, should somebody else decide.
    with open(0, "rb", buffering=0, closefd=False) as keyboard:
        return "approve" if keyboard.readline().strip().lower() == b"y" else "deny"


async def main(words: list[str]) -> None:
    command = os.environ.get("OPEN_THINK_BIN", "open-think")
    async with open_think.connect(command=command, approve=approve) as client:
        turn = client.message(" ".join(words), mode="selective")
        async for event in turn:
            if event["kind"] == "text-delta":
                print(event["text"], end="", flush=True)
            elif event["kind"] == "tool-result":
                print(f"[{event['skill']}: {'done' if event['ok'] else event.get('error')}]")
        print(f"\n[{(await turn)['stopReason']}]")


if __name__ == "__main__":
    if not sys.argv[1:]:
        sys.exit('usage: python3 helm.py "what to say"')
    asyncio.run(main(sys.argv[1:]))
