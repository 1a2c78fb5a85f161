"""A daemon of a later version, on standard input and output: much of what it says is new to the plugin."""

import json
import sys

TURN = "turn-1"
WORDS = 30000
seq = 0


def say(**message):
    print(json.dumps({"jsonrpc": "2.0", **message}), flush=True)


def event(event, turn=TURN):
    global seq
    seq += 1
    params = {"sessionName": "test", "turnId": turn, "seq": seq, "event": event, "novelty": [1]}
    say(method="conductor.event", params=params)


def tell_news():
    event({"kind": "turn-start", "iteration": 1, "provider": "newer", "mood": "fine"})
    event({"kind": "thought-balloon", "shape": {"round": True}})
    event({"kind": "text-delta", "index": 0, "text": "before "})
    event({"kind": "text-delta", "index": 0, "text": {"not": "a text"}})
    event({"kind": "text-delta", "index": 1, "text": "beside"})
    event({"kind": "text-delta", "index": 0, "text": "behind"})
    event({"kind": "tool-result", "skill": 7})
    event({"kind": ["odd"]})
    event({"kind": "tool-held", "actionId": "a1", "skill": "new-skill", "input": [1, {"two": 2}], "reason": "new"})
    event({"kind": "attempt-failed", "provider": "newer", "error": "tired"})
    event({"kind": "loop-done", "stopReason": "sunset", "result": {"usage": {"costUsd": 0.5}, "trace": "none"}})
    say(method="conductor.event", params={"seq": "odd"})
    say(method="weather.changed", params={"to": "rain"})
    say(id="s1", method="client.dance", params={})
    say(id=99999, result="nobody asked")
    print('{"jsonrpc": "2.0", "method": 5}\nno JSON\n[]', flush=True)


def talk_fast():
    event({"kind": "turn-start", "iteration": 1, "provider": "newer"})
    for word in range(WORDS):
        event({"kind": "text-delta", "index": 0, "text": "word%d%s" % (word, " " if word % 12 else "\n")})
    event({"kind": "loop-done", "stopReason": "end-turn"})


def answer(message):
    id, method, params = message["id"], message["method"], message.get("params", {})
    if method == "initialize":
        capabilities = {"protocolVersion": "9.0", "methods": {}, "modes": ["propose", "dream"], "novelty": True}
        say(id=id, result={"capabilities": capabilities, "serverInfo": {"name": "newer"}})
    elif method == "conductor.subscribe":
        say(id=id, result={"seq": 0, "more": 1})
    elif method == "conductor.message" and params["content"] == "give up":
        say(id=id, error={"code": -32800, "message": "cancelled"})
    elif method == "conductor.message" and params["content"] == "err oddly":
        say(id=id, error="odd")
    elif method == "conductor.message" and params["content"] == "talk fast":
        say(method="$/progress", params={"token": params["workDoneToken"], "value": {"kind": "begin", "turnId": TURN}})
        talk_fast()
        say(id=id, result={"turnId": TURN})
    elif method == "conductor.message":
        # The events come before the progress that tells whose they are.
        tell_news()
        say(method="$/progress", params={"token": params["workDoneToken"], "value": {"kind": "begin", "turnId": TURN}})
        say(method="$/progress", params={"token": params["workDoneToken"], "value": {"kind": "sing"}})
        say(id=id, result={"turnId": TURN, "stopReason": "sunset"})
    else:
        say(id=id, error={"code": -32601, "message": "not here", "data": "odd"})


for line in sys.stdin:
    message = json.loads(line)
    if "method" not in message:
        # What the plugin answered to client.dance.
        event({"kind": "text-stop", "index": 9, "text": "answered %d" % message["error"]["code"]})
    elif "id" in message:
        answer(message)
