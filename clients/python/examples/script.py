"""A script without asyncio; Ctrl-C stops what runs.

    python3 script.py "check runtime health"
"""

from __future__ import annotations

import os
import sys

import open_think

if not sys.argv[1:]:
    sys.exit('usage: python3 script.py "what to say"')

with open_think.connect_sync(command=os.environ.get("OPEN_THINK_BIN", "open-think")) as client:
    turn = client.message(" ".join(sys.argv[1:]), mode="auto")
    for event in turn:
        if event["kind"] == "text-delta":
            print(event["text"], end="", flush=True)
    print(f"\n{turn.result()['providerUsed']} took {turn.result()['iterationsUsed']} calls")
