"""The shape of every answer: ``{"message", "response", "error"}``."""

from __future__ import annotations

import uuid
from http import HTTPStatus
from typing import Any


class ApiError(Exception):
    """Ends a request with a status of 4xx or 5xx; a transaction that is open is rolled back."""

    def __init__(self, status: int, message: str, error: Any = None) -> None:
        super().__init__(message)
        self.status, self.message, self.error = status, message, error


def success(response: Any, **more: Any) -> dict[str, Any]:
    """The envelope of an answer; ``more`` are keys beside ``response``."""
    return {"message": "200: Success", "response": response, "error": None, **more}


def failure(status: int, message: str, error: Any = None) -> dict[str, Any]:
    """The envelope of an error. ``error`` is a text, or a list of ``{"field", "message"}``."""
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = "Error"
    return {
        "message": f"{status}: {phrase}: {message}",
        "response": None,
        "error": message if error is None else error,
        "tracking_id": str(uuid.uuid4()),
    }


def new_id() -> str:
    return str(uuid.uuid4())
