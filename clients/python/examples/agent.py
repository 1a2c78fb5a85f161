"""An agent loop of one's own: skills as its tools, a provider as its chat model.

    python3 agent.py [--yes] "what are my zones?"

With --yes dangerous skills run too; without it the model is told that they may not.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from typing import Any

import open_think

MAX_ROUNDS = 8


class ChatModel:
    """The first provider that is configured and can be chatted with."""

    def __init__(self, client: open_think.Client, skill: str) -> None:
        self._client = client
        self._skill = skill

    @classmethod
    async def of(cls, client: open_think.Client) -> ChatModel:
        ready = [row["id"] for row in (await client.providers())["providers"] if row["enabled"] and row["configured"]]
        for skill in await client.skills():
            if skill["plugin"] in ready and skill["id"].endswith("-chat"):
                return cls(client, skill["id"])
        raise SystemExit("no model is configured; `open-think providers` lists the ways to one")

    async def reply(self, messages: list[dict[str, Any]], tools: list[dict[str, Any]]) -> dict[str, Any]:
        answer = await self._client.invoke(self._skill, {"messages": messages, "tools": tools})
        assert isinstance(answer, dict)
        return answer


class Tools:
    """The daemon's skills, but for those that ask a model themselves."""

    def __init__(self, client: open_think.Client, skills: list[open_think.types.SkillRow], confirm: bool) -> None:
        self._client = client
        self._confirm = confirm
        self.specs = [
            {"name": skill["id"], "description": skill["description"], "inputSchema": skill["inputSchema"]}
            for skill in skills
            if "chat" not in skill["tags"]
        ]

    async def run(self, call: dict[str, Any]) -> dict[str, Any]:
        try:
            result = await self._client.invoke(call["name"], call["input"], confirm=self._confirm)
        except open_think.OpenThinkError as error:
            result = {"error": str(error)}
        return {"role": "tool", "name": call["name"], "tool_call_id": call["id"], "content": json.dumps(result)}


async def run(client: open_think.Client, question: str, confirm: bool) -> str:
    model, tools = await ChatModel.of(client), Tools(client, await client.skills(), confirm)
    messages: list[dict[str, Any]] = [{"role": "user", "content": question}]
    for _ in range(MAX_ROUNDS):
        reply = await model.reply(messages, tools.specs)
        if not reply["toolCalls"]:
            return str(reply["text"])
        messages.append({"role": "assistant", "content": reply["text"], "tool_calls": reply["toolCalls"]})
        messages += await asyncio.gather(*map(tools.run, reply["toolCalls"]))
    return "The model did not come to an end."


async def main(arguments: list[str]) -> None:
    confirm = arguments[:1] == ["--yes"]
    async with open_think.connect(command=os.environ.get("OPEN_THINK_BIN", "open-think")) as client:
        print(await run(client, " ".join(arguments[confirm:]), confirm))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
