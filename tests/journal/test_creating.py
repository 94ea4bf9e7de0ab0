"""What a server makes once, though the answer that it did is lost."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from segtrack.journal.delivery import create
from segtrack.journal.outbox import Head
from segtrack.journal.tracking import asked_once, client_of
from segtrack.journal.writing import Writer

HEAD = Head("a" * 32, "", "segtrack", "first", 1_000, False)


class _Answers(BaseHTTPRequestHandler):
    """A proxy that answers 502 whenever something is to be made, of a server that makes it or not.

    Attributes:
        asked: last parts of the paths. makes: whether it makes it. made: runs, as it tells them.
    """

    asked: list[str]
    makes: bool
    made: list[dict[str, Any]]

    def log_message(self, *_: object) -> None:
        """Nothing: it would stand among the results of the tests."""

    def do_POST(self) -> None:
        given = json.loads(self.rfile.read(int(self.headers.get("content-length", 0))) or b"{}")
        what = self.path.partition("?")[0].partition("/mlflow/")[2]
        self.asked.append(what)
        if what in ("runs/create", "model-versions/create"):
            if self.makes:
                info = {"run_id": "r", "experiment_id": "0", "start_time": given["start_time"]}
                self.made.append({"info": info, "data": {"tags": given["tags"]}})
            self._answer(502, {})
        else:
            self._answer(200, {"runs": self.made, "registered_model": {"name": "street"}})

    do_GET = do_POST

    def _answer(self, status: int, values: dict[str, Any]) -> None:
        text = json.dumps(values).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)


@pytest.fixture
def answers() -> Iterator[type[_Answers]]:
    kind = type("Answers", (_Answers,), {"asked": [], "makes": True, "made": []})
    with ThreadingHTTPServer(("127.0.0.1", 0), kind) as server:
        kind.uri = f"http://127.0.0.1:{server.server_port}"  # type: ignore[attr-defined]
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield kind
        server.shutdown()


def test_a_run_that_was_made_is_found(answers: Any) -> None:
    run = create(client_of(answers.uri), "0", HEAD)
    assert (run.info.run_id, run.data.tags["segtrack.id"]) == ("r", HEAD.run)
    assert answers.asked == ["runs/create", "runs/search"]


def test_a_run_that_was_not_made_is_asked_for_once(answers: Any) -> None:
    answers.makes = False
    with pytest.raises(Exception, match="502"):
        create(client_of(answers.uri), "0", HEAD)
    assert answers.asked == ["runs/create", "runs/search"]


def test_a_version_of_a_model_is_asked_for_once(answers: Any) -> None:
    answers.makes = False
    with pytest.raises(Exception, match="502"):
        Writer(client_of(answers.uri), "r").register("street", "kept")
    assert answers.asked == ["registered-models/create", "model-versions/create"]


def test_how_often_mlflow_asks_is_as_before_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ["MLFLOW_HTTP_REQUEST_MAX_RETRIES", "MLFLOW_HTTP_REQUEST_TIMEOUT"]
    monkeypatch.setenv(names[0], "3")
    monkeypatch.delenv(names[1], raising=False)
    with asked_once(0.5), asked_once():
        assert [os.environ[name] for name in names] == ["0", "1"]
    assert [os.environ.get(name) for name in names] == ["3", None]
