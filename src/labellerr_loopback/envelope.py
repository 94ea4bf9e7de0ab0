"""The shape of every answer: ``{"message", "response", "error"}``."""

from __future__ import annotations

import json
import uuid
from http import HTTPStatus
from typing import Any

from pydantic import BaseModel, model_validator


class ApiError(Exception):
    """Ends a request with a status of 4xx or 5xx; a transaction that is open is rolled back."""

    def __init__(self, status: int, message: str, error: Any = None) -> None:
        super().__init__(message)
        self.status, self.message, self.error = status, message, error


class Body(BaseModel):
    """The JSON body of a request; what is not plain JSON could be stored, but not given back."""

    @model_validator(mode="before")
    @classmethod
    def _plain(cls, value: Any) -> Any:
        if isinstance(value, bytes):  # what FastAPI hands over of another content type
            raise ValueError("not sent as JSON; the header is Content-Type: application/json")
        if not is_plain(value):
            raise ValueError("NaN, Infinity or a lone surrogate, which JSON cannot hold")
        return value


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


def is_plain(value: Any) -> bool:
    """Whether a value can be written as JSON in UTF-8."""
    try:
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError):
        return False
    return True


def new_id() -> str:
    return str(uuid.uuid4())
