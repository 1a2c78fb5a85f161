"""Sits at a terminal before `ask`: answers its question, presses Ctrl-C, and prints what was seen as one JSON object."""

import json
import os
import pty
import select
import sys
import time

PATIENCE = 60
CTRL_C = b"\x03"


def sit(program, arguments, keys):
    """Runs the program at a terminal; `keys` are pairs of what to wait for and what to press then."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.environ["TERM"] = "xterm"
        os.execv(program, [program, *arguments])
    seen = b""
    keys = list(keys)
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if not select.select([terminal], [], [], 0.2)[0]:
            continue
        try:
            read = os.read(terminal, 65536)
        except OSError:  # the other end is closed
            break
        if not read:
            break
        seen += read
        if keys and keys[0][0] in seen:
            os.write(terminal, keys.pop(0)[1])
            seen += b"\n--\n"
    else:
        os.kill(pid, 9)
    status = os.waitpid(pid, 0)[1]
    return {"code": os.waitstatus_to_exitcode(status), "seen": seen.decode()}


def main():
    program = sys.argv[1]

    def order(word):
        return 'call write-note {"text":"%s"}' % word

    question = b"[l]ater"
    print(json.dumps({
        "yes": sit(program, ["ask", order("quince")], [(question, b"y\n")]),
        "no": sit(program, ["ask", order("medlar")], [(question, b"n\n")]),
        "later": sit(program, ["ask", order("sloe")], [(question, b"what\n"), (question, b"l\n")]),
        # A second into it, so that the skill has become a process of its own, which the terminal's Ctrl-C does not reach.
        "interrupt": sit(program, ["ask", "call take-a-nap"], [(b"take-a-nap (1s)", CTRL_C)]),
        "atQuestion": sit(program, ["ask", order("damson")], [(question, CTRL_C)]),
        "invoke": sit(program, ["invoke", "write-note", "-i", "text=bullace"], [(b"[y/N]", b"y\n")]),
    }))


main()
