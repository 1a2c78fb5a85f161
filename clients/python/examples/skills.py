"""Functions of one's own that Helm may call while it answers.

    python3 skills.py "count the words of pyproject.toml"
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import Any

import open_think


def approve(question: open_think.types.ApprovalParams) -> str:
    """A plain function may block."""
    skills = ", ".join(action["skill"] for action in question["actions"])
    print(f"Run {skills}? [y/N] ", end="", flush=True)
    with open(0, "rb", buffering=0, closefd=False) as keyboard:
        return "approve" if keyboard.readline().strip().lower() == b"y" else "deny"


client = open_think.connect(command=os.environ.get("OPEN_THINK_BIN", "open-think"), approve=approve)

FILE = {"type": "object", "properties": {"file": {"type": "string"}}, "required": ["file"]}


@client.skill("count-words", input_schema=FILE, dangerous=False)
def count_words(input: dict[str, Any]) -> dict[str, Any]:
    """Counts the words of a text file."""
    return {"words": len(Path(input["file"]).read_text(encoding="utf-8").split())}


# Dangerous, as all that do not say otherwise: it runs when the user allows it.
@client.skill("make-empty-file", input_schema=FILE)
async def make_empty_file(input: dict[str, Any]) -> str:
    """Makes an empty file."""
    Path(input["file"]).touch(exist_ok=False)
    return "made"


async def main(words: list[str]) -> None:
    async with client:
        result = await client.message(" ".join(words), mode="selective")
    for call in result["trace"]:
        print(f"[{call['skill']}: {call.get('result') if call['ok'] else call.get('error')}]")
    if result["assistantMessage"] is not None:
        print(result["assistantMessage"]["content"])


if __name__ == "__main__":
    if not sys.argv[1:]:
        sys.exit('usage: python3 skills.py "what to say"')
    asyncio.run(main(sys.argv[1:]))
