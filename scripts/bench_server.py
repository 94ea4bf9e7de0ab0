"""Cells of a sweep that record at one moment: is every record there, and how long does it take?

    python scripts/bench_server.py               200 cells, 8 processes, PostgreSQL and S3
    python scripts/bench_server.py --against     the same into a SQLite file, as mlflow=local
    python scripts/bench_server.py --uri http://HOST:5000 --cells 12 --processes 2
    python scripts/bench_server.py --sweep joblib_cells --processes 2       a real sweep; its plugin
                                              comes with `make .venv-hydra-1.4/.installed`

Each cell is recorded by segtrack's own journal under one parent: 50 parameters, 200 values of 10
metrics, 5 tags, 3 artifacts. Then all of it is read back and compared, value by value. Without
``--uri`` it starts what ``scripts/team_server.py`` starts. Exit code 1 where anything is missing.

With ``--sweep`` the cells are those of ``segtrack -m`` by a launcher of Hydra's, of a tracker on
detections that they share. The same command is given once more with mlflow=local, which takes all
results out of the store: each cell must have left the same on the server as in that file.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))
from team_server import CannotStart, TeamServer

from segtrack import journal as journals
from segtrack.base.metrics import Metric
from segtrack.settings import MlflowMode, MlflowSettings

PARAMS, NAMES, STEPS, TAGS = 50, 10, 20, 5
FILES = {"results.json": 2_000, "config.txt": 500, "weights/best.pt": 100_000}  # bytes
ROOT = Path(__file__).resolve().parents[1]
SMALL = [  # one video of 8 frames, found out about once for all cells
    *("stages=[prepare,track]", "model.weights=shipped", "model.imgsz=64", "render.enabled=false"),
    *("dataset.train=1", "dataset.val=1", "dataset.test=1", "dataset.pool=0", "dataset.width=192"),
    *("dataset.height=128", "dataset.video_seconds=0.8", "dataset.fps=10", "mlflow.run_name=all"),
]
# What differs from command to command, and files that name the command or the run.
OTHERS = (
    *("mlflow.", "segtrack.", "builds/", "stage.", "choice.mlflow", "overrides", "parent_run"),
    *("output", "command", "git."),
)
TOLD = "config.yaml", "overrides.txt", "environment.txt", "segtrack.log", "results.json"
RECORDS = PARAMS + NAMES * STEPS + TAGS + len(FILES)  # of one cell


def main() -> int:
    """Exit code 0; 1 where a record is missing or nothing can be started."""
    parser = argparse.ArgumentParser(description="Many cells that record at one moment.")
    parser.add_argument("--cells", type=int, default=200)
    parser.add_argument("--processes", type=int, default=8)
    parser.add_argument("--workers", type=int, default=2, help="of MLflow's server")
    parser.add_argument("--database", choices=("postgres", "sqlite"), default="postgres")
    parser.add_argument("--uri", help="of a server that is there")
    parser.add_argument("--sweep", metavar="LAUNCHER", help="joblib_cells, ray_cells ...")
    parser.add_argument("--against", action="store_true", help="measure mlflow=local too")
    parser.add_argument("--folder", type=Path, help="for all that is made; default: a new one")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    os.environ["MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR"] = "false"  # a bar per artifact read back
    results: dict[str, dict[str, Any]] = {}
    with contextlib.ExitStack() as stack:
        folder = asked.folder or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        folder.mkdir(parents=True, exist_ok=True)
        if asked.folder is None:
            folder.chmod(0o711)  # the database's user has to reach it
        try:
            with _server(asked, folder / "server") as uri:
                settings = MlflowSettings(mode=MlflowMode.server, uri=uri, timeout=30)
                if asked.sweep:
                    results["server"] = measure_sweep(settings, asked, folder / "sweep")
                else:
                    results["server"] = measure(settings, asked.cells, asked.processes)
        except CannotStart as error:
            print(f"bench_server.py: {error}", file=sys.stderr)
            return 1
        if asked.against and not asked.sweep:
            local = MlflowSettings(
                uri=f"sqlite:///{folder / 'mlflow.db'}", artifacts=str(folder / "artifacts")
            )
            results["local"] = measure(local, asked.cells, asked.processes)
    if asked.json:
        print(json.dumps(results, indent=1))
    else:
        for name, found in results.items():
            how = f"{asked.cells} cells, {asked.processes} processes"
            took = f"{found['seconds']:.1f} s, {found['records_per_s']:.0f} records/s"
            back = f"{found['compared']} compared, {len(found['missing'])} missing or different"
            print(f"{name:8} {how}: {took}; read back in {found['read_s']:.1f} s, {back}")
        if len(results) > 1:
            ratio = results["server"]["seconds"] / results["local"]["seconds"]
            print(f"server / local: {ratio:.2f} times the seconds")
    missing = [one for found in results.values() for one in found["missing"]]
    for one in missing[:20]:
        print(one, file=sys.stderr)
    return 1 if missing else 0


@contextlib.contextmanager
def _server(asked: argparse.Namespace, folder: Path) -> Iterator[str]:
    if asked.uri is not None:
        yield asked.uri
        return
    with TeamServer(folder, workers=asked.workers, database=asked.database) as server:
        yield server.uri


def measure(settings: MlflowSettings, cells: int, processes: int) -> dict[str, Any]:
    """Record ``cells`` cells in as many processes, and read them back."""
    journals.connect(settings)
    with journals.record(settings, "bench", {}) as parent:
        begun = time.perf_counter()
        _in_processes(_record, settings, parent.run_id, range(cells), processes)
        seconds = time.perf_counter() - begun
    begun = time.perf_counter()
    children = journals.cells(settings, parent.run_id)
    count = Counter(run.info.run_name for run in children)
    times = {cell: count[f"cell {cell}"] for cell in range(cells)}
    missing = [f"cell {cell}: {runs} runs" for cell, runs in times.items() if runs != 1]
    rows = [(int(run.info.run_name.split()[1]), run.info.run_id) for run in children]
    found = _in_processes(_differences, settings, parent.run_id, rows, processes)
    return {
        "seconds": seconds,
        "records_per_s": cells * RECORDS / seconds,
        "read_s": time.perf_counter() - begun,
        "compared": len(children) * RECORDS,
        "missing": missing + [line for lines in found for line in lines],
    }


def measure_sweep(
    settings: MlflowSettings, asked: argparse.Namespace, folder: Path
) -> dict[str, Any]:
    """A sweep of ``segtrack -m`` on the server, and what each of its cells left there."""
    folder.mkdir()
    database, kept = folder / "mlflow.db", str(folder / "artifacts")
    local = MlflowSettings(uri=f"sqlite:///{database}", artifacts=kept)
    on_server = ["mlflow=server", f"mlflow.uri={settings.uri}"]
    seconds = _swept(on_server, asked, folder)
    _swept([f"mlflow.uri={local.uri}", f"mlflow.artifacts={kept}"], asked, folder)
    begun = time.perf_counter()
    found, wanted = (
        _recorded(one, folder / name) for name, one in (("there", settings), ("here", local))
    )
    missing = [f"{cell}: {len(runs)} runs" for cell, runs in found.items() if len(runs) != 1]
    missing += [f"{cell}: no run" for cell in wanted.keys() - found.keys()]
    for cell in wanted.keys() & found.keys():
        there, here = found[cell][0], wanted[cell][0]
        names = [name for name in there.keys() | here.keys() if there.get(name) != here.get(name)]
        missing += [
            f"{cell}: {n}: {there.get(n)!r}, not {here.get(n)!r}"[:300] for n in sorted(names)
        ]
    if len(wanted) != asked.cells:
        missing.append(f"{len(wanted)} of {asked.cells} cells in the file")
    records = sum(len(one) for runs in found.values() for one in runs)
    return {
        "seconds": seconds,
        "records_per_s": records / seconds,
        "read_s": time.perf_counter() - begun,
        "compared": records,
        "missing": missing,
    }


def _swept(words: list[str], asked: argparse.Namespace, folder: Path) -> float:
    """Seconds of the command."""
    how = {
        "joblib_cells": [f"hydra.launcher.n_jobs={asked.processes}"],
        "ray_cells": ["hydra.launcher.ray.remote.num_cpus=1"],
    }
    values = ",".join(f"{0.2 + 0.6 * i / max(1, asked.cells - 1):.4f}" for i in range(asked.cells))
    command = [
        *(sys.executable, str(ROOT / "src" / "run.py"), "-m", f"hydra/launcher={asked.sweep}"),
        *(*how.get(asked.sweep, []), f"tracker.track_thresh={values}", *SMALL, *words),
    ]
    env = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    begun = time.perf_counter()
    subprocess.run(command, cwd=folder, env=env, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - begun


def _recorded(settings: MlflowSettings, into: Path) -> dict[str, list[dict[str, Any]]]:
    """By the setting of a cell what its runs hold: numbers, texts, and digests of files; without
    what is another one each time that the same is done."""
    client, experiment = journals.connect(settings)
    runs = client.search_runs([experiment])  # the newest first; a server may have others
    parent = next(run for run in runs if "mlflow.parentRunId" not in run.data.tags)
    found: dict[str, list[dict[str, Any]]] = {}
    for run in journals.cells(settings, parent.info.run_id):
        data, one = run.data, {"status": run.info.status}
        one |= {f"param {k}": v for k, v in data.params.items() if not k.startswith(OTHERS)}
        one |= {f"metric {k}": v for k, v in data.metrics.items() if not k.startswith(OTHERS)}
        one |= {f"tag {k}": v for k, v in data.tags.items() if not k.startswith(OTHERS)}
        place = into / run.info.run_id
        place.mkdir(parents=True)
        kept = Path(client.download_artifacts(run.info.run_id, "", str(place)))
        for path in sorted(path for path in kept.rglob("*") if path.is_file()):
            told = "there" if path.name in TOLD else hashlib.sha256(path.read_bytes()).hexdigest()
            one[f"file {path.relative_to(kept).as_posix()}"] = told
        found.setdefault(data.params["tracker.track_thresh"], []).append(one)
    return found


def _in_processes(
    work: Callable[..., Any], settings: MlflowSettings, parent: str, items: Any, processes: int
) -> list[Any]:
    import mlflow.tracking  # noqa: F401 (once, before the processes fork)

    with multiprocessing.get_context("fork").Pool(processes) as pool:
        return pool.starmap(work, [(settings, parent, item) for item in items], chunksize=1)


def _value(cell: int, name: int, step: int) -> float:
    return (cell * 7919 + name * 104729 + step * 1299709) % 1000003 / 1000003


def _texts(cell: int) -> tuple[dict[str, str], dict[str, str]]:
    params = {f"group.param_{n}": f"{cell}-{n}" for n in range(PARAMS)}
    return params, {f"tag_{n}": f"{cell}/{n}" for n in range(TAGS)}


def _bytes(cell: int, name: str) -> bytes:
    return (f"{cell} {name} " * FILES[name])[: FILES[name]].encode()


def _record(settings: MlflowSettings, parent: str, cell: int) -> None:
    params, tags = _texts(cell)
    with (
        tempfile.TemporaryDirectory() as scratch,
        journals.record(settings, f"cell {cell}", tags, parent) as journal,
    ):
        journal.params(params)
        for step in range(STEPS):
            for name in range(NAMES):
                journal.metric(Metric(f"val/metric_{name}", _value(cell, name, step), step))
        for file in FILES:
            path = Path(scratch, file)
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(_bytes(cell, file))
            journal.artifact(path, Path(file).parent.as_posix().strip("."))


def _differences(settings: MlflowSettings, parent: str, row: tuple[int, str]) -> list[str]:
    cell, run_id = row
    params, tags = _texts(cell)
    client, _ = journals.connect(settings)
    run = client.get_run(run_id)
    found = [] if run.info.status == "FINISHED" else [f"cell {cell}: is {run.info.status}"]
    found += [f"cell {cell}: {k}" for k, v in params.items() if run.data.params.get(k) != v]
    found += [f"cell {cell}: {k}" for k, v in tags.items() if run.data.tags.get(k) != v]
    for name in range(NAMES):
        rows = client.get_metric_history(run_id, f"val/metric_{name}")
        wanted = [(step, _value(cell, name, step)) for step in range(STEPS)]
        if sorted((int(one.step), float(one.value)) for one in rows) != wanted:
            found.append(f"cell {cell}: val/metric_{name} has {len(rows)} of {STEPS} values")
    with tempfile.TemporaryDirectory() as scratch:
        kept = journals.Artifacts(settings, run, Path(scratch))
        for file in FILES:
            try:
                if kept.fetch(file).read_bytes() != _bytes(cell, file):
                    found.append(f"cell {cell}: {file} differs")
            except Exception as error:
                found.append(f"cell {cell}: {file}: {error}")
    return found


if __name__ == "__main__":
    sys.exit(main())
