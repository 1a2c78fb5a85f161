"""Gives each of this client's turns its events.

The request of a turn carries a token, and the progress that begins under it names the turn: when the request was
accepted, before the turn's events. A subscription may send one of them slightly earlier; it waits here.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any, cast

from .event_queue import CAPACITY
from .turn import Turn
from .types import EventParams


@dataclass
class Session:
    turns: dict[int, Turn] = field(default_factory=dict)
    """By the tokens of their requests."""
    early: deque[EventParams] = field(default_factory=lambda: deque(maxlen=CAPACITY))
    """What came while a turn waited for its name."""

    def begin(self, turn: Turn, turn_id: str) -> None:
        turn.accept(turn_id)
        for params in self.early:
            if params["turnId"] == turn_id:
                turn.push(params)
        if all(other.turn_id is not None for other in self.turns.values()):
            self.early.clear()


class TurnRouter:
    def __init__(self) -> None:
        self._sessions: dict[str, Session] = {}

    def add(self, turn: Turn) -> None:
        self._sessions.setdefault(turn.session_name, Session()).turns[turn.id] = turn

    def remove(self, turn: Turn) -> None:
        session = self._sessions.get(turn.session_name)
        if session is None or session.turns.pop(turn.id, None) is None:
            return
        if not session.turns:
            del self._sessions[turn.session_name]

    def progress(self, params: dict[str, Any]) -> None:
        token, value = params.get("token"), params.get("value")
        turn_id = value.get("turnId") if isinstance(value, dict) and value.get("kind") == "begin" else None
        if not isinstance(token, int) or not isinstance(turn_id, str):
            return
        for session in self._sessions.values():
            if (turn := session.turns.get(token)) is not None:
                session.begin(turn, turn_id)

    def event(self, params: EventParams) -> None:
        session = self._sessions.get(params["sessionName"])
        if session is None:
            return
        turns = session.turns.values()
        if params["event"].get("kind") == "resync":
            owners = [turn for turn in turns if turn.turn_id is not None]
        else:
            owners = [turn for turn in turns if turn.turn_id == params["turnId"]]
            if not owners and any(turn.turn_id is None for turn in turns):
                session.early.append(params)
        for turn in owners:
            turn.push(params)


def as_event(params: dict[str, Any]) -> EventParams | None:
    """The parameters of `conductor.event`, if they have what everything here relies on."""
    fits = (
        isinstance(params.get("sessionName"), str)
        and isinstance(params.get("turnId"), str)
        and isinstance(params.get("seq"), int)
        and isinstance(params.get("event"), dict)
    )
    return cast(EventParams, params) if fits else None
