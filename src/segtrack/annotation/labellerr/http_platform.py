"""Labellerr over its HTTP API, without the SDK."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from segtrack.annotation.labellerr.answers import (
    dataset_record,
    file_record,
    project_record,
    record,
    records,
    template_record,
)
from segtrack.annotation.labellerr.http_answers import HttpAnswers
from segtrack.annotation.labellerr.http_creates import OCTETS, new_uuid, response_of
from segtrack.annotation.labellerr.port import (
    FAILED,
    Connection,
    DatasetRecord,
    FileRecord,
    ProjectRecord,
    Question,
    Template,
)
from segtrack.annotation.labellerr.transport import RETRIED, repeat_create
from segtrack.annotation.labellerr.waiter import wait
from segtrack.base.errors import PlatformError, some
from segtrack.base.labellerr_api import READY
from segtrack.base.retry import Again, retry

PAGE = 500  # records of one page
STATUSES_AT_ONCE = 500  # files of one call that sets a status


class HttpPlatform(HttpAnswers):
    """``Platform`` by plain calls. ``SdkPlatform`` replaces those that the SDK makes.

    Args:
        timeout: seconds that a wait takes at most where the call says nothing else.
    """

    transport = "http"

    @property
    def account(self) -> str:
        return self.http.account

    # Files

    def connect_files(self, names: Sequence[str], connection_id: str | None) -> Connection:
        body: dict[str, Any] = {"file_names": list(names)}
        if connection_id is not None:
            body["temporary_connection_id"] = connection_id
        path = "/connectors/connect/local"
        answer = response_of(self.http.call("POST", path, body=body), f"POST {path}")
        links = record(answer.get("resumable_upload_links"))
        missing = [name for name in names if name not in links]
        if missing:
            raise PlatformError(
                f"POST {path}: no upload link for {some(missing)}. Rename these files: the "
                "platform does not accept their names."
            )
        connection = str(answer.get("temporary_connection_id") or connection_id or "")
        return Connection(connection, {name: str(links[name]) for name in names})

    def send_file(self, link: str, path: Path) -> None:
        """Google Cloud Storage's resumable upload, in one piece: POST answers 201, PUT 200.

        A piece that was cut is not continued but begun anew: images are small. The file is read
        while it is sent: videos are not.
        """
        size = path.stat().st_size
        headers = {"x-goog-resumable": "start", "Content-Type": OCTETS, "Content-Length": "0"}
        span = {"Content-Type": OCTETS, "Content-Range": f"bytes 0-{size - 1}/{size}"}

        def attempt(_number: int) -> Again | None:
            start = self.http.request("POST", link, headers=headers, accept=(201,), signed=True)
            location = start.headers.get("Location")
            if not location:
                raise PlatformError(f"{path.name}: the storage gave no address to send it to.")
            try:
                with path.open("rb") as data:
                    self.http.request(
                        "PUT",
                        location,
                        headers=span,
                        data=data,
                        accept=(200, 201),
                        tries=1,
                        signed=True,
                    )
            except PlatformError as error:
                if not error.ambiguous and error.status not in RETRIED:
                    raise
                return Again(error)
            return None

        retry(attempt, self.http.patience.tries, self.http.patience.pause)

    # Data sets

    def datasets(self, data_type: str = "image") -> Iterator[DatasetRecord]:
        params: dict[str, Any] = {"data_type": data_type, "permission_level": "client"}
        last: str | None = None
        while True:
            page = response_of(
                self.http.call(
                    "GET",
                    "/datasets/list",
                    {**params, "page_size": PAGE, "uuid": new_uuid(), "last_dataset_id": last},
                ),
                "GET /datasets/list",
            )
            for raw in records(page.get("datasets")):
                yield dataset_record(raw)
            following = page.get("last_dataset_id")
            if not page.get("has_more") or not following or following == last:
                return
            last = str(following)

    def dataset(self, dataset_id: str) -> DatasetRecord:
        path = f"/datasets/{dataset_id}"
        return dataset_record({"dataset_id": dataset_id, **self._get(path, {"uuid": new_uuid()})})

    def find_dataset(
        self, name: str, files: Sequence[str], data_type: str = "image"
    ) -> DatasetRecord | None:
        same = [d for d in self.datasets(data_type) if d.name == name and d.status_code < FAILED]
        for found in same:
            if self._has_files(found, files):
                return found
        if same:
            raise PlatformError(
                f"data set {name!r} ({same[0].dataset_id}) exists with other files than the "
                f"{len(files)} to be sent: choose another name with labellerr.name=..., or delete "
                "it on the platform."
            )
        return None

    def ensure_dataset(
        self,
        name: str,
        connection_id: str,
        files: Sequence[str],
        data_type: str = "image",
        description: str = "",
    ) -> DatasetRecord:
        def find() -> str | None:
            found = self.find_dataset(name, files, data_type)
            return found.dataset_id if found else None

        identity = new_uuid()
        dataset_id = repeat_create(
            lambda: self._create_dataset(name, connection_id, data_type, identity, description),
            find,
            self.http.patience,
        )
        return self.dataset(dataset_id)

    def wait_dataset(self, dataset_id: str, timeout: float | None = None) -> DatasetRecord:
        found = wait(
            lambda: self.dataset(dataset_id),
            lambda d: d.status_code == READY or d.status_code >= FAILED,
            f"data set {dataset_id}",
            self.timeout if timeout is None else timeout,
            lambda d: f"{d.status_code} {d.progress}".strip(),
        )
        if found.status_code != READY:
            why = {500: "no permission, or it could not be processed", 501: "not found"}
            raise PlatformError(
                f"data set {dataset_id} ({found.name}) failed with status {found.status_code} "
                f"({why.get(found.status_code, found.progress or 'no reason given')}). Delete it "
                "on the platform and give the same command again, with the rights to make data "
                "sets."
            )
        return found

    def dataset_files(self, dataset_id: str) -> Iterator[FileRecord]:
        path = "/search/files/all"
        after: Any = None
        while True:
            params = {
                "sort_by": "created_at",
                "sort_order": "desc",
                "size": PAGE,
                "uuid": new_uuid(),
                "dataset_id": dataset_id,
                "next_search_after": after,
            }
            page = response_of(self.http.call("GET", path, params), f"GET {path}")
            files = records(page.get("files"))
            yield from (file_record(raw) for raw in files)
            following = page.get("next_search_after")
            if not files or not following or following == after:
                return
            after = following

    def delete_dataset(self, dataset_id: str) -> None:
        self.http.call("DELETE", f"/datasets/{dataset_id}/delete", {"uuid": new_uuid()})

    # Templates

    def template(self, template_id: str) -> Template:
        found = self._get(
            "/annotations/get_template", {"template_id": template_id, "uuid": new_uuid()}
        )
        template = template_record(found, template_id)
        if not template.questions:
            raise PlatformError(f"template {template_id} has no questions: it cannot be used.")
        return template

    def ensure_template(
        self, name: str, questions: Sequence[Question], data_type: str = "image"
    ) -> Template:
        wanted = [(q.name, q.kind) for q in questions]

        def find() -> str | None:
            for template_id in self._template_ids(name, data_type):
                found = self.template(template_id)
                if (
                    found.name in ("", name)
                    and [(q.name, q.kind) for q in found.questions] == wanted
                ):
                    return template_id
            return None

        identity = new_uuid()
        template_id = repeat_create(
            lambda: self._create_template(name, questions, data_type, identity),
            find,
            self.http.patience,
        )
        return self.template(template_id)

    # Projects

    def projects(self) -> Iterator[ProjectRecord]:
        path = "/project_drafts/projects/detailed_list"
        found = self.http.call("GET", path, {"uuid": new_uuid()}).get("response")
        # Two shapes are in the field: the list itself, or under "projects".
        listed = found.get("projects") if isinstance(found, Mapping) else found
        return iter([project_record(raw) for raw in records(listed)])

    def project(self, project_id: str) -> ProjectRecord:
        path = f"/projects/project/{project_id}"
        return project_record({"project_id": project_id, **self._get(path, {"uuid": new_uuid()})})

    def ensure_project(
        self, name: str, dataset_ids: Sequence[str], template_id: str, data_type: str = "image"
    ) -> ProjectRecord:
        def find() -> str | None:
            for listed in self.projects():
                if listed.name != name:
                    continue
                found = self.project(listed.project_id)  # the list may be short of details
                if found.template_id != template_id:
                    raise PlatformError(
                        f"project {name!r} ({found.project_id}) exists with another template "
                        f"({found.template_id}, not {template_id}): choose another name with "
                        "labellerr.name=..., or delete it on the platform."
                    )
                return found.project_id
            return None

        identity = new_uuid()
        project_id = repeat_create(
            lambda: self._create_project(name, dataset_ids, template_id, data_type, identity),
            find,
            self.http.patience,
        )
        self.attach(project_id, dataset_ids)
        return self.project(project_id)

    def attach(self, project_id: str, dataset_ids: Sequence[str]) -> None:
        there = set(self.project(project_id).dataset_ids)
        missing = [i for i in dataset_ids if i not in there]
        if missing:
            self._attach(project_id, missing)

    def delete_project(self, project_id: str) -> None:
        self.http.call("POST", f"/projects/delete/{project_id}", {"uuid": new_uuid()})

    def project_files(self, project_id: str) -> Iterator[FileRecord]:
        path = "/search/project_files"
        after: Any = None
        while True:
            body = {"search_queries": {}, "size": PAGE, "next_search_after": after}
            query = {"project_id": project_id, "uuid": new_uuid()}
            document = self.http.call("POST", path, query, body)
            found = record(document.get("response") or document)
            files = records(found.get("files"))
            yield from (file_record(raw) for raw in files)
            following = found.get("next_search_after")
            if not files or not following or following == after:
                return
            after = following

    def set_status(
        self, project_id: str, file_ids: Sequence[str], status: str, assign_to: str | None = None
    ) -> None:
        for start in range(0, len(file_ids), STATUSES_AT_ONCE):
            part = file_ids[start : start + STATUSES_AT_ONCE]
            self._assign(project_id, part, status, assign_to)

    # Helpers

    def _template_ids(self, name: str, data_type: str = "image") -> list[str]:
        """Templates that may have this name; older platforms cannot list them."""
        try:
            document = self.http.call(
                "GET",
                "/annotations/list_questions_templates",
                {"data_type": data_type, "uuid": new_uuid()},
            )
        except PlatformError as error:
            if error.status in (404, 405):
                return []
            raise
        listed = records(document.get("response"))
        names = [raw.get("templateName") or raw.get("template_name") for raw in listed]
        pairs = zip(listed, names, strict=True)
        return [
            str(r["template_id"]) for r, n in pairs if r.get("template_id") and n in (None, name)
        ]

    def _has_files(self, found: DatasetRecord, files: Sequence[str]) -> bool:
        """Whether a data set may be the one of these files; not processed yet, it may."""
        if found.status_code != READY:
            return found.files_count in (0, len(files))
        if found.files_count != len(files):
            return False
        return {f.file_name for f in self.dataset_files(found.dataset_id)} == set(files)
