"""A provider over HTTP, against a mock that others wrote; `tests/real_world/node/upstream.mjs` says what it answers."""

from __future__ import annotations

import asyncio
import os
import unittest

from .home import HomeTest

import open_think

URL = os.environ.get("OPEN_THINK_MODEL_URL")


@unittest.skipUnless(URL, "OPEN_THINK_MODEL_URL names no mock of a model; the runner in tests/real_world starts one")
class Models(HomeTest):
    def setUp(self) -> None:
        super().setUp()
        self.home.env["OPENAI_COMPATIBLE_URL"] = f"{URL}/v1"
        self.home.env["OPENAI_COMPATIBLE_KEY"] = "sk-test"
        self.home.env["OPENAI_COMPATIBLE_DEFAULT_MODEL"] = "test-model"

    async def test_the_events_tell_the_answer(self) -> None:
        async with self.home.connect() as client:
            turn = client.message("say hello", mode="auto")
            pieces = [event["text"] async for event in turn if event["kind"] == "text-delta"]
            result = await turn
            models = await client.models("openai-compatible")
        self.assertEqual("".join(pieces), "Hello from upstream, in several pieces.")
        assert result["assistantMessage"] is not None
        self.assertEqual(result["assistantMessage"]["content"], "".join(pieces))
        self.assertEqual((result["providerUsed"], result["modelUsed"]), ("openai-compatible", "test-model"))
        self.assertTrue(models)

    async def test_a_model_calls_skills_and_quotes_them(self) -> None:
        async with self.home.connect() as client:
            turn = client.message("read two notes", mode="auto")
            skills = [event["skill"] async for event in turn if event["kind"] == "tool-result"]
            result = await turn
        self.assertEqual(skills, ["read-note", "read-note"])
        assert result["assistantMessage"] is not None
        self.assertIn("quince", result["assistantMessage"]["content"])
        self.assertIn("medlar", result["assistantMessage"]["content"])

    async def test_an_answer_comes_in_pieces_and_ends_at_once_when_it_is_given_up(self) -> None:
        async with self.home.connect() as client:
            turn = client.message("talk slowly", mode="auto")
            pieces = (event["text"] async for event in turn if event["kind"] == "text-delta")
            self.assertLess(len(await anext(pieces)), len("word " * 400))
            turn.cancel()
            with self.assertRaises(open_think.OpenThinkError) as raised:
                await asyncio.wait_for(turn.result(), 10)
            self.assertEqual(raised.exception.code, "E_CANCELLED")
            self.assertEqual((await client.message("say hello", mode="auto"))["stopReason"], "end-turn")
