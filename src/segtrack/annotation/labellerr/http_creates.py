"""The calls that make things, over HTTP; ``SdkPlatform`` leaves them to the SDK."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from segtrack.annotation.labellerr.port import Question
from segtrack.annotation.labellerr.transport import Transport
from segtrack.base.errors import PlatformError

ROTATIONS = {
    "annotation_rotation_count": 1,
    "review_rotation_count": 1,
    "client_review_rotation_count": 1,
}
OCTETS = "application/octet-stream"


class HttpCreates:
    """Each creates once, without looking for what is there; all return the new id.

    ``identity`` is a uuid by which the platform may tell a repeated call from a new one.
    """

    http: Transport

    def _create_dataset(
        self, name: str, connection_id: str, data_type: str, identity: str, description: str
    ) -> str:
        body = {
            "dataset_name": name,
            "dataset_description": description,
            "data_type": data_type,
            "connection_id": connection_id,
            "path": "local",
            "client_id": self.http.credentials.client_id,
            "es_multimodal_index": False,
        }
        return self._id("/datasets/create", {"uuid": identity}, body, "dataset_id")

    def _create_template(
        self, name: str, questions: Sequence[Question], data_type: str, identity: str
    ) -> str:
        body = {
            "templateName": name,
            "questions": [
                {
                    "question_number": number,
                    "question": q.name,
                    "question_id": q.question_id or new_uuid(),
                    "required": False,
                    "options": [{"option_name": q.color}],
                    "color": q.color,
                    "option_type": q.kind,
                }
                for number, q in enumerate(questions, 1)
            ],
        }
        query = {"data_type": data_type, "uuid": identity}
        return self._id("/annotations/create_template", query, body, "template_id")

    def _create_project(
        self,
        name: str,
        dataset_ids: Sequence[str],
        template_id: str,
        data_type: str,
        identity: str,
    ) -> str:
        body = {
            "project_name": name,
            "attached_datasets": list(dataset_ids),
            "data_type": data_type,
            "annotation_template_id": template_id,
            "rotations": ROTATIONS,
            "use_ai": False,
            "created_by": None,
        }
        return self._id("/projects/create", {"uuid": identity}, body, "project_id")

    def _attach(self, project_id: str, dataset_ids: Sequence[str]) -> None:
        query = {"project_id": project_id, "uuid": new_uuid()}
        body = {"attached_datasets": list(dataset_ids)}
        self.http.call("POST", "/actions/jobs/add_datasets_to_project", query, body)

    def _assign(
        self, project_id: str, file_ids: Sequence[str], status: str, assign_to: str | None = None
    ) -> None:
        query = {"project_id": project_id, "uuid": new_uuid()}
        body: dict[str, Any] = {"file_ids": list(file_ids), "new_status": status}
        if assign_to is not None:
            body["assign_to"] = assign_to
        self.http.call("POST", "/actions/files/bulk_assign", query, body)

    def _upload_answers(
        self, project_id: str, path: Path, format: str, bucket: str | None, identity: str
    ) -> str:
        query = {
            "project_id": project_id,
            "answer_format": format,
            "uuid": identity,
            "conf_bucket": bucket,
        }
        # The API wants it there; like the other headers it is in no message.
        headers = {"email_id": self.http.credentials.api_key}
        part = {"file": (path.name, path.read_bytes(), OCTETS)}
        return self._id(
            "/actions/upload_answers", query, None, "job_id", files=part, headers=headers
        )

    def _create_export(
        self, project_id: str, name: str, statuses: list[str], format: str, updated_after: int = 0
    ) -> str:
        body: dict[str, Any] = {
            "export_name": name,
            "export_description": name,
            "export_format": format,
            "statuses": statuses,
            "export_destination": "local",
            "question_ids": ["all"],
        }
        if updated_after:
            body["updated_after_timestamp"] = updated_after
        return self._id("/sdk/export/files", {"project_id": project_id}, body, "report_id")

    def _id(self, path: str, query: Mapping[str, Any], body: Any, key: str, **kwargs: Any) -> str:
        answer = response_of(self.http.call("POST", path, query, body, **kwargs), f"POST {path}")
        if not answer.get(key):
            raise PlatformError(f"POST {path}: the answer has no {key}, only {sorted(answer)}.")
        return str(answer[key])


def response_of(document: Mapping[str, Any], what: str) -> Mapping[str, Any]:
    """The record in the envelope of an answer.

    Raises:
        PlatformError: there is none.
    """
    found = document.get("response")
    if isinstance(found, list) and len(found) == 1:
        found = found[0]
    if not isinstance(found, Mapping):
        raise PlatformError(f"{what}: the answer has no 'response' record; is this Labellerr?")
    return found


def new_uuid() -> str:
    """Identifies a call to the platform."""
    return str(uuid.uuid4())
