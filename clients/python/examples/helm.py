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
    answer = input("Run this? [y/N] ")
    return "approve" if answer.strip().lower() == "y" else "deny"


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
    asyncio.run(main(sys.argv[1:]))
