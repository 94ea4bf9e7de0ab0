"""Pre-annotations and exports over HTTP: what becomes of answers, both ways."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from segtrack.annotation.labellerr.answers import job_record
from segtrack.annotation.labellerr.http_creates import HttpCreates, new_uuid, response_of
from segtrack.annotation.labellerr.port import Export, Job, nothing_finished
from segtrack.annotation.labellerr.transport import Transport
from segtrack.annotation.labellerr.waiter import wait
from segtrack.base.bands import BANDS
from segtrack.base.errors import PlatformError, some
from segtrack.base.labellerr_api import FORMATS


class HttpAnswers(HttpCreates):
    """The part of ``HttpPlatform`` that sends answers and takes them back."""

    def __init__(self, http: Transport, timeout: float = 1800.0) -> None:
        self.http = http
        self.timeout = timeout

    # Pre-annotations

    def send_preannotations(
        self,
        project_id: str,
        path: Path,
        format: str = "coco_json",
        bucket: str | None = None,
        identity: str | None = None,
    ) -> str:
        if format not in FORMATS or bucket not in (None, *BANDS):
            raise PlatformError(
                f"pre-annotations as {format!r}, confidence {bucket!r}: the format must be one of "
                f"{', '.join(FORMATS)}, the confidence one of {', '.join(BANDS)} or none."
            )
        identity = identity or new_uuid()
        return self._upload_answers(project_id, path, format, bucket, identity)

    def job(self, project_id: str, job_id: str) -> Job:
        """State of a pre-annotation job."""
        path = "/actions/upload_answers_status"
        return job_record(self._get(path, {"project_id": project_id, "job_id": job_id}), job_id)

    def wait_job(self, project_id: str, job_id: str, timeout: float | None = None) -> Job:
        what = f"pre-annotation job {job_id} of project {project_id}"
        found = wait(
            lambda: self.job(project_id, job_id),
            lambda j: j.status in ("completed", "failed"),
            what,
            self.timeout if timeout is None else timeout,
            lambda j: j.status,
        )
        if found.status == "failed":
            raise PlatformError(f"{what} failed: check the file's format against the template.")
        problems = []
        if found.files_not_updated:
            problems.append(
                f"{len(found.files_not_updated)} files were not updated "
                f"({some(found.files_not_updated)})"
            )
        if found.unmatched > len(found.files_not_updated):
            problems.append(f"{found.unmatched} files did not arrive (unmatched_files)")
        if found.questions_ignored:
            problems.append(f"questions were ignored ({some(found.questions_ignored)})")
        if problems:
            raise PlatformError(
                f"{what} completed, but {' and '.join(problems)}. File names must equal the "
                "project's exactly, category names the template's questions, and every annotation "
                "needs a polygon."
            )
        return found

    # Exports

    def start_export(
        self,
        project_id: str,
        name: str,
        statuses: Sequence[str],
        format: str = "coco_json",
        updated_after: int = 0,
    ) -> str:
        try:
            return self._create_export(project_id, name, list(statuses), format, updated_after)
        except PlatformError as error:
            if "no files found" in str(error).lower():
                raise nothing_finished(project_id, statuses, error.status) from error
            raise

    def export_state(self, project_id: str, report_id: str) -> Export:
        """State of an export; the platform answers in ``status`` or in ``response``."""
        path = "/exports/status"
        query = {"project_id": project_id, "uuid": new_uuid()}
        document = self.http.call("POST", path, query, {"report_ids": [report_id]})
        for key in ("status", "response"):
            items = document.get(key)
            for raw in items if isinstance(items, list) else ():
                if isinstance(raw, Mapping) and raw.get("report_id") == report_id:
                    state = str(raw.get("export_status") or "")
                    return Export(report_id, bool(raw.get("is_completed")), state)
        return Export(report_id, False, "not listed")

    def wait_export(self, project_id: str, report_id: str, timeout: float | None = None) -> Export:
        what = f"export {report_id} of project {project_id}"
        found = wait(
            lambda: self.export_state(project_id, report_id),
            lambda e: (
                e.status.lower() == "failed"
                or (e.is_completed and e.status.lower() in ("created", ""))
            ),
            what,
            self.timeout if timeout is None else timeout,
            lambda e: e.status or "unknown",
        )
        if found.status.lower() == "failed":
            raise PlatformError(f"{what} failed at the platform: give the same command again.")
        return found

    def download_export(self, project_id: str, report_id: str, path: Path) -> Path:
        """Twice at most: a signed link may have expired in between."""
        try:
            return self.http.download(self._export_link(project_id, report_id), path)
        except PlatformError as error:
            if error.status not in (400, 403, 404, 410):
                raise
        return self.http.download(self._export_link(project_id, report_id), path)

    def _export_link(self, project_id: str, report_id: str) -> str:
        path = "/exports/download"
        query = {"project_id": project_id, "report_id": report_id, "uuid": new_uuid()}
        found = self.http.call("GET", path, query).get("response")
        link = found.get("url") if isinstance(found, Mapping) else found
        if not isinstance(link, str) or not link.startswith(("http://", "https://")):
            raise PlatformError(f"export {report_id}: the platform gave no link to download it.")
        return link

    # Helpers

    def _get(self, path: str, params: Mapping[str, Any]) -> Mapping[str, Any]:
        return response_of(self.http.call("GET", path, params), f"GET {path}")
