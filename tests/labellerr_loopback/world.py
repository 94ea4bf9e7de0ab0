"""An application with something of everything in it, called without a server."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from labellerr_loopback.app import create_app
from labellerr_loopback.behaviour import Behaviour, Credentials, Delays, Limits
from labellerr_loopback.control_token import HEADER, REVIEW
from labellerr_loopback.faults import Faults
from labellerr_loopback.state import State
from segtrack.base.labellerr_api import STATUSES
from tests.labellerr_loopback.conftest import HEADERS, coco, jpeg
from tests.labellerr_loopback.test_refusals import contents
from tests.labellerr_loopback.video import small_video

CREDENTIALS = Credentials("KEY", "SECRET", "CID")
TOKEN = HEADER.lower()
JSON: dict[str, str | None] = {"content-type": "application/json"}
NEW_ID = "00000000-0000-4000-8000-000000000000"
RING = [10, 10, 30, 10, 30, 30, 10, 30]
ROTATIONS = ("annotation", "review", "client_review")


class World:
    """An application with something of everything, which can be brought back to that."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.state = State(folder)
        self.state._db.execute("PRAGMA synchronous = OFF")  # no waiting for the disk
        self.faults = Faults()
        limits = Limits(body_bytes=100_000, annotation_bytes=100_000, upload_bytes=100_000)
        behaviour = Behaviour(CREDENTIALS, Delays(0, 0, 0), limits=limits)
        self.token = behaviour.token
        self.app = create_app(self.state, behaviour, self.faults, lambda client: None)
        self.paths = self.app.openapi()["paths"]
        self.schemas = self.app.openapi()["components"]["schemas"]
        self.runner = asyncio.Runner()
        self.known = self._fill(folder)
        self._rows = sqlite3.connect(":memory:", check_same_thread=False)
        self.state._db.backup(self._rows)
        objects = (p for p in (folder / "objects").rglob("*") if p.is_file())
        self._objects = {path: path.read_bytes() for path in objects}
        self.before = contents(folder)

    def close(self) -> None:
        self.runner.close()
        self._rows.close()
        self.state.close()

    def call(
        self,
        method: str,
        path: str,
        query: Any = "",
        body: bytes = b"",
        headers: dict[str, str | None] | None = None,
    ) -> tuple[int, bytes]:
        """Status and body of the answer; what the application raises is raised.

        Credentials and token are good; ``headers`` replace them, or leave them out by None.
        """
        query = query if isinstance(query, str) else urlencode(query, doseq=True)
        known = {**HEADERS, "host": "127.0.0.1", TOKEN: self.token}
        sent = {k: v for k, v in {**known, **(headers or {})}.items() if v is not None}
        scope = {
            "type": "http",
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": path,
            "raw_path": quote(path).encode(),
            "root_path": "",
            "query_string": query.encode(),
            "headers": [(k.encode(), v.encode("latin-1")) for k, v in sent.items()],
            "server": ("127.0.0.1", 80),
            "client": ("127.0.0.1", 1),
        }
        answer: dict[str, Any] = {"status": 0, "body": b""}

        waiting = [{"type": "http.request", "body": body, "more_body": False}]

        async def receive() -> dict[str, Any]:
            if not waiting:
                await asyncio.Event().wait()  # the client stays
            return waiting.pop()

        async def send(message: dict[str, Any]) -> None:
            answer["status"] = message.get("status", answer["status"])
            answer["body"] += message.get("body", b"")

        self.runner.run(self.app(scope, receive, send))
        return answer["status"], answer["body"]

    def ask(self, method: str, path: str, query: Any = "", body: Any = None) -> Any:
        content = b"" if body is None else json.dumps(body).encode()
        status, text = self.call(method, path, query, content, JSON)
        assert status == 200, text
        return json.loads(text)["response"]

    def look(self) -> None:
        """Whatever was taken can be shown and exported."""
        for row in self.state.all("SELECT id FROM projects"):
            project = {"project_id": row["id"]}
            self.ask("GET", f"/_emulator/projects/{row['id']}/files")
            wish = {"export_name": "e", "export_format": "coco_json", "statuses": list(STATUSES)}
            content = json.dumps(wish).encode()
            path = "/sdk/export/files"
            status, text = self.call(
                "POST", path, project, content, {"content-type": "application/json"}
            )
            assert status in (200, 400), text
            if status == 200:
                report = json.loads(text)["response"]["report_id"]
                self.ask("POST", "/exports/status", project, {"report_ids": [report]})
                project["report_id"] = report
                link = self.ask("GET", "/exports/download", project)["url"]
                target, _, query = link.removeprefix("http://127.0.0.1").partition("?")
                assert plain(self.call("GET", target, query)[1])["images"]
            self._look_at_pages(row["id"])
        self.ask("GET", "/annotations/list_questions_templates")
        self.ask("GET", "/project_drafts/projects/detailed_list")
        self.ask("GET", "/datasets/list", {"page_size": 100})

    def _look_at_pages(self, project: str) -> None:
        home = f"{REVIEW}{self.token}/"
        rows = self.state.all("SELECT file_id FROM project_files WHERE project_id = ?", (project,))
        files = [f"{home}projects/{project}/files/{row[0]}/" for row in rows]
        for address in (home, f"{home}projects/{project}/", *files):
            status, text = self.call("GET", address, {"show": "low"})
            assert status == 200, text
        for address in files:
            status, text = self.call("GET", f"{address}answers")
            assert status == 200, text
            assert plain(text)["response"]["status"] in STATUSES

    def changed(self) -> bool:
        """Whether anything is other than at first; if so, brings it back."""
        self.faults.clear()
        if contents(self.folder) == self.before:
            return False
        with self.state._lock:
            self._rows.backup(self.state._db)
        for path in list((self.folder / "objects").rglob("*")):
            if path.is_file() and path not in self._objects:
                path.unlink()
        for path, data in self._objects.items():
            path.write_bytes(data)
        return True

    def _upload(self, files: dict[str, bytes]) -> tuple[str, str, str]:
        """Ids of the connection, of an upload and of a session."""
        path = "/connectors/connect/local"
        made = self.ask("POST", path, body={"file_names": list(files)})
        session = ""
        for (name, link), data in zip(
            made["resumable_upload_links"].items(), files.values(), strict=True
        ):
            upload, _, query = link.removeprefix("http://127.0.0.1").partition("?")
            status, _ = self.call("POST", upload, query, headers={"x-goog-resumable": "start"})
            assert status == 201
            row = self.state.one("SELECT session FROM uploads WHERE file_name = ?", (name,))
            assert row is not None
            session = row[0]
            self.call("PUT", f"/storage/session/{session}", body=data, headers=span(data))
        return made["temporary_connection_id"], upload.rsplit("/", 1)[1], session

    def _fill(self, folder: Path) -> dict[str, list[Any]]:
        """Ids by the names of the parameters that take them."""
        images = {name: jpeg(folder, name) for name in ("a.jpg", "b.JPG")}
        known: dict[str, list[Any]] = {}
        projects, datasets, files, templates = [], [], [], []
        for data_type, content in (
            ("image", images),
            ("video", {"c.mp4": small_video(4, (64, 48), 10)}),
        ):
            connection, upload, session = self._upload(content)
            body = {"dataset_name": "d", "data_type": data_type, "path": "local"}
            body["connection_id"] = connection
            dataset = self.ask("POST", "/datasets/create", body=body)["dataset_id"]
            self.ask("GET", f"/datasets/{dataset}")
            question = {"question_number": 1, "question": "car", "option_type": "polygon"}
            template = self.ask(
                "POST",
                "/annotations/create_template",
                {"data_type": data_type},
                {"templateName": "t", "questions": [{**question, "color": "#ff0000"}]},
            )["template_id"]
            body = {
                "project_name": "p",
                "attached_datasets": [dataset],
                "data_type": data_type,
                "annotation_template_id": template,
                "rotations": {f"{name}_rotation_count": 1 for name in ROTATIONS},
            }
            projects.append(self.ask("POST", "/projects/create", body=body)["project_id"])
            datasets.append(dataset)
            templates.append(template)
            found = self.ask("GET", "/search/files/all", {"dataset_id": dataset})["files"]
            files += [file["file_id"] for file in found]
        direct = f"{projects[0]}/coco_json-x.json"
        query = {"purpose": "pre-annotations", "file_name": direct}
        link = self.ask("GET", "/connectors/direct-upload-url", query)
        path, _, signature = link.removeprefix("http://127.0.0.1").partition("?")
        answers = json.dumps(coco(["a.jpg"], ["car"], [(0, 0, RING)])).encode()
        assert self.call("PUT", path, signature, answers)[0] == 200
        query = {"project_id": projects[0], "answer_format": "coco_json", "gcs_path": direct}
        jobs = [self.ask("POST", "/actions/upload_answers", query)["job_id"] for _ in range(2)]
        self.ask("GET", "/actions/upload_answers_status", {**query, "job_id": jobs[0]})
        wish = {"export_name": "e", "export_format": "coco_json", "statuses": ["None"]}
        project = {"project_id": projects[0]}
        reports = [
            self.ask("POST", "/sdk/export/files", project, wish)["report_id"] for _ in range(2)
        ]
        self.ask("POST", "/exports/status", project, {"report_ids": reports[:1]})
        row = self.state.one("SELECT id FROM answers")
        assert row is not None
        frame = {"frame_number": 1}
        body = {"project_id": projects[1], "file_id": files[2], "keyframes": [frame]}
        self.ask("POST", "/actions/add_update_keyframes", body=body)
        half, resumable, unfinished = self._half()
        known["connection_id"] = known["temporary_connection_id"] = [connection, half]
        known["upload_id"], known["session"] = [upload, resumable], [session, unfinished]
        known["dataset_id"] = known["last_dataset_id"] = known["attached_datasets"] = datasets
        known["file_id"] = known["file_ids"] = files
        known["next_search_after"] = known["after"] = files
        known["file_name"] = known["file_names"] = ["a.jpg", "b.JPG", "c.mp4", direct]
        known["project_id"], known["gcs_path"] = projects, [direct]
        known["template_id"] = known["annotation_template_id"] = templates
        known["job_id"], known["name"] = jobs, [path.rsplit("/", 1)[1]]
        known["report_id"] = known["report_ids"] = reports
        known["answer_id"], known["question"] = [row[0]], ["car"]
        known["token"], known["id"], known["removed"] = [self.token], [row[0], NEW_ID], [row[0]]
        known["question_id"] = [q["question_id"] for q in self._questions()]
        known["revision"] = [0, 1, 2]
        known["status"] = known["new_status"] = known["statuses"] = list(STATUSES[:7])
        known["answer_format"] = ["coco_json", "video_json"]
        known["purpose"], known["option_type"] = ["pre-annotations"], ["polygon", "BoundingBox"]
        known["search_queries"] = [{"status": "None"}, {"file_name": ["a.jpg"]}, {"status": [1]}]
        known["question_ids"] = ["all"]
        return known

    def _questions(self) -> list[dict[str, Any]]:
        rows = self.state.all("SELECT questions FROM templates")
        return [question for row in rows for question in json.loads(row["questions"])]

    def _half(self) -> tuple[str, str, str]:
        """A connection whose only upload is begun and not finished."""
        path = "/connectors/connect/local"
        made = self.ask("POST", path, body={"file_names": ["half.jpg"]})
        link = made["resumable_upload_links"]["half.jpg"].removeprefix("http://127.0.0.1")
        upload, _, query = link.partition("?")
        self.call("POST", upload, query, headers={"x-goog-resumable": "start"})
        row = self.state.one("SELECT session FROM uploads WHERE file_name = 'half.jpg'")
        assert row is not None
        return made["temporary_connection_id"], upload.rsplit("/", 1)[1], row[0]


def plain(data: bytes) -> Any:
    """JSON as its standard has it, without NaN and Infinity."""

    def refuse(text: str) -> None:
        raise AssertionError(f"{text} in JSON")

    return json.loads(data, parse_constant=refuse)


def span(data: bytes) -> dict[str, str]:
    return {"content-range": f"bytes 0-{len(data) - 1}/{len(data)}"}
