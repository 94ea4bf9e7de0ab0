"""Python commands in processes of their own, without the seconds that their imports take.

``Forks(modules)`` is a process that has imported ``modules``, once: also all of a ``PACKAGE.*``,
and called what is named as ``MODULE:FUNCTION``. ``start`` and ``run`` take a command as
``subprocess`` does, ``[sys.executable, "-m", MODULE, WORDS...]``. Its process is a fork of that
one, with its own folder, environment, output, signals and exit code; it begins and ends as Python
begins and ends a program: ``__main__``, ``sys.path``, ``sys.argv``, what is to be done at the end.

This file is also the program of the process that forks, so it imports nothing of this package.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import io
import json
import multiprocessing.process
import os
import pkgutil
import runpy
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import types
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
THERE = sys.platform == "linux"  # elsewhere each command is a process that imports everything
# What a command may find another value of than the process that forks did: read when a command
# runs. The others say how libraries are loaded, which has happened.
LATE = (
    *("SEGTRACK_PLUGINS", "SEGTRACK_STORE", "LABELLERR_", "MLFLOW_", "PYTEST_", "PYTHONPATH"),
    *("AWS_", "RAY_"),  # of libraries that no process which forks has imported
    *("NO_ALBUMENTATIONS_UPDATE", "TORCHINDUCTOR_CACHE_DIR"),  # what each training sets anew
    *("YOLO_", "ULTRALYTICS_", "GIT_PYTHON_REFRESH"),  # what segtrack sets for its libraries
    # What libraries set for themselves when they are imported, there as here, or at each training.
    *("TORCH_CPP_LOG_LEVEL", "TF_CPP_MIN_LOG_LEVEL", "KINETO_LOG_LEVEL", "NUMEXPR_MAX_THREADS"),
    *("PYTORCH_NVML_BASED_CUDA_CHECK", "KMP_DUPLICATE_LIB_OK", "KMP_INIT_AT_FORK"),
    *("_MLFLOW_TELEMETRY_SESSION_ID", "_RJEM_MALLOC_CONF", "CUBLAS_WORKSPACE_CONFIG"),
)
_LARGEST = 1 << 20  # bytes of a request


@dataclass(frozen=True)
class Outcome:
    """What a command left: its exit code (of a signal: minus its number), and what it printed."""

    code: int
    out: str
    err: str


class Running:
    """A command that was started; as much of ``subprocess.Popen`` as tests need."""

    def __init__(self, command: Sequence[str], pid: int, told: int, out: Any, err: Any) -> None:
        self.command, self.pid = command, pid
        self.returncode: int | None = None
        self._told, self._out, self._err = told, out, err

    @property
    def out(self) -> str:
        """What it has printed so far."""
        return _text(self._out)

    @property
    def err(self) -> str:
        """What it has printed to stderr so far; empty where that goes to stdout."""
        return "" if self._err is self._out else _text(self._err)

    def poll(self) -> int | None:
        """The exit code; None while it runs."""
        return self._look(0)

    def wait(self, timeout: float | None = None) -> int:
        """The exit code, once it has ended.

        Raises:
            subprocess.TimeoutExpired: it has not, after that many seconds; it runs on.
        """
        code = self._look(timeout)
        if code is None:
            assert timeout is not None
            raise subprocess.TimeoutExpired(list(self.command), timeout, self.out, self.err)
        return code

    def _look(self, timeout: float | None) -> int | None:
        if self.returncode is None and select.select([self._told], [], [], timeout)[0]:
            said = os.read(self._told, 99)
            os.close(self._told)
            assert said, "the process that forks has died"
            self.returncode = int(said)
        return self.returncode

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """What it printed, once it has ended."""
        self.wait(timeout)
        return self.out, self.err

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def __enter__(self) -> Running:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        self.wait()
        self._out.close()
        self._err.close()


class Forks:
    """A process that has imported ``modules`` and forks for each command."""

    def __init__(self, *modules: str) -> None:
        self.modules = modules
        self._process: subprocess.Popen[bytes] | None = None
        self._former: list[subprocess.Popen[bytes]] = []
        self._environment: dict[str, str] = {}
        self._control: socket.socket | None = None

    def run(
        self,
        command: Sequence[str],
        cwd: Path,
        env: Mapping[str, str] | None = None,
        timeout: float = 560,
    ) -> Outcome:
        """Run a command to its end.

        Raises:
            subprocess.TimeoutExpired: it was killed after ``timeout`` seconds.
        """
        with self.start(command, cwd, env) as running:
            out, err = running.communicate(timeout)
            assert running.returncode is not None
            return Outcome(running.returncode, out, err)

    def start(
        self,
        command: Sequence[str],
        cwd: Path,
        env: Mapping[str, str] | None = None,
        merged: bool = False,
    ) -> Running:
        """Start a command.

        Args:
            command: ``sys.executable``, then a script, or ``-m`` and a module, or ``-c`` and code;
                then words.
            cwd: its folder. env: its environment (default: that of this process).
            merged: stderr goes where stdout goes.
        """
        assert command[0] == sys.executable
        assert not command[1].startswith("-") or command[1] in ("-m", "-c"), command
        given = dict(os.environ if env is None else env)
        out = tempfile.TemporaryFile()  # noqa: SIM115 (Running closes it)
        err = out if merged else tempfile.TemporaryFile()  # noqa: SIM115
        ours, theirs = os.pipe()
        try:
            if THERE:
                pid = self._ask(list(command[1:]), cwd, given, [out.fileno(), err.fileno(), theirs])
            else:
                pid = _fresh(command, cwd, given, out, err, theirs)
        finally:
            os.close(theirs)
        return Running(command, pid, ours, out, err)

    def _ask(self, words: list[str], cwd: Path, env: dict[str, str], fds: list[int]) -> int:
        # A library that a test has imported may have changed this process's own environment.
        if self._early(os.environ):
            self._leave()
        if self._process is None or self._process.poll() is not None:
            self._begin()
        early = self._early(env)
        assert not early, f"{early}: read when a library is loaded; use subprocess"
        assert self._control is not None
        request = json.dumps([words, str(cwd), env]).encode()
        assert len(request) < _LARGEST
        socket.send_fds(self._control, [request], fds)
        return int(self._control.recv(99))

    def _early(self, env: Mapping[str, str]) -> list[str]:
        """What differs from the environment of the process that forks, and it read already."""
        if self._process is None:
            return []
        names = {k for k in {*env, *self._environment} if env.get(k) != self._environment.get(k)}
        return sorted(name for name in names if not name.startswith(LATE))

    def _begin(self) -> None:
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._environment = dict(os.environ)
        command = [sys.executable, __file__, str(theirs.fileno()), *self.modules]
        with theirs:
            self._process = subprocess.Popen(
                command, cwd=ROOT, stdin=subprocess.DEVNULL, pass_fds=[theirs.fileno()]
            )
        atexit.register(self.close)

    def _leave(self) -> None:
        """Ask the process that forks no more; it ends when its last command has ended."""
        if self._process is not None and self._control is not None:
            self._control.close()
            self._former.append(self._process)
            self._process = None

    def close(self) -> None:
        """End the process that forks."""
        self._leave()
        for process in self._former:
            process.wait(timeout=30)
        self._former.clear()


def _text(file: Any) -> str:
    size = os.fstat(file.fileno()).st_size
    data = os.pread(file.fileno(), size, 0)
    return io.TextIOWrapper(io.BytesIO(data), "utf-8").read()


def _fresh(
    command: Sequence[str], cwd: Path, env: dict[str, str], out: Any, err: Any, told: int
) -> int:
    process = subprocess.Popen(
        command, cwd=cwd, env=env, stdout=out, stderr=err, stdin=subprocess.DEVNULL
    )
    told = os.dup(told)

    def tell() -> None:
        os.write(told, str(process.wait()).encode())
        os.close(told)

    threading.Thread(target=tell, daemon=True).start()
    return process.pid


@dataclass(frozen=True)
class _Job:
    words: list[str]
    folder: str
    environment: dict[str, str]


def _load(name: str) -> None:
    module, _, function = name.partition(":")
    loaded = importlib.import_module(module.removesuffix(".*"))
    if function:
        getattr(loaded, function)()
    if module.endswith(".*"):
        for found in pkgutil.walk_packages(loaded.__path__, f"{loaded.__name__}."):
            if not found.name.endswith("__main__"):
                importlib.import_module(found.name)


def _serve(control: socket.socket, modules: Sequence[str]) -> _Job:
    """Fork for each request; returns in each fork, and ends the process when nobody asks more."""
    before = dict(os.environ)
    gc.disable()  # a fifth of the time of importing is looking for garbage
    for name in modules:
        _load(name)
    gc.enable()
    changed = {k: v for k, v in os.environ.items() if before.get(k) != v}  # by libraries
    assert threading.active_count() == 1, threading.enumerate()  # a fork would lack them
    gc.collect()
    gc.freeze()  # what is shared with the forks stays shared
    warnings.filterwarnings("ignore", "This process .* is multi-threaded", DeprecationWarning)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's Ctrl-C is for who asks
    signal.signal(signal.SIGCHLD, lambda *_: None)
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake)
    running: dict[int, int] = {}  # process ids, and where to tell the exit code
    asked = True
    while asked or running:
        ready, _, _ = select.select([control, woken] if asked else [woken], [], [])
        if woken in ready:
            os.read(woken, 99)
            for pid in list(running):
                if (ended := os.waitpid(pid, os.WNOHANG))[0]:
                    told = running.pop(pid)
                    os.write(told, str(os.waitstatus_to_exitcode(ended[1])).encode())
                    os.close(told)
        if control not in ready:
            continue
        request, fds, _, _ = socket.recv_fds(control, _LARGEST, 3)
        if not request:
            asked = False
            continue
        words, folder, environment = json.loads(request)
        pid = os.fork()
        if pid == 0:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            signal.signal(signal.SIGINT, signal.default_int_handler)
            for number in (signal.SIGTERM, signal.SIGHUP):
                signal.signal(number, signal.SIG_DFL)
            os.dup2(fds[0], 1)
            os.dup2(fds[1], 2)
            control.close()
            for fd in {woken, wake, *fds, *running.values()}:
                os.close(fd)
            return _Job(words, folder, {**environment, **changed})
        running[pid] = fds[2]
        os.close(fds[0])
        os.close(fds[1])
        control.send(str(pid).encode())
    os._exit(0)


def _become(job: _Job) -> None:
    """Be the program that was asked for, as ``python WORDS`` is."""
    os.chdir(job.folder)
    os.environ.clear()
    os.environ.update(job.environment)
    multiprocessing.process.ORIGINAL_DIR = job.folder  # type: ignore[attr-defined]
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed()
    paths = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]
    first, *words = job.words
    if first == "-m":
        sys.path[:0] = [job.folder, *paths]
        sys.argv[:] = ["-m", *words[1:]]
        runpy.run_module(words[0], run_name="__main__", alter_sys=True)
    elif first == "-c":
        sys.path[:0] = ["", *paths]
        sys.argv[:] = ["-c", *words[1:]]
        sys.modules["__main__"] = main = types.ModuleType("__main__")
        exec(compile(words[0], "<string>", "exec"), main.__dict__)
    else:
        sys.path[:0] = [str(Path(first).resolve().parent), *paths]
        sys.argv[:] = [first, *words]
        runpy.run_path(first, run_name="__main__")


class _End:
    """Ends a fork whose exit code is known. To take apart all that it was given, as Python does
    after the last that is to be done, takes longer than most commands: it would first copy it."""

    code: object = None

    def __call__(self) -> None:
        if isinstance(self.code, int):
            for stream in (sys.stdout, sys.stderr):
                if not stream.closed:
                    stream.flush()
            os._exit(self.code & 0xFF)


def _main() -> None:
    control = socket.socket(fileno=int(sys.argv[1]))
    given = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    # What a fork adds is its own: the folder of its program and its PYTHONPATH.
    own = {
        str(Path(__file__).resolve().parent),
        *(str(Path(path).absolute()) for path in given if path),
    }
    ours = [str(ROOT / "src"), str(ROOT)]
    sys.path[:] = [*ours, *(path for path in sys.path if path not in own)]
    end = _End()
    atexit.register(end)  # first, so what libraries do at the end is done before
    job = _serve(control, sys.argv[2:])
    for path in ours:
        sys.path.remove(path)
    try:
        _become(job)
        end.code = 0
    except SystemExit as said:
        end.code = said.code or 0
        raise


if __name__ == "__main__":
    _main()
