"""The one error that calls raise."""

from __future__ import annotations

from typing import Any

from .types import Code

CANCELLED = -32800
METHOD_NOT_FOUND = -32601
INTERNAL_ERROR = -32603


class OpenThinkError(Exception):
    """A request failed.

    `code` is what a program branches on, `number` the number of JSON-RPC; it is 0 where the client itself gave up:
    `E_CONNECT`, `E_CONNECTION_LOST`, `E_CLOSED` and `E_FRAME_TOO_LONG` are its own codes. `retryable` says whether the same
    may go well another time, `hint` what to do about it, `data` is all that the daemon told.
    """

    def __init__(
        self,
        code: Code,
        number: int,
        message: str,
        *,
        retryable: bool = False,
        retry_after_ms: int | None = None,
        hint: str | None = None,
        data: Any = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.number = number
        self.message = message
        self.retryable = retryable
        self.retry_after_ms = retry_after_ms
        self.hint = hint
        self.data = data

    def __str__(self) -> str:
        return f"{self.message} ({self.code})"

    @classmethod
    def from_wire(cls, error: Any) -> OpenThinkError:
        """From the member `error` of an answer, whatever it holds."""
        error = error if isinstance(error, dict) else {}
        data = error.get("data")
        known = data if isinstance(data, dict) else {}
        number = error.get("code")
        return cls(
            str(known.get("code", "E_UNKNOWN")),
            number if isinstance(number, int) else 0,
            str(error.get("message", "the daemon did not say what is wrong")),
            retryable=bool(known.get("retryable", False)),
            retry_after_ms=known.get("retryAfterMs"),
            hint=known.get("hint"),
            data=data,
        )


def connection_lost(why: str) -> OpenThinkError:
    return OpenThinkError("E_CONNECTION_LOST", 0, f"the connection was lost: {why}", retryable=True)


def closed() -> OpenThinkError:
    return OpenThinkError("E_CLOSED", 0, "the client is closed, or was not entered yet")


def cannot_connect(why: str, *, retryable: bool = True, hint: str | None = None) -> OpenThinkError:
    message = f"there is no connection to open-think: {why}"
    return OpenThinkError("E_CONNECT", 0, message, retryable=retryable, hint=hint)


def not_json(error: Exception) -> OpenThinkError:
    return OpenThinkError("E_BAD_REQUEST", 0, f"this cannot be sent as JSON: {error}")


def frame_too_long(length: int, limit: int) -> OpenThinkError:
    return OpenThinkError("E_FRAME_TOO_LONG", 0, f"this cannot be sent: it has {length} bytes, and may have {limit}")


def cancelled() -> OpenThinkError:
    return OpenThinkError("E_CANCELLED", CANCELLED, "the request was cancelled")
