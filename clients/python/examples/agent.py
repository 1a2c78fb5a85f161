"""An agent framework's loop over the daemon that it spawns: a provider is its chat model, skills are its tools, and its
own tools are skills too, which Helm and other clients may call as long as this runs.

    python3 agent.py [--yes] "what is 17 times 23?"

With --yes dangerous skills run too; without it the model is told that they may not.
"""

from __future__ import annotations

import asyncio
import json
import math
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import open_think

MAX_ROUNDS = 8


@dataclass
class Tool:
    """As frameworks describe them."""

    name: str
    description: str
    parameters: dict[str, Any]
    run: Callable[..., Any]

    async def offer(self, client: open_think.Client) -> None:
        await client.register_skill(
            self.name,
            lambda input: self.run(**input),
            description=self.description,
            input_schema=self.parameters,
            dangerous=False,
        )


NUMBERS = {
    "type": "object",
    "properties": {"numbers": {"type": "array", "items": {"type": "number"}}},
    "required": ["numbers"],
}
OWN = [Tool("multiply", "Multiplies numbers.", NUMBERS, lambda numbers: math.prod(numbers))]


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
    """All skills but those that ask a model themselves."""

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
    for tool in OWN:
        await tool.offer(client)
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
    async with open_think.connect(command=os.environ.get("OPEN_THINK_BIN", "open-think"), name="agent") as client:
        print(await run(client, " ".join(arguments[confirm:]), confirm))


if __name__ == "__main__":
    if not [word for word in sys.argv[1:] if word != "--yes"]:
        sys.exit('usage: python3 agent.py [--yes] "what to ask"')
    asyncio.run(main(sys.argv[1:]))
