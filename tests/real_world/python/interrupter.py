"""A script on the daemon's socket: one JSON object a line, nothing but the standard library.

Usage: interrupter.py SOCKET SESSION. Interrupts the first nap that it sees there, and prints what it saw as one line
of JSON.
"""

import json
import socket
import sys


def main(path, session):
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as daemon:
        daemon.connect(path)
        lines = daemon.makefile("rw", encoding="utf-8")

        def send(id, method, **params):
            lines.write(json.dumps({"jsonrpc": "2.0", "id": id, "method": method, "params": params}) + "\n")
            lines.flush()

        send(1, "conductor.subscribe", sessionName=session)
        seen = {"kinds": []}
        for line in lines:
            message = json.loads(line)
            if message.get("id") == 1:
                print("ready", flush=True)
            elif message.get("id") == 2:
                seen["interrupt"] = message["result"]
            elif message.get("method") == "conductor.event":
                event = message["params"]["event"]
                seen["kinds"].append(event["kind"])
                if event["kind"] == "tool-use-start" and event.get("name") == "take-a-nap":
                    send(2, "conductor.interrupt", sessionName=session)
                if event["kind"] == "loop-done" and event.get("stopReason") == "cancelled":
                    seen["cancelled"] = True
            if "cancelled" in seen and "interrupt" in seen:
                break
        print(json.dumps(seen))


if __name__ == "__main__":
    main(*sys.argv[1:])
