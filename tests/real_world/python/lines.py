"""A script's client: one JSON object a line, nothing but the standard library.

Usage: lines.py PROGRAM. Prints what it saw as one line of JSON.
"""

import json
import subprocess
import sys


class Daemon:
    def __init__(self, program):
        pipe = subprocess.PIPE
        self.process = subprocess.Popen([program, "--stdio"], stdin=pipe, stdout=pipe, text=True, encoding="utf-8")

    def write(self, *lines):
        self.process.stdin.write("".join(line + "\n" for line in lines))
        self.process.stdin.flush()

    def read(self, count=1):
        """As many answers, notifications passed over."""
        answers = []
        while len(answers) < count:
            line = self.process.stdout.readline()
            if not line:
                raise EOFError(f"the daemon hung up after {answers}")
            message = json.loads(line)
            if "id" in message:
                answers.append(message)
        return answers

    def ask(self, line):
        self.write(line)
        return self.read()[0]

    def hang_up(self):
        """Ends its input; what it still says, and its exit code."""
        rest, _ = self.process.communicate(timeout=30)
        return [json.loads(line) for line in rest.splitlines()], self.process.returncode


def request(id, method, params=None, version=True):
    message = {"id": id, "method": method}
    if version:
        message["jsonrpc"] = "2.0"
    if params is not None:
        message["params"] = params
    return json.dumps(message)


def say(id, mode, content, version):
    params = {"content": content, "mode": mode, "sessionName": f"python-{mode}-{version}"}
    return request(id, "conductor.message", params, version)


def turns(program, version):
    """Every mode, and ids of every kind, without a handshake."""
    daemon = Daemon(program)
    read, write = 'call read-note {"name":"quince"}', 'call write-note {"text":"medlar"}'
    seen = {
        "propose": daemon.ask(say(0, "propose", write, version)),
        "selective": daemon.ask(say("s-1", "selective", f"{read}\n{write}", version)),
        "auto": daemon.ask(say(-7, "auto", read, version)),
        "invoke": daemon.ask(request("", "skills.invoke", {"skill": "read-note", "input": {"name": "quince"}}, version)),
    }
    seen["rest"], seen["code"] = daemon.hang_up()
    return seen


def pipelined(program):
    """Forty requests written before the first answer is read, and the input ended at once."""
    daemon = Daemon(program)
    ask = {"skill": "read-note", "input": {"name": "quince"}}
    lines = [request(id, "skills.invoke", ask) if id % 2 else request(f"p{id}", "skills.list") for id in range(40)]
    daemon.process.stdin.write("\n".join(lines) + "\n")
    answers, code = daemon.hang_up()
    return {"ids": [answer.get("id") for answer in answers], "good": all("result" in a for a in answers), "code": code}


def tolerant(program):
    """What is wrong gets its error, what is odd gets its answer, and the connection lives on."""
    daemon = Daemon(program)
    seen = {}
    list_skills = '"method":"skills.list"'
    cases = {
        "object": "{%s,\"id\":1,\"params\":{}}" % list_skills,
        "array": "{%s,\"id\":2,\"params\":[{}]}" % list_skills,
        "emptyArray": "{%s,\"id\":3,\"params\":[]}" % list_skills,
        "null": "{%s,\"id\":4,\"params\":null}" % list_skills,
        "notJson": "this is not JSON",
        "notObject": "42",
        "batch": "[{%s,\"id\":5},{%s,\"id\":6}]" % (list_skills, list_skills),
        "deep": '{"method":"skills.list","id":7,"params":{"x":%s}}' % ("[" * 200 + "]" * 200),
        "unknown": '{"method":"skills.lst","id":8}',
        "mode": '{"method":"conductor.message","id":9,"params":{"content":"hi","mode":"sideways"}}',
        "empty": '{"method":"conductor.message","id":10,"params":{"content":""}}',
        "provider": '{"method":"conductor.message","id":11,"params":{"content":"hi","provider":"anthropic"}}',
        "still": "{%s,\"id\":12}" % list_skills,
    }
    for name, line in cases.items():
        seen[name] = daemon.ask(line)
    daemon.write("{%s,\"id\":1.50}" % list_skills)
    seen["token"] = daemon.process.stdout.readline()
    seen["rest"], seen["code"] = daemon.hang_up()
    return seen


def huge(program):
    """A line over the limit gets its error, and the next one its answer."""
    daemon = Daemon(program)
    daemon.ask(request(0, "skills.list"))
    refused = daemon.ask(request(1, "conductor.message", {"content": "x" * (17 << 20)}))
    after = daemon.ask(request(2, "skills.list"))
    _, code = daemon.hang_up()
    return {"refused": refused, "after": after, "code": code}


def exits(program):
    """The codes that editors look at."""
    codes = {}
    for name, lines in {
        "afterShutdown": [request(1, "shutdown"), '{"method":"exit"}'],
        "exitAlone": [request(1, "skills.list"), '{"method":"exit"}'],
        "endOfInput": [request(1, "skills.list")],
        "nothing": [],
        "garbage": ["GET / HTTP/1.1"],
    }.items():
        daemon = Daemon(program)
        daemon.write(*lines)
        _, codes[name] = daemon.hang_up()
    return codes


def main(program):
    seen = {
        "versioned": turns(program, True),
        "plain": turns(program, False),
        "pipelined": pipelined(program),
        "tolerant": tolerant(program),
        "huge": huge(program),
        "exits": exits(program),
    }
    print(json.dumps(seen))


if __name__ == "__main__":
    main(sys.argv[1])
