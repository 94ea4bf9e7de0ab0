"""Kill commands at random moments, again and again, and look whether anything is lost.

    nice -n 10 python scripts/soak.py --minutes 60 --seed 1
    python scripts/soak.py --rounds 3 --commands prepare --undisturbed 1     # a short one

A round takes a command in a project folder, kills it once to three times (SIGKILL, SIGTERM, Ctrl-C
or SIGHUP, to the process or to its group, some beside a second command), and gives it once more to
its end. Moments are spread over the command's duration, and over the seconds in which its database,
its run and its results begin. A project lasts for a few rounds; then every command of it must
give what it gave in a project that nothing disturbed. What undisturbed ones do not have in
common (times, what was sent now) is not compared, nor the numbers of a training that was continued.

After each kill: the MLflow database is whole, so is each result in the store; a polite kill ended
within seconds with 130 and one line, its run is KILLED; no process is left. After each command that
ended well: no run is RUNNING, no lock is held. At a project's end: equal numbers and files, nothing
half made anywhere, nothing twice on the platform.

Exit code 1 at the first violation; the project's folder is kept. The same seed makes the same
choices, at moments that depend on the machine. Needs Linux.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import os
import random
import re
import shlex
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from filelock import FileLock, Timeout

from segtrack.store import Store

ROOT = Path(__file__).resolve().parents[1]
RUN = [sys.executable, str(ROOT / "src" / "run.py")]
STORE = [sys.executable, "-m", "segtrack.store"]
TINY = [
    *("trainer=smoke", "trainer.imgsz=64", "trainer.epochs=2", "model.imgsz=64"),
    *("dataset.train=6", "dataset.val=3", "dataset.test=3", "dataset.pool=3", "dataset.workers=1"),
    *("dataset.width=192", "dataset.height=128", "dataset.video_seconds=0.8", "dataset.fps=10"),
    *("model.weights=shipped", "evaluation.gallery=1"),
]
COMMANDS: dict[str, list[str]] = {
    "prepare": [*RUN, *TINY, "stages=[prepare]"],
    "demo": [*RUN, *TINY],
    "track": [*RUN, *TINY, "stages=[prepare,evaluate,track]"],
    "sweep": [*RUN, *TINY, "stages=[prepare,track]", "-m", "tracker.track_thresh=0.3,0.5"],
    "video": [*RUN, *TINY, "stages=[track]", "video=video.mp4"],
    "push": [*RUN, "stages=[prepare,push]", "dataset=yolo", "dataset.path=raw"],
    "plan": [*RUN, *TINY, "plan=true"],
    "verify": [*STORE, "verify"],
    "gc": [*STORE, "gc", "--days", "0"],
}
LASTING = ("prepare", "demo", "track", "sweep", "video", "push")  # what leaves something
WEIGHTS = {"demo": 4, "track": 3, "sweep": 3, "video": 3, "push": 3, "prepare": 2, "gc": 1}
ON_PLATFORM = {"demo", "push"}  # one process at a time holds a run's own platform
SIGNALS = (
    *[signal.SIGKILL] * 3,
    *[signal.SIGTERM] * 3,
    *[signal.SIGINT] * 3,
    signal.SIGHUP,
)
STARTING = 2.0  # s in which Python itself may not listen yet, while nothing is printed
POLITE = 60.0  # s that a polite end may take on a busy machine
LIMIT = 900.0  # s
INTERRUPTED = "interrupted; the same command continues where this one stopped"
HALF = re.compile(r"\.partial\b|\.new$|\.tmp$|\.broken-|-journal$|-wal$|-shm$")


class Violation(Exception):
    """Something was lost, or is not as it should be."""


@dataclass
class Killed:
    """A command that was sent signals, or ended before them."""

    code: int
    out: str
    err: str
    seconds: float
    sent: list[tuple[int, float]]


@dataclass
class Project:
    """A folder in which commands are killed.

    Attributes:
        begun: commands that were given. trained: a training was cut short, so that it continued.
    """

    folder: Path
    begun: list[str] = field(default_factory=list)
    trained: bool = False

    @property
    def database(self) -> Path:
        return self.folder / "mlruns" / "mlflow.db"

    @property
    def store(self) -> Path:
        return self.folder / ".segtrack"

    def runs(self) -> list[tuple[str, str]]:
        """Id and status of each run, first started first."""
        if not self.database.exists():
            return []
        with _opened(self.database) as db:
            return list(db.execute("SELECT run_uuid, status FROM runs ORDER BY start_time"))


class Soak:
    """Projects, one after the other, and what undisturbed ones hold."""

    def __init__(self, folder: Path, seed: int, commands: Sequence[str]) -> None:
        self.folder, self.seed = folder, seed
        self.commands = [name for name in COMMANDS if name in commands]
        self.lasting = [name for name in LASTING if name in commands]
        self.seconds: dict[str, float] = {}
        self.counts: collections.Counter[tuple[str, str]] = collections.Counter()
        self.project: Project | None = None
        self.projects = self.left = 0

    def prepare(self, projects: int) -> None:
        """Make what to compare with: what undisturbed projects have in common.

        The last of them gives its commands twice.
        """
        for number in range(1, projects + 1):
            project = self._new(f"undisturbed-{number}")
            for name in self.lasting:
                done = self.finish(project, name)
                self.seconds[name] = done.seconds
                print(f"undisturbed {number}: {name} in {done.seconds:.1f} s", flush=True)
            self._compare(project, first=number == 1)
        for name in self.lasting:
            self.finish(project, name)
        self._compare(project)
        if not any(self.metrics.values()):
            raise Violation("undisturbed projects have nothing in common")
        print(
            f"compared: {sum(map(len, self.metrics.values()))} metrics, {len(self.files)} files",
            flush=True,
        )

    def _compare(self, project: Project, first: bool = False) -> None:
        metrics, files, platform = self._metrics(project), _files(project), _platform(project)
        if first:
            self.metrics, self.files, self.platform = metrics, files, platform
        self.metrics, self.files = _common(self.metrics, metrics), _common(self.files, files)
        if self.platform != platform:
            raise Violation(f"undisturbed platforms differ: {self.platform}, {platform}")

    def round(self, number: int) -> None:
        """Kill a command a few times, then give it to its end; look at everything."""
        draw = random.Random(f"{self.seed}/{number}")
        if self.project is None:
            self.projects += 1
            self.project, self.left = self._new(f"project-{self.projects}"), draw.randint(3, 7)
        project = self.project
        weights = [WEIGHTS.get(name, 1) for name in self.commands]
        (name,) = draw.choices(self.commands, weights)
        beside = draw.choice(self.commands) if draw.random() < 0.2 else None
        if beside in ON_PLATFORM and name in ON_PLATFORM:
            beside = None
        polite = True
        for _ in range(draw.choice((1, 1, 2, 3))):
            if name not in LASTING and not project.store.is_dir():
                break
            killed = self._kill(number, project, name, beside, draw)
            polite = polite and all(s != signal.SIGKILL for s, _ in killed.sent)
            self._look(project, killed, polite)
            if killed.code == 0:
                break
        if name in LASTING or project.store.is_dir():
            self.seconds[name] = self.finish(project, name).seconds
        self.left -= 1
        if not self.left:
            self._conclude(project)
            self.project = None

    def finish(self, project: Project, name: str) -> Killed:
        """The command to its end, which must be a good one."""
        if name in LASTING and name not in project.begun:
            project.begun.append(name)
        done = _run(project, name, lambda _: [])
        if done.code or "Traceback" in done.out + done.err:
            raise Violation(f"{name} does not end well: exit {done.code}\n{done.out}\n{done.err}")
        running = [run for run, status in project.runs() if status == "RUNNING"]
        if running and name in LASTING:
            raise Violation(f"after {name}, which ended well, these are RUNNING: {running}")
        self._whole(project)
        return done

    def _kill(
        self, number: int, project: Project, name: str, beside: str | None, draw: random.Random
    ) -> Killed:
        moment, when = self._moment(project, name, draw)
        what, group = draw.choice(SIGNALS), draw.random() < 0.5
        twice = draw.uniform(0.05, 1.5) if draw.random() < 0.2 else None
        plan = [(what, 0.0)] + ([(what, twice)] if twice is not None else [])
        if name in LASTING and name not in project.begun:
            project.begun.append(name)
        with _beside(project, beside if beside != "gc" or name != "gc" else None):
            killed = _run(project, name, lambda begin: _sent(plan, moment(begin)), group)
        training = any((project.store / "partial" / "train").glob("*/run"))
        project.trained = project.trained or training
        signals = "+".join(signal.Signals(s).name for s, _ in killed.sent) or "none"
        if killed.sent:
            kind = "group" if group else "process"
            self.counts[name, f"{signals} {kind}"] += 1
        print(
            f"round {number} seed {self.seed} {project.folder.name}: {name}"
            f"{f' beside {beside}' if beside else ''}, {signals} to the "
            f"{'group' if group else 'process'} at {when}"
            f"{f' ({killed.sent[0][1]:.2f} s)' if killed.sent else ''} -> "
            f"{killed.code} after {killed.seconds:.1f} s",
            flush=True,
        )
        return killed

    def _moment(
        self, project: Project, name: str, draw: random.Random
    ) -> tuple[Callable[[_Begun], float], str]:
        """When to kill, given what has begun (infinity: not known yet); and its description."""
        after = draw.uniform(0, 1.5)
        kind = draw.choice(("time", "time", "time", "run", "begin"))
        if name not in LASTING or kind == "time":
            at = draw.uniform(0, 1.05 * self.seconds.get(name, 6.0))
            return lambda _: at, f"{at:.2f} s"
        if kind == "run":
            return lambda begun: begun.at("run", b"\nrun ") + after, f"run + {after:.2f} s"
        if not project.database.exists():
            place, after = project.folder / "mlruns", 2 * after
        else:
            place = project.store / "partial"
        there = set(place.glob("*/*"))

        def begin(begun: _Begun) -> float:
            new = place.exists() and (set(place.glob("*/*")) - there or place.name == "mlruns")
            return begun.when(place.name, bool(new)) + after

        return begin, f"{place.name} + {after:.2f} s"

    def _look(self, project: Project, killed: Killed, polite: bool) -> None:
        """After a kill."""
        self._whole(project)
        if not killed.sent or killed.code == 0:
            if killed.code:
                raise Violation(f"it was not killed: exit {killed.code}\n{killed.err}")
            return
        number, at = killed.sent[0]
        early = at < STARTING and not killed.out
        if number == signal.SIGKILL:
            if killed.code != -signal.SIGKILL:
                raise Violation(f"exit {killed.code} after SIGKILL\n{killed.err}")
            return
        # A second signal may come when all is said and done and the process is going.
        gone = len(killed.sent) > 1 and INTERRUPTED in killed.err and killed.code == -number
        if killed.code != 130 and not gone and not (early and killed.code in (-number, 1)):
            raise Violation(f"exit {killed.code}, not 130\n{killed.out}\n{killed.err}")
        if early and killed.code != 130:
            return
        if "Traceback" in killed.err + killed.out and not early:
            raise Violation(f"a traceback\n{killed.err}")
        if killed.err.count(INTERRUPTED) != 1 and not early:
            raise Violation(f"the line is not there once\n{killed.err}")
        if polite and any(status == "RUNNING" for _, status in project.runs()):
            raise Violation(f"a run is RUNNING after a polite end\n{killed.out}\n{killed.err}")

    def _whole(self, project: Project) -> None:
        """Nothing is damaged, whatever happened."""
        if project.database.exists():
            with _opened(project.database) as db:
                (answer,) = db.execute("PRAGMA integrity_check").fetchone()
                db.execute("SELECT COUNT(*) FROM experiments, latest_metrics").fetchone()
            if answer != "ok":
                raise Violation(f"{project.database}: {answer}")
        for folder, why in Store(project.store).damaged():
            raise Violation(f"{folder}: {why}")
        for lock in project.folder.rglob("*.lock"):
            try:
                with FileLock(lock).acquire(timeout=5):
                    pass
            except Timeout as error:
                raise Violation(f"{lock} is held, and nobody runs") from error

    def _conclude(self, project: Project) -> None:
        """All that was begun, to its end, is as in the project that nothing disturbed."""
        for name in project.begun:
            self.finish(project, name)
        found = self._metrics(project)
        for name in project.begun:
            for key, value in self.metrics[name].items():
                one = found[name].get(key)
                if one is None or (one != value and not (project.trained and name == "demo")):
                    raise Violation(f"{name}: {key} is {one}, undisturbed {value}")
        for place, content in _files(project).items():
            if self.files.get(place, content) != content:
                raise Violation(f"{place} differs from the undisturbed one")
        half = [p for p in project.folder.rglob("*") if HALF.search(p.name)]
        half += list((project.store / "partial").glob("*/*"))
        if half:
            raise Violation(f"left behind: {half}")
        self._once(project)
        print(f"{project.folder.name}: as if undisturbed ({', '.join(project.begun)})", flush=True)
        shutil.rmtree(project.folder)

    def _once(self, project: Project) -> None:
        names = [n for n in project.begun if n in ON_PLATFORM]
        there = _platform(project)
        for table, count in there.items():
            most = self.platform[table]
            if count > most or (set(names) == ON_PLATFORM & set(self.commands) and count != most):
                raise Violation(f"platform: {count} {table}, undisturbed {most}")

    def _metrics(self, project: Project) -> dict[str, dict[str, float]]:
        """Of the last run of each command that ended well, by command."""
        found: dict[str, dict[str, float]] = {name: {} for name in LASTING}
        with _opened(project.database) as db:
            rows = db.execute(
                "SELECT t.value, r.run_uuid FROM runs r JOIN tags t USING (run_uuid) "
                "WHERE t.key = 'command' AND r.status = 'FINISHED' ORDER BY r.start_time"
            ).fetchall()
            for command, run in rows:
                for name in LASTING:
                    if _typed(COMMANDS[name]) == _typed(shlex.split(command)):
                        values = db.execute(
                            "SELECT key, value FROM latest_metrics WHERE run_uuid = ?", (run,)
                        )
                        new = {k: v for k, v in values if not k.startswith(("builds/", "speed/"))}
                        # Cells of a sweep carry its command as well: the parent has no metrics.
                        found[name] = {**(found[name] if name == "sweep" else {}), **new}
        return found

    def _new(self, name: str) -> Project:
        folder = self.folder / name
        _make_inputs(folder)
        return Project(folder)


class _Begun:
    """What of a command has begun, and when, in seconds after its start."""

    def __init__(self, output: Path) -> None:
        self.start = time.monotonic()
        self.output = output
        self.known: dict[str, float] = {}

    @property
    def now(self) -> float:
        return time.monotonic() - self.start

    def at(self, name: str, text: bytes) -> float:
        return self.when(name, name in self.known or text in b"\n" + self.output.read_bytes())

    def when(self, name: str, there: bool) -> float:
        if there:
            self.known.setdefault(name, self.now)
        return self.known.get(name, float("inf"))


def _sent(plan: Sequence[tuple[int, float]], moment: float) -> list[tuple[int, float]]:
    return [(number, moment + later) for number, later in plan]


def _run(
    project: Project,
    name: str,
    plan: Callable[[_Begun], list[tuple[int, float]]],
    group: bool = False,
) -> Killed:
    """Run a command and send it what ``plan`` says, at its moments."""
    with tempfile.TemporaryDirectory() as scratch:
        out, err = Path(scratch, "out"), Path(scratch, "err")
        with out.open("wb") as to, err.open("wb") as errors:
            process = _start(project, name, to, errors)
        begun, sent = _Begun(out), list[tuple[int, float]]()
        while process.poll() is None:
            due = plan(begun)
            if len(sent) < len(due) and begun.now >= due[len(sent)][1]:
                number = due[len(sent)][0]
                sent.append((number, begun.now))
                with contextlib.suppress(ProcessLookupError):
                    (os.killpg if group else os.kill)(process.pid, number)
            limit = sent[0][1] + POLITE if sent else LIMIT
            if begun.now > limit:
                os.killpg(process.pid, signal.SIGKILL)
                raise Violation(f"{name} goes on {begun.now:.0f} s after its start; sent {sent}")
            time.sleep(0.01)
        seconds = begun.now
        until = time.monotonic() + 20
        while left := _session(process.pid):
            if time.monotonic() > until:
                os.killpg(process.pid, signal.SIGKILL)
                raise Violation(f"{name} ended and left processes {left}")
            time.sleep(0.05)
        texts = [p.read_text(errors="replace") for p in (out, err)]
        return Killed(process.returncode, texts[0], texts[1], seconds, sent)


@contextlib.contextmanager
def _beside(project: Project, name: str | None) -> Iterator[None]:
    """A second command in the same project, to its end, which must be a good one."""
    if name is None or (name not in LASTING and not project.store.is_dir()):
        yield
        return
    with tempfile.TemporaryFile() as output:
        process = _start(project, name, output, output)
        try:
            yield
            code = process.wait(timeout=LIMIT)
        finally:
            process.kill()
        output.seek(0)
        if code:
            raise Violation(f"{name} beside it: exit {code}\n{output.read().decode()}")


def _start(project: Project, name: str, out: Any, err: Any) -> subprocess.Popen[bytes]:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("LABELLERR_")}
    environment |= {"PYTHONPATH": str(ROOT / "src"), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        COMMANDS[name],
        cwd=project.folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=out,
        stderr=err,
        start_new_session=True,
    )


def _session(leader: int) -> list[int]:
    """Processes of a session that has lost its leader, without zombies."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, _, _, session = path.read_text().rsplit(")", 1)[1].split()[:4]
            if int(session) == leader and state != "Z":
                found.append(int(path.parent.name))
    return found


def _make_inputs(folder: Path) -> None:
    """A video, and images without labels."""
    images = folder / "raw" / "images"
    images.mkdir(parents=True)
    (folder / "raw" / "data.yaml").write_text("path: .\npool: images\nnames: [car, person]\n")
    for i in range(12):
        cv2.imwrite(str(images / f"raw-{i:02}.png"), np.full((48, 64, 3), 20 * i, np.uint8))
    video = cv2.VideoWriter(
        str(folder / "video.mp4"), cv2.VideoWriter.fourcc(*"mp4v"), 10.0, (128, 96)
    )
    for i in range(12):
        picture = np.full((96, 128, 3), 90, np.uint8)
        picture[30:60, 5 * i : 5 * i + 40] = (20, 40, 200)
        video.write(picture)
    video.release()


def _files(project: Project) -> dict[str, Any]:
    """What the store holds: the facts of each file of a result, by stage, key and name.

    A training that was continued has other weights, by whose digest what follows from it is kept.
    """
    return {
        f"{entry.name}/{entry.key}/{name}": tuple(facts.items())
        for entry in Store(project.store).entries()
        if not (project.trained and entry.name == "train")
        for name, facts in entry.call["files"].items()
        if name != "metrics.jsonl"  # with what it took; the runs' metrics are compared
    }


def _platform(project: Project) -> dict[str, int]:
    """How many of each thing a run's own platform holds."""
    state = project.store / "labellerr" / "emulator" / "state.db"
    if not state.exists():
        return {}
    tables = ("datasets", "files", "projects", "templates", "jobs", "project_files")
    with _opened(state) as db:
        return {t: db.execute(f"SELECT COUNT(*) FROM {t}").fetchone()[0] for t in tables}


def _common(one: Any, other: Any) -> Any:
    """The entries of two nested dictionaries that are equal."""
    if not isinstance(one, dict) or not isinstance(other, dict):
        return one
    return {
        key: _common(value, other[key])
        for key, value in one.items()
        if key in other and (isinstance(value, dict) or value == other[key])
    }


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    with contextlib.closing(sqlite3.connect(path, timeout=30)) as database:
        yield database


def _typed(words: Sequence[str]) -> list[str]:
    return sorted(word for word in words if "=" in word and not word.startswith("parent_run="))


def main() -> int:
    """Soak for as long as told; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10.0, help="no round begins afterwards")
    parser.add_argument("--rounds", type=int, help="this many, instead of minutes")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--commands", nargs="+", choices=list(COMMANDS), default=list(COMMANDS))
    parser.add_argument("--undisturbed", type=int, default=2, help="projects to compare with")
    parser.add_argument("--folder", type=Path, help="where to work (default: a temporary folder)")
    options = parser.parse_args()
    for one in (signal.SIGINT, signal.SIGHUP):
        if signal.getsignal(one) is signal.SIG_IGN:  # as behind nohup: commands would inherit it
            signal.signal(one, lambda *_: None)
    folder = Path(tempfile.mkdtemp(prefix="soak-", dir=options.folder))
    soak = Soak(folder, options.seed, options.commands)
    number, begin = 0, time.monotonic()
    try:
        soak.prepare(options.undisturbed)
        begin = time.monotonic()
        while (
            number < options.rounds
            if options.rounds
            else time.monotonic() - begin < 60 * options.minutes
        ):
            number += 1
            soak.round(number)
        if soak.project is not None:
            soak._conclude(soak.project)
    except Violation as error:
        print(f"VIOLATION in round {number}, seed {options.seed}, in {folder}: {error}", flush=True)
        return 1
    finally:
        for (name, kind), count in sorted(soak.counts.items()):
            print(f"{count:5}  {name}: {kind}")
        spent = (time.monotonic() - begin) / 60
        print(f"{sum(soak.counts.values())} kills in {number} rounds, {spent:.1f} minutes")
    shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
