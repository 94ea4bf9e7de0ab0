"""Labellerr through its official SDK, where that is installed: what the SDK does well.

The SDK creates data sets, templates and projects, attaches, starts pre-annotations and exports, and
deletes. Uploads and waits are this package's own, since the SDK has no resume, no time-outs and
waits for ever; lists too, since it makes one call per entry. Its calls go through ``Transport``.

Written for the main line (November 2025, which calls itself 1.0.0); what changed in 1.1 is told by
what the installed one offers, not by its version, which does not say.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from segtrack.annotation.labellerr.credentials import Credentials
from segtrack.annotation.labellerr.http_creates import ROTATIONS
from segtrack.annotation.labellerr.http_platform import HttpPlatform
from segtrack.annotation.labellerr.port import Question
from segtrack.annotation.labellerr.transport import Transport
from segtrack.base.errors import PlatformError, SettingsError

INSTALL = "python scripts/install_labellerr_sdk.py"
T = TypeVar("T")
_NEEDED: dict[str, tuple[str, ...]] = {
    "labellerr": (),
    "labellerr.core.client": ("LabellerrClient",),
    "labellerr.core.constants": ("BASE_URL", "ANNOTATION_FORMAT"),
    "labellerr.core.datasets": ("LabellerrDataset", "create_dataset_from_connection"),
    "labellerr.core.annotation_templates": ("LabellerrAnnotationTemplate", "create_template"),
    "labellerr.core.projects": ("LabellerrProject", "create_project"),
    "labellerr.core.schemas": ("DatasetConfig", "CreateProjectParams", "RotationConfig"),
    "labellerr.core.schemas.annotation_templates": ("AnnotationQuestion", "CreateTemplateParams"),
}


def sdk_problem() -> str | None:
    """Why the SDK cannot be used here, or None where it can."""
    try:
        for name, members in _NEEDED.items():
            module = importlib.import_module(name)
            missing = [m for m in members if not hasattr(module, m)]
            if missing:
                return _older(f"{missing[0]} in {name}")
    except ModuleNotFoundError as error:
        if error.name == "labellerr":
            return f"labellerr-sdk is not installed; install it with {INSTALL}"
        if (error.name or "").startswith("labellerr."):
            return _older(f"module {error.name}")
        return f"labellerr-sdk lacks what it needs ({error}); install it anew with {INSTALL}"
    except Exception as error:  # an SDK that breaks on import is one that cannot be used
        return f"labellerr-sdk cannot be imported ({type(error).__name__}: {error})"
    return None


class SdkPlatform(HttpPlatform):
    """``Platform`` with the SDK doing what it can.

    Raises:
        SettingsError: the SDK is not installed, or too old.
    """

    transport = "sdk"

    def __init__(self, http: Transport, timeout: float = 1800.0) -> None:
        super().__init__(http, timeout)
        problem = sdk_problem()
        if problem:
            raise SettingsError(
                f"labellerr.transport=sdk: {problem}, or use labellerr.transport=http."
            )
        self._sdk: dict[str, Any] = {n: importlib.import_module(n) for n in _NEEDED}
        self._constants: Any = self._sdk["labellerr.core.constants"]
        # One known release points at a development server. The address is read at every call.
        self._constants.BASE_URL = http.url
        self._client = self._new_client(http.credentials)

    def _new_client(self, credentials: Credentials) -> Any:
        module = self._sdk["labellerr.core.client"]
        client = module.LabellerrClient(
            credentials.api_key, credentials.api_secret, credentials.client_id
        )
        if not hasattr(client, "_session"):
            raise SettingsError(
                "labellerr.transport=sdk: this labellerr-sdk makes its calls in a way that is not "
                f"known here; install the main line with {INSTALL}, or use "
                "labellerr.transport=http."
            )
        client.close()
        client._session = self.http  # time-outs, retries and errors of ours
        return client

    def _create_dataset(
        self, name: str, connection_id: str, data_type: str, identity: str, description: str
    ) -> str:
        about = {"dataset_name": name, "data_type": data_type, "dataset_description": description}
        config = self._schema("DatasetConfig", **about)
        module = self._sdk["labellerr.core.datasets"]
        with self._domain_errors(f"creating data set {name!r}"):
            made = module.create_dataset_from_connection(
                self._client, config, connection_id, path="local"
            )
            return _id_of(made, "dataset_id")

    def _create_template(
        self, name: str, questions: Sequence[Question], data_type: str, identity: str
    ) -> str:
        schemas = self._sdk["labellerr.core.schemas.annotation_templates"]
        module = self._sdk["labellerr.core.annotation_templates"]
        with self._domain_errors(f"creating template {name!r}"):
            params = schemas.CreateTemplateParams(
                template_name=name,
                data_type=data_type,
                questions=[
                    schemas.AnnotationQuestion(
                        question_number=number,
                        question=q.name,
                        question_type=q.kind,
                        required=False,
                        color=q.color,
                        **({"question_id": q.question_id} if q.question_id else {}),
                    )
                    for number, q in enumerate(questions, 1)
                ],
            )
            made = module.create_template(self._client, params)
            return _id_of(made, "annotation_template_id", "template_id")

    def _create_project(
        self,
        name: str,
        dataset_ids: Sequence[str],
        template_id: str,
        data_type: str,
        identity: str,
    ) -> str:
        datasets = self._sdk["labellerr.core.datasets"]
        templates = self._sdk["labellerr.core.annotation_templates"]
        params = self._schema(
            "CreateProjectParams",
            project_name=name,
            data_type=data_type,
            rotations=self._schema("RotationConfig", **ROTATIONS),
        )
        with self._domain_errors(f"creating project {name!r}"):
            made = self._sdk["labellerr.core.projects"].create_project(
                self._client,
                params,
                [datasets.LabellerrDataset(self._client, i) for i in dataset_ids],
                templates.LabellerrAnnotationTemplate(self._client, template_id),
            )
            return _id_of(made, "project_id")

    def _attach(self, project_id: str, dataset_ids: Sequence[str]) -> None:
        with self._domain_errors(f"attaching data sets to project {project_id}"):
            self._project(project_id).attach_dataset_to_project(dataset_ids=list(dataset_ids))

    def _assign(
        self, project_id: str, file_ids: Sequence[str], status: str, assign_to: str | None = None
    ) -> None:
        more = {} if assign_to is None else {"assign_to": assign_to}
        with self._domain_errors(f"setting statuses in project {project_id}"):
            self._project(project_id).bulk_assign_files(list(file_ids), status, **more)

    def delete_dataset(self, dataset_id: str) -> None:
        module = self._sdk["labellerr.core.datasets"]
        with self._domain_errors(f"deleting data set {dataset_id}"):
            module.delete_dataset(self._client, dataset_id)

    def _upload_answers(
        self, project_id: str, path: Path, format: str, bucket: str | None, identity: str
    ) -> str:
        if format not in self._constants.ANNOTATION_FORMAT:
            return super()._upload_answers(project_id, path, format, bucket, identity)
        with self._domain_errors(f"sending {path.name} to project {project_id}"):
            project = self._project(project_id)
            # It would wait for the job without end, _async too: give back the id at once.
            project.preannotation_job_status_async = _same
            job_id = project.upload_preannotations(format, str(path), bucket, _async=True)
        if not isinstance(job_id, str):
            raise PlatformError(
                f"project {project_id}: this labellerr-sdk starts pre-annotations in a way that is "
                "not known here. They may have been sent: look at the project, and use "
                "labellerr.transport=http."
            )
        return job_id

    def _create_export(
        self, project_id: str, name: str, statuses: list[str], format: str, updated_after: int = 0
    ) -> str:
        values: dict[str, Any] = {
            "export_name": name,
            "export_description": name,
            "export_format": format,
            "statuses": statuses,
        }
        newer = hasattr(self._sdk["labellerr.core.projects"].LabellerrProject, "list_exports")
        allowed = getattr(self._constants, "LOCAL_EXPORT_STATUS", statuses)
        # What the SDK does not know of formats, statuses and times goes past it.
        known = format in ("coco_json", "json", "csv", "png") and not updated_after
        if not known or (not newer and not set(statuses) <= set(allowed)):
            return super()._create_export(project_id, name, statuses, format, updated_after)
        with self._domain_errors(f"exporting project {project_id}"):
            project = self._project(project_id)
            if newer:  # 1.1 wants its own object where the main line fails on it
                made = project.create_export(self._schema("CreateExportParams", **values))
            else:
                made = project.create_local_export(values)
            return _id_of(made, "report_id")

    def _project(self, project_id: str) -> Any:
        return self._sdk["labellerr.core.projects"].LabellerrProject(self._client, project_id)

    def _schema(self, name: str, **values: Any) -> Any:
        with self._domain_errors(f"the settings of {name}"):
            return getattr(self._sdk["labellerr.core.schemas"], name)(**values)

    @contextmanager
    def _domain_errors(self, what: str) -> Iterator[None]:
        """Whatever the SDK raises (five unrelated families) as our one error."""
        # Two platforms may live in one process, and the SDK knows one address only.
        self._constants.BASE_URL = self.http.url
        try:
            yield
        except PlatformError:
            raise
        except Exception as error:
            cause = _platform_error(error)
            if cause is not None:
                raise cause from error
            said = self.http.credentials.hide(" ".join(str(error).split()))[:300]
            raise PlatformError(
                f"{what}: the SDK failed ({type(error).__name__}: {said}). Check the value that it "
                "names; labellerr.transport=http does without the SDK."
            ) from error


def _id_of(made: Any, *names: str) -> str:
    """The id of what the SDK made, by the first of its names that the installed SDK has.

    Raises:
        AttributeError: it has none of them, or an empty one.
    """
    for name in names:
        if found := getattr(made, name, None):
            return str(found)
    have = [name for name in vars(type(made)) if not name.startswith("_")]
    raise AttributeError(f"{type(made).__name__} has no {' or '.join(names)}, only {have}")


def _older(what: str) -> str:
    return (
        f"the installed labellerr-sdk has no {what}: it is older than its main line of November "
        f"2025; install that with {INSTALL}"
    )


def _same(job_id: T) -> T:
    return job_id


def _platform_error(error: BaseException) -> PlatformError | None:
    """Ours, where the SDK wrapped it into one of its own."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, PlatformError):
            return seen
        seen = seen.__cause__ or seen.__context__
    return None
