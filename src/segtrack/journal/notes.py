"""The description that MLflow's pages show of a run, and the report that it links to."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote, urlencode

from segtrack.base.names import storable
from segtrack.journal.artifacts import earlier_run
from segtrack.journal.database import sqlite_path
from segtrack.journal.pages import page_of, place_of
from segtrack.journal.tracking import client_of, told
from segtrack.journal.writing import Writer
from segtrack.settings import MlflowSettings

NOTE = "mlflow.note.content"
NOTE_LENGTH = 4900  # letters; MLflow's databases have room for so many in a tag
REPORT = "report"  # folder of the artifacts


def page_address(settings: MlflowSettings, run_id: str) -> str:
    """Where MLflow's pages show a run: on the server, or where ``make ui`` serves a file.

    Returns:
        The address; empty where only a database is known.

    Raises:
        SettingsError: there is no such run.
    """
    served = settings.uri.startswith(("http://", "https://"))
    if sqlite_path(settings.uri) is None and not served:
        return ""
    return page_of(settings.uri, earlier_run(settings, run_id).info.experiment_id, run_id)


def artifact_link(run_id: str, path: str) -> str:
    """The address of an artifact, as a link or picture of a description has it."""
    return f"get-artifact?{urlencode({'path': path, 'run_uuid': run_id})}"


def describe(settings: MlflowSettings, run_id: str, text: str) -> None:
    """Make Markdown the run's description.

    Args:
        text: at most ``NOTE_LENGTH`` letters; what is longer is cut.
    """
    client_of(settings.uri).set_tag(run_id, NOTE, storable(text)[:NOTE_LENGTH])


def keep_report(settings: MlflowSettings, run_id: str, page: Path) -> None:
    """Keep a report with the run, and link to it from the run's description.

    Raises:
        SegtrackError: there is no such run, or it cannot be written.
    """
    run = earlier_run(settings, run_id)
    with told(settings.uri):
        Writer(client_of(settings.uri), run_id).artifact(str(page), REPORT)
        place = place_of(run.info.experiment_id, run.info.run_id)
        link = f"[Report](<{place}/artifacts/{REPORT}/{quote(page.name)}>)"
        note = run.data.tags.get(NOTE, "")
        if link not in note:
            describe(settings, run_id, f"{link}\n\n{note}".strip())
