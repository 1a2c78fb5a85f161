"""Finds out which events belong to which of this client's turns.

The answer to a message tells its turn's id only at the end. Until then a turn is known by the progress that is reported
under its request's token: before the event if the events come for this request alone, right behind it if a
subscription sends them. Turns of a session never interleave, so an event can be given to its turn at the latest then.
What cannot be told apart waits for the answer.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, cast

from .event_queue import CAPACITY
from .turn import Turn
from .types import EventParams


@dataclass
class Session:
    turns: list[Turn] = field(default_factory=list)
    begun: set[int] = field(default_factory=set)
    """Those of which progress was reported, by their tokens."""
    older: dict[int, str] = field(default_factory=dict)
    """By the tokens, what ran already when the message was sent."""
    waiting: dict[str, list[EventParams]] = field(default_factory=dict)
    """Events of turns that may be ours, by the turn's id."""

    def unbound(self) -> list[Turn]:
        return [turn for turn in self.turns if turn.turn_id is None]

    def candidates(self, turn: Turn) -> list[str]:
        return [turn_id for turn_id in self.waiting if self.may_be(turn, turn_id)]

    def may_be(self, turn: Turn, turn_id: str) -> bool:
        return turn.turn_id is None and self.older.get(turn.id) != turn_id

    def bind(self, turn: Turn, turn_id: str) -> None:
        turn.turn_id = turn_id
        for params in self.waiting.pop(turn_id, []):
            turn.push(params)
        if not self.unbound():
            self.waiting.clear()


class TurnRouter:
    def __init__(self, is_subscribed: Callable[[str], bool]) -> None:
        self._is_subscribed = is_subscribed
        self._sessions: dict[str, Session] = {}
        self._last_seen: dict[str, str] = {}

    def add(self, turn: Turn, is_new: bool) -> None:
        """`is_new` unless it may go on with a turn that there is already."""
        session = self._sessions.setdefault(turn.session_name, Session())
        session.turns.append(turn)
        seen = self._last_seen.get(turn.session_name)
        if is_new and seen is not None:
            session.older[turn.id] = seen

    def remove(self, turn: Turn) -> None:
        session = self._sessions.get(turn.session_name)
        if session is None or turn not in session.turns:
            return
        session.turns.remove(turn)
        if not session.turns:
            del self._sessions[turn.session_name]

    def event(self, params: EventParams) -> None:
        name, turn_id = params["sessionName"], params["turnId"]
        session = self._sessions.get(name, Session())
        if params["event"].get("kind") == "resync":
            for turn in session.turns:
                if turn.turn_id is not None:
                    turn.push(params)
            return
        if self._is_subscribed(name):
            self._last_seen[name] = turn_id
        else:
            self._last_seen.pop(name, None)
        for turn in self._whose(session, turn_id):
            session.bind(turn, turn_id)
        owners = [turn for turn in session.turns if turn.turn_id == turn_id]
        for turn in owners:
            turn.push(params)
        if not owners and any(session.may_be(turn, turn_id) for turn in session.turns):
            waiting = session.waiting.setdefault(turn_id, [])
            if len(waiting) < CAPACITY:
                waiting.append(params)

    def _whose(self, session: Session, turn_id: str) -> list[Turn]:
        """The turns that become known by an event of this turn."""
        possible = [turn for turn in session.turns if session.may_be(turn, turn_id)]
        alone = len(session.turns) == 1 and not self._is_subscribed(session.turns[0].session_name)
        return possible if alone else [turn for turn in possible if turn.id in session.begun]

    def progress(self, params: dict[str, Any]) -> None:
        value = params.get("value")
        if not isinstance(value, dict) or value.get("kind") != "report":
            return
        for session in self._sessions.values():
            for turn in session.unbound():
                if turn.id == params.get("token"):
                    session.begun.add(turn.id)
                    if len(candidates := session.candidates(turn)) == 1:
                        session.bind(turn, candidates[0])

    def answered(self, turn: Turn, result: Any) -> None:
        """The answer has come, and with it the turn's id."""
        session = self._sessions.get(turn.session_name)
        turn_id = result.get("turnId") if isinstance(result, dict) else None
        if session is not None and turn.turn_id is None and isinstance(turn_id, str):
            session.bind(turn, turn_id)


def as_event(params: dict[str, Any]) -> EventParams | None:
    """The parameters of `conductor.event`, if they have what everything here relies on."""
    fits = (
        isinstance(params.get("sessionName"), str)
        and isinstance(params.get("turnId"), str)
        and isinstance(params.get("seq"), int)
        and isinstance(params.get("event"), dict)
    )
    return cast(EventParams, params) if fits else None
