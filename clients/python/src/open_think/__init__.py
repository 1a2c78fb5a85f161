"""Talks to open-think, the daemon between programs and language models.

    async with open_think.connect() as client:
        turn = client.message("check runtime health", mode="selective")
        async for event in turn:
            print(event["kind"])
        print((await turn.result())["stopReason"])
"""

from . import types
from .approvals import Answer, Approve
from .client import VERSION as __version__
from .client import Client, connect
from .client_skills import SkillHandler, current_call
from .errors import OpenThinkError
from .subscription import Subscription
from .sync import SyncClient, SyncSubscription, SyncTurn, connect_sync
from .turn import Turn

__all__ = [
    "Answer",
    "Approve",
    "Client",
    "OpenThinkError",
    "SkillHandler",
    "Subscription",
    "SyncClient",
    "SyncSubscription",
    "SyncTurn",
    "Turn",
    "__version__",
    "connect",
    "connect_sync",
    "current_call",
    "types",
]
