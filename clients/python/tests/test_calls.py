"""Everything that is asked and answered, against the real daemon."""

from __future__ import annotations

from .home import PROGRAM, READ, HomeTest

import open_think

MEBIBYTE = 1024 * 1024


class Calls(HomeTest):
    async def test_lists(self) -> None:
        async with self.home.connect(name="test") as client:
            skills = {skill["id"]: skill for skill in await client.skills()}
            self.assertFalse(skills["read-note"]["dangerous"])
            self.assertTrue(skills["write-note"]["dangerous"])
            providers = {provider["id"]: provider for provider in (await client.providers())["providers"]}
            self.assertTrue(providers["offline"]["configured"])
            self.assertEqual(await client.models("offline"), [])
            status = await client.status()
            self.assertIn("test", [connection.get("name") for connection in status["connections"]])
            self.assertFalse((await client.codex_status())["configured"])
            document = await client.request("rpc.discover")
            self.assertIn("conductor.message", [method["name"] for method in document["methods"]])

    async def test_sessions(self) -> None:
        async with self.home.connect() as client:
            await client.message(READ, session_name="fruit", mode="auto")
            self.assertEqual([session["sessionName"] for session in await client.sessions_list()], ["fruit"])
            self.assertFalse((await client.sessions_get("fruit"))["running"])
            roles = [message["role"] for message in await client.sessions_messages("fruit")]
            self.assertEqual(roles, ["user", "assistant", "tool", "assistant"])
            last = await client.sessions_messages("fruit", limit=1)
            self.assertEqual(last[0]["role"], "assistant")
            self.assertTrue(await client.sessions_delete("fruit"))
            self.assertEqual(await client.sessions_list(), [])

    async def test_skills(self) -> None:
        async with self.home.connect() as client:
            self.assertEqual(await client.invoke("read-note", {"name": "quince"}), {"name": "quince"})
            self.assertEqual(await client.invoke("write-note", {"text": "sloe"}, confirm=True), {"text": "sloe"})
            await self.fails(client, "write-note", {"text": "medlar"}, "E_APPROVAL_REQUIRED")
            await self.fails(client, "read-note", {}, "E_BAD_REQUEST")
            failed = await self.fails(client, "give-up", None, "E_SKILL_FAILED")
            self.assertIn("no luck today", failed.message)
            unknown = await self.fails(client, "read-notes", None, "E_SKILL_UNAVAILABLE")
            self.assertIn("read-note", unknown.data["availableSkills"])
        self.assertEqual(self.home.notes(), [{"text": "sloe"}])

    async def fails(
        self, client: open_think.Client, skill: str, input: object, code: str
    ) -> open_think.OpenThinkError:
        with self.assertRaises(open_think.OpenThinkError) as raised:
            await client.invoke(skill, input)
        self.assertEqual(raised.exception.code, code)
        return raised.exception

    async def test_errors_tell_what_the_daemon_told(self) -> None:
        async with self.home.connect() as client:
            with self.assertRaises(open_think.OpenThinkError) as raised:
                await client.message("hello", provider="anthropic")
            error = raised.exception
            self.assertEqual((error.code, error.number, error.retryable), ("E_NO_PROVIDER", -32010, False))
            assert error.hint is not None
            self.assertIn("ANTHROPIC_API_KEY", error.hint)
            self.assertIn("requestId", error.data)
            with self.assertRaises(open_think.OpenThinkError) as raised:
                async for _ in client.message("hello", maxIterations=13):
                    pass
            self.assertEqual((raised.exception.code, raised.exception.number), ("E_BAD_REQUEST", -32602))
            with self.assertRaises(open_think.OpenThinkError) as raised:
                await client.request("skills.lists")
            self.assertEqual(raised.exception.number, -32601)
            with self.assertRaises(open_think.OpenThinkError) as raised:
                await client.codex_rpc("thread/list", confirm=True)
            self.assertTrue(raised.exception.code)

    async def test_there_is_a_way_to_sign_in_or_it_is_said_what_to_set(self) -> None:
        async with self.home.connect() as client:
            self.assertEqual((await client.sign_in_start())["status"], "pending_configuration")
            with self.assertRaises(open_think.OpenThinkError) as raised:
                await client.sign_in(lambda started: self.fail("there is nothing to show"))
        self.assertEqual(raised.exception.code, "E_AUTH")
        self.assertTrue(raised.exception.data["missing"])

    async def test_a_frame_of_five_mebibytes(self) -> None:
        content = "x" * (5 * MEBIBYTE)
        async with self.home.connect() as client:
            await client.message(content, session_name="long", stream=False)
            said = await client.sessions_messages("long")
        self.assertEqual(said[0]["content"], content)

    async def test_what_cannot_be_sent_harms_nothing_else(self) -> None:
        async with self.home.connect() as client:
            with self.assertRaises(open_think.OpenThinkError) as raised:
                await client.message("x" * (17 * MEBIBYTE))
            self.assertEqual(raised.exception.code, "E_FRAME_TOO_LONG")
            for odd in ({1, 2}, {"name": float("nan")}, {"name": "\ud800"}):
                with self.assertRaises(open_think.OpenThinkError) as raised:
                    await client.request("skills.list", odd)
                self.assertEqual(raised.exception.code, "E_BAD_REQUEST")
            with self.assertRaises(open_think.OpenThinkError) as raised:
                await client.message([{"type": "text", "text": object()}])  # type: ignore[typeddict-item]
            self.assertEqual(raised.exception.code, "E_BAD_REQUEST")
            self.assertTrue(await client.skills())

    async def test_a_profile_is_another_daemon(self) -> None:
        self.addCleanup(self.home.stop, "--profile", "work")
        async with self.home.connect() as one, self.home.connect(profile="work") as other:
            pids = {(await one.status())["pid"], (await other.status())["pid"]}
            self.assertEqual(len(pids), 2)

    async def test_a_program_that_does_not_start_or_ends_at_once_says_why(self) -> None:
        for command, said in (("/does/not/exist", "does not start"), ([PROGRAM, "--nonsense"], "--nonsense")):
            with self.assertRaises(open_think.OpenThinkError) as raised:
                async with open_think.connect(command=command, env=self.home.env):
                    self.fail("there is nothing to connect to")
            self.assertEqual(raised.exception.code, "E_CONNECT")
            self.assertIn(said, raised.exception.message)

    async def test_a_client_that_is_closed_says_so(self) -> None:
        async with self.home.connect() as client:
            pass
        with self.assertRaises(open_think.OpenThinkError) as raised:
            await client.skills()
        self.assertEqual(raised.exception.code, "E_CLOSED")
        with self.assertRaises(open_think.OpenThinkError):
            await client.message("hello")
