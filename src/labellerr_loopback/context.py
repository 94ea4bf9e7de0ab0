"""What every endpoint has at hand: the state, the behaviour, the faults, and signed links."""

from __future__ import annotations

import hmac
import json
import re
import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from fastapi import Request

from labellerr_loopback.behaviour import Behaviour
from labellerr_loopback.envelope import ApiError
from labellerr_loopback.faults import Faults
from labellerr_loopback.state import State


class LinkError(Exception):
    """A signed link that does not hold; answered like the storage behind the platform does."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


@dataclass(frozen=True)
class Context:
    state: State
    behaviour: Behaviour
    faults: Faults

    def create(
        self, uuid: str | None, path: str, make: Callable[[sqlite3.Connection], dict[str, Any]]
    ) -> dict[str, Any]:
        """Do ``make`` in a transaction, once per ``uuid`` where that is switched on."""
        with self.state.change() as db:
            if uuid and self.behaviour.quirks.dedupe:
                query = "SELECT answer FROM replays WHERE uuid = ? AND path = ?"
                if known := db.execute(query, (uuid, path)).fetchone():
                    answer: dict[str, Any] = json.loads(known["answer"])
                    return answer
            answer = make(db)
            if uuid:
                row = (uuid, path, json.dumps(answer))
                db.execute("INSERT OR REPLACE INTO replays VALUES (?, ?, ?)", row)
            return answer

    def link(self, request: Request, path: str) -> str:
        """An absolute link to ``path`` that holds for a while without credentials."""
        expires = int(time.time() + self.behaviour.limits.link_seconds)
        base = str(request.base_url).rstrip("/")
        signature = self.state.sign(path, expires)
        return f"{base}{path}?expires={expires}&signature={signature}"

    def check_link(self, request: Request) -> None:
        """
        Raises:
            LinkError: the link has expired or was changed.
        """
        path = request.url.path
        expires = request.query_params.get("expires", "")
        signature = request.query_params.get("signature", "")
        number = int(expires) if re.fullmatch("[0-9]{1,15}", expires) else 0
        if not hmac.compare_digest(signature.encode(), self.state.sign(path, number).encode()):
            raise LinkError(403, "SignatureDoesNotMatch", "the signature does not match the link")
        if number <= time.time() or self.faults.of("link_expired", path=path):
            raise LinkError(400, "ExpiredToken", "the link has expired; ask for a new one")

    def project(self, project_id: str) -> sqlite3.Row:
        """
        Raises:
            ApiError: 404 where there is none.
        """
        row = self.state.one("SELECT * FROM projects WHERE id = ?", (project_id,))
        if row is None:
            raise ApiError(404, f"project not found: {project_id!r}")
        return row

    def template_version(self, project_id: str) -> int:
        """Of its template, the version that a project uses."""
        query = "SELECT version FROM applied_versions WHERE project_id = ?"
        row = self.state.one(query, (project_id,))
        return int(row["version"]) if row else 1

    def questions(self, project: sqlite3.Row) -> list[dict[str, Any]]:
        """The questions of a project, by the version of its template that it uses, in order."""
        template, version = project["template_id"], self.template_version(project["id"])
        query = "SELECT questions FROM template_versions WHERE template_id = ? AND version = ?"
        row = self.state.one(query, (template, version))
        if row is None:
            row = self.state.one("SELECT questions FROM templates WHERE id = ?", (template,))
        questions: list[dict[str, Any]] = json.loads(row["questions"]) if row else []
        return questions


def due(polls: int, ready_at: float) -> bool:
    """Whether something that takes a while is ready, after the poll that is being answered."""
    return polls <= 0 and time.time() >= ready_at
