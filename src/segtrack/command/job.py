"""One run: from a composed configuration to a finished MLflow run and its result."""

from __future__ import annotations

import datetime
import difflib
import os
import platform
import shlex
import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from segtrack.base.errors import SegtrackError, StageError
from segtrack.base.files import digest
from segtrack.base.names import inside
from segtrack.command.composition import flatten, to_settings
from segtrack.settings import Settings, plain
from segtrack.store import Store


def run_job(config: DictConfig) -> float | None:
    """Run one composed configuration; called by Hydra, once per run or cell.

    Returns:
        The value of ``objective``, or None.

    Raises:
        SegtrackError: what was wrong; the MLflow run has ended as FAILED.
    """
    settings = to_settings(config)
    hydra = HydraConfig.get()
    output = Path(hydra.runtime.output_dir)
    if settings.plan:
        from segtrack.pipeline import Planner

        print("\n".join(Planner(settings, Store(Path(settings.store))).lines()))
        return None
    # ultralytics keeps its own settings there instead of in the user's home.
    os.environ.setdefault("SEGTRACK_HOME", str(Path(settings.store).resolve()))
    # Only now: everything above must fail within a second.
    from segtrack import journal as journals
    from segtrack.annotation import require_access
    from segtrack.pipeline import RunFacts, Runner, needs_platform

    if needs_platform(settings):
        require_access(settings.labellerr)
    overrides = [o for o in hydra.overrides.task if not o.lstrip("+").startswith("parent_run=")]
    swept = _swept(settings, overrides)
    name = settings.mlflow.run_name or _run_name(settings, swept)
    commit, dirty = git_state()
    code = config_hash(settings)
    chosen = hydra.runtime.choices.items()
    choices = {f"choice.{k}": str(v) for k, v in chosen if v and "/" not in k}
    tags = {
        "config.hash": code,
        "git.commit": commit,
        "git.dirty": str(dirty).lower(),
        "command": shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]]),
        "overrides": " ".join(overrides),
        "output": str(output),
        **choices,
    }
    composed = OmegaConf.to_container(config, resolve=True, enum_to_str=True)
    assert isinstance(composed, dict)
    with journals.record(settings.mlflow, name, tags, settings.parent_run) as journal:
        print(f"run {name} ({journal.run_id})", flush=True)
        flat = flatten({str(k): v for k, v in composed.items()})
        journal.params({**swept, **{k: v for k, v in flat.items() if k not in swept}})
        journal.text(OmegaConf.to_yaml(config, resolve=True), "config.yaml")
        journal.text("\n".join(overrides) + "\n", "overrides.txt")
        journal.text(environment(), "environment.txt")
        facts = RunFacts(
            mlflow_run_id=journal.run_id,
            config_hash=code,
            git_commit=commit,
            created_at=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        )
        runner = Runner(settings, Store(Path(settings.store)), journal, output, facts)
        try:
            runner.run()
        except (SegtrackError, KeyboardInterrupt):
            raise
        except OSError as error:
            if error.errno is None:
                raise
            where = error.filename or output
            raise StageError(f"cannot write or read {where}: {error.strerror}") from error
        except sqlite3.OperationalError as error:
            # Those of the store; disk full, locked, not writable. MLflow's have their own family.
            raise StageError(f"cannot write or read in {settings.store}: {error}") from error
        value = _objective(settings, journal.latest, [name for _, name in runner.names])
        journal.flush()
    if settings.parent_run is None:
        _print_summary(journal.latest, runner.videos, output, settings)
    return value


def git_state() -> tuple[str, bool]:
    """The commit of the code that runs and whether files differ from it; empty outside git."""
    folder = Path(__file__).resolve().parent
    try:
        commit = _git(folder, "rev-parse", "HEAD")
        return commit, bool(_git(folder, "status", "--porcelain", "--untracked-files=no"))
    except (OSError, subprocess.CalledProcessError):
        return "", False


def config_hash(settings: Settings) -> str:
    """Digest of everything that decides results; where they are recorded does not."""
    values = plain(settings)
    for key in ("mlflow", "parent_run", "plan", "store", "objective"):
        values.pop(key)
    return digest(values)[:16]


def environment() -> str:
    """Machine and installed packages, one per line."""
    head = [
        f"python {platform.python_version()}",
        f"platform {platform.platform()}",
        f"cpu cores {os.cpu_count()}",
    ]
    packages = {f"{d.metadata['Name']}=={d.version}" for d in distributions()}
    return "\n".join([*head, *sorted(packages, key=str.lower)]) + "\n"


def _git(folder: Path, *words: str) -> str:
    command = ["git", "-C", str(folder), *words]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=20)
    return done.stdout.strip()


def _swept(settings: Settings, overrides: list[str]) -> dict[str, str]:
    """The values that distinguish this cell from its siblings, else all that were overridden."""
    pairs = {key.lstrip("+"): value for key, _, value in (o.partition("=") for o in overrides)}
    if settings.parent_run is None:
        return pairs
    from segtrack.journal import sweep_keys

    keys = sweep_keys(settings.mlflow, settings.parent_run)
    return {key: pairs[key] for key in keys if key in pairs}


def _run_name(settings: Settings, swept: dict[str, str]) -> str:
    """``yolov8s-seg track_thresh=0.4``: the model and what was swept."""
    words = [f"{key.rsplit('.', 1)[-1]}={value}" for key, value in swept.items() if key != "model"]
    return " ".join([settings.model.name, *(words or [settings.tracker.name])])


def _objective(settings: Settings, metrics: dict[str, float], names: Sequence[str]) -> float | None:
    if settings.objective is None:
        return None
    wanted = inside(names, settings.objective)
    # Where the data set divides its sequences, a sweep must not choose by those that test it.
    group, _, rest = wanted.partition("/")
    tuning = f"{group}/tuning/{rest}"
    if group == "track" and tuning in metrics:
        return metrics[tuning]
    if wanted in metrics:
        return metrics[wanted]
    near = difflib.get_close_matches(wanted, metrics, n=3, cutoff=0.3)
    raise SegtrackError(
        f"objective={settings.objective}: this run made no metric of that name; near ones: "
        f"{', '.join(near) or 'none'}."
    )


def _print_summary(
    metrics: dict[str, float], videos: list[Path], output: Path, settings: Settings
) -> None:
    from segtrack.report import table_text

    wanted = (
        *("mask_map50_95", "mask_map50", "box_map50_95", "box_map50"),
        *("hota", "mota", "idf1", "mask_hota", "motsa", "smotsa"),
    )
    groups = ("test/", "val/", "track/")
    rows: list[dict[str, Any]] = [
        {"metric": name, "value": f"{value:.3f}"}
        for name, value in metrics.items()
        if name.startswith(groups) and name.count("/") == 1 and name.split("/")[1] in wanted
    ]
    counts = [
        {"metric": name, "value": f"{value:.0f}"}
        for name, value in metrics.items()
        if name == "track/tracks" or (name.startswith("track/count/") and value)
    ]
    if rows or counts:
        print("\n" + table_text(rows + counts))
    for video in videos:
        print(f"annotated video  {_near(video)}")
    print(f"run folder       {_near(output)}")
    if settings.mlflow.uri.startswith("sqlite"):
        print("MLflow UI        make ui   (then open http://127.0.0.1:5000)")


def _near(path: Path) -> Path:
    try:
        return path.resolve().relative_to(Path.cwd())
    except ValueError:
        return path
