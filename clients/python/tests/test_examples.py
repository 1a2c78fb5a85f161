"""The examples, as people run them."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
import unittest
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, cast

from .home import PROGRAM, READ, WRITE, Home

import open_think

FOLDER = Path(__file__).resolve().parent.parent


class Model(ThreadingHTTPServer):
    """Calls the tools that it is told to, and then says what came of them."""

    def __init__(self, calls: list[tuple[str, dict[str, Any]]]) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.calls = calls
        self.asked: list[dict[str, Any]] = []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def end(self) -> None:
        self.shutdown()
        self.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"

    def message(self, request: dict[str, Any]) -> dict[str, Any]:
        self.asked.append(request)
        results = [message["content"] for message in request["messages"] if message["role"] == "tool"]
        if results:
            return {"role": "assistant", "content": " and ".join(results)}
        calls = [
            {"id": f"c{at}", "type": "function", "function": {"name": name, "arguments": json.dumps(input)}}
            for at, (name, input) in enumerate(self.calls)
        ]
        return {"role": "assistant", "content": None, "tool_calls": calls}


class Answer(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["content-length"])))
        message = cast(Model, self.server).message(request)
        reason = "tool_calls" if message.get("tool_calls") else "stop"
        self.reply({"id": "r", "model": "m", "choices": [{"index": 0, "message": message, "finish_reason": reason}]})

    def do_GET(self) -> None:
        self.reply({"object": "list", "data": [{"id": "m"}]})

    def reply(self, body: dict[str, Any]) -> None:
        text = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, format: str, *arguments: Any) -> None:
        pass


class Examples(unittest.TestCase):
    def setUp(self) -> None:
        self.home = Home()
        self.addCleanup(self.home.end)

    def environment(self) -> dict[str, str]:
        return {**self.home.env, "OPEN_THINK_BIN": PROGRAM, "PYTHONPATH": os.pathsep.join(sys.path)}

    def run_example(self, name: str, *arguments: str, said: str = "", **env: str) -> str:
        return self.run_python(FOLDER / "examples" / name, *arguments, said=said, **env)

    def run_python(self, *arguments: str | Path, said: str = "", **env: str) -> str:
        done = subprocess.run(
            [sys.executable, *arguments],
            env={**self.environment(), **env},
            input=said,
            capture_output=True,
            text=True,
        )
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return done.stdout

    def test_helm_asks_before_what_is_dangerous(self) -> None:
        self.assertIn("[read-note: done]", self.run_example("helm.py", READ))
        self.run_example("helm.py", WRITE, said="n\n")
        self.assertEqual(self.home.notes(), [])
        self.assertIn("[write-note: done]", self.run_example("helm.py", WRITE, said="y\n"))
        self.assertEqual(self.home.notes(), [{"text": "medlar"}])

    def test_a_script_prints_the_answer(self) -> None:
        said = self.run_example("script.py", READ)
        self.assertIn("quince", said)
        self.assertTrue(said.endswith("offline took 2 calls\n"), said)

    def test_an_agent_runs_skills_as_its_tools(self) -> None:
        model = Model([("read-note", {"name": "quince"}), ("write-note", {"text": "sloe"})])
        self.addCleanup(model.end)
        settings = {"OPENAI_COMPATIBLE_URL": model.url, "OPENAI_COMPATIBLE_DEFAULT_MODEL": "m"}
        said = self.run_example("agent.py", "read the note", **settings)
        self.assertIn('{"name": "quince"} and ', said)
        self.assertIn("E_APPROVAL_REQUIRED", said)
        self.assertEqual(self.home.notes(), [])
        offered = [tool["function"]["name"] for tool in model.asked[0]["tools"]]
        self.assertIn("read-note", offered)
        self.assertNotIn("openai-compat-chat", offered)
        self.assertIn('{"text": "sloe"}', self.run_example("agent.py", "--yes", "write the note", **settings))
        self.assertEqual(self.home.notes(), [{"text": "sloe"}])

    def test_an_agent_offers_its_own_tools(self) -> None:
        model = Model([("multiply", {"numbers": [17, 23]})])
        self.addCleanup(model.end)
        settings = {"OPENAI_COMPATIBLE_URL": model.url, "OPENAI_COMPATIBLE_DEFAULT_MODEL": "m"}
        self.assertEqual(self.run_example("agent.py", "what is 17 times 23?", **settings), "391\n")

    def test_helm_calls_functions_of_ones_own(self) -> None:
        text, made = self.home.path / "text", self.home.path / "made"
        text.write_text("one two three", encoding="utf-8")
        counted = self.run_example("skills.py", f'call count-words {{"file":"{text}"}}')
        self.assertIn("[count-words: {'words': 3}]", counted)
        make = f'call make-empty-file {{"file":"{made}"}}'
        self.run_example("skills.py", make, said="n\n")
        self.assertFalse(made.exists())
        self.assertIn("[make-empty-file: made]", self.run_example("skills.py", make, said="y\n"))
        self.assertTrue(made.exists())
        self.assertIn("FileExistsError", self.run_example("skills.py", make, said="y\n"))

    def test_without_arguments_they_say_how_they_are_used(self) -> None:
        for name in ("agent.py", "helm.py", "script.py", "skills.py"):
            done = subprocess.run([sys.executable, FOLDER / "examples" / name], env=self.environment(), capture_output=True, text=True)
            self.assertEqual((done.returncode, done.stderr.count("\n")), (1, 1))
            self.assertTrue(done.stderr.startswith(f"usage: python3 {name} "), done.stderr)

    def test_a_question_that_nobody_answers_keeps_nobody_from_ending(self) -> None:
        script = subprocess.Popen(
            [sys.executable, FOLDER / "examples" / "helm.py", WRITE],
            env=self.environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert script.stdin and script.stdout and script.stderr
        self.assertIn("write-note", script.stdout.readline())
        with open_think.connect_sync(command=PROGRAM, env=self.home.env) as client:
            self.assertTrue(client.interrupt())
        self.assertEqual(script.wait(30), 0, script.stderr.read())
        self.assertIn("[cancelled]", script.stdout.read())
        for pipe in (script.stdin, script.stdout, script.stderr):
            pipe.close()

    def test_what_the_readme_shows(self) -> None:
        shown = re.findall("```python\n(.*?)```", (FOLDER / "README.md").read_text(encoding="utf-8"), re.DOTALL)
        path = os.pathsep.join([str(Path(PROGRAM).parent), self.home.env["PATH"]])
        for code, said in zip(shown, ("'loop-done'", "loop-done\n", "{'words': 3}\n"), strict=True):
            self.assertIn(said, self.run_python("-c", code, PATH=path))
