"""Shards by Ray Data: actors that hold one network each.

An actor associates what it has detected itself: that takes little beside a network, and processes
of its own took more, to load the program and by competing for the cores. A killed actor is started
anew and given its shard again; finished ones are on the disk. What goes around between processes
are numbers of shards and what the manifest says of them.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import logging
import os
import pickle
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from segtrack.base.errors import DataError, SegtrackError, SettingsError, StageError
from segtrack.base.metrics import Report
from segtrack.base.saying import say
from segtrack.base.secrets import hidden
from segtrack.bulk.job import Job
from segtrack.bulk.work import do_shard
from segtrack.settings import ScaleSettings

CONNECT_S = 5.0
# Ray's own words for a cluster of this machine's that ends with the command, and for one that runs.
LOCAL, AUTO = "local", "auto"
# What says where segtrack keeps what it finds out, and which modules it loads.
_VARIABLES = ("SEGTRACK_HOME", "SEGTRACK_PLUGINS", "SEGTRACK_BACKEND")
_QUIET = "ray", "ray.data", "ray._private.authentication.authentication_token_setup"


def require_ray(address: str) -> None:
    """Look, in moments, for what would keep Ray from being used.

    Args:
        address: as ``scale.ray``.

    Raises:
        SettingsError: it is not installed, or nothing answers there.
    """
    if importlib.util.find_spec("ray") is None:
        raise SettingsError(
            "scale.ray: Ray is not installed; pip install 'segtrack[scale]', or leave scale.ray out"
        )
    _require_reached(address)


def run_on_ray(
    job: Job, scale: ScaleSettings, numbers: list[int], report: Report
) -> Iterator[dict[str, Any]]:
    """Do shards in the processes of Ray; yields what is told of each, as it is finished.

    Raises:
        SettingsError: Ray is not installed, there is no such cluster, or it has no room.
        SegtrackError: what a shard raised.
    """
    require_ray(str(scale.ray))
    ray = _ray()
    compute = job.compute()
    gpus = scale.gpus_per_actor
    if gpus is None:
        gpus = float(any(one.get("device") == "cuda" for one in compute.values()))
    cpus = scale.cpus_per_actor or (4.0 if gpus else 1.0)
    # An actor sees the GPU that Ray gave it alone, under the number 0.
    there = replace(job.network, device="auto" if gpus else "cpu")
    content = pickle.dumps((replace(job, network=there), compute))
    given = {name: os.environ[name] for name in _VARIABLES if name in os.environ}
    given["SEGTRACK_BACKEND"] = compute["network"].get("backend", "torch").partition(" ")[0]
    begin = time.perf_counter()
    with _connected(ray, str(scale.ray)):
        report("predict/cluster_start_s", time.perf_counter() - begin)
        count = min(_room(ray, cpus, gpus, scale.actors), len(numbers))
        actors = f"{count} actors" if count > 1 else "1 actor"
        say(f"ray: {actors} with {_amount(cpus, gpus)} each, in {scale.ray}")
        report("predict/actors", count)
        data = ray.data.from_items(
            [{"shard": n} for n in numbers], override_num_blocks=len(numbers)
        )
        # One shard waits beside the one in work: a killed actor has begun no other.
        pool = ray.data.ActorPoolStrategy(size=count, max_tasks_in_flight_per_actor=2)
        data = data.map_batches(
            Shards, batch_size=1, compute=pool, num_cpus=cpus, num_gpus=gpus or None,
            fn_constructor_args=(content, given, max(1, int(cpus))),
        )  # fmt: skip
        with _told(ray):
            for row in data.iter_rows():
                yield _unpacked(row)


class Shards:
    """An actor: a network, loaded once, and shard after shard."""

    def __init__(self, content: bytes, given: Mapping[str, str], threads: int) -> None:
        """``threads``: to compute with."""
        # Before anything looks at them: libraries read these when they are imported.
        os.environ.update({**given, "OMP_NUM_THREADS": str(threads)})
        import cv2

        cv2.setNumThreads(threads)
        self.problem: dict[str, str] = {}
        self._open = contextlib.ExitStack()
        try:
            self.job, self.one = self._load(content)
        except SegtrackError as error:
            self.problem = _packed(error)

    def _load(self, content: bytes) -> tuple[Job, Any]:
        from segtrack import model

        job, compute = pickle.loads(content)
        network = job.network
        if not network.weights.path.exists():
            raise DataError(
                f"{network.weights.path}: not there on {os.uname().nodename}; weights, inputs and "
                "store must lie in folders that all machines of the cluster share"
            )
        found = network.family.read(network.settings, network.weights.path, "path")
        if found.sha256 != network.weights.sha256:
            raise DataError(f"{found.path}: another file on {os.uname().nodename} than here")
        for what, here in job.compute().items():
            if here != compute[what]:
                raise SettingsError(
                    f"scale.ray: the {what} computes with {here} on {os.uname().nodename}, but "
                    f"with {compute[what]} here, and results could differ; give the command on a "
                    "machine like the cluster's"
                )
        return job, self._open.enter_context(model.loaded(network, job.request))

    def __call__(self, batch: Mapping[str, Any]) -> dict[str, list[str]]:
        """What is told of one shard."""
        number = int(batch["shard"][0])
        if self.problem:
            return _row(self.problem)
        try:
            return _row(do_shard(self.job, number, self.one))
        except SegtrackError as error:
            return _row(_packed(error))


def _row(told: Mapping[str, Any]) -> dict[str, list[str]]:
    return {"told": [json.dumps(told)]}


def _packed(error: SegtrackError) -> dict[str, str]:
    return {"error": str(error)}


def _unpacked(row: Mapping[str, Any]) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(row["told"])
    if "error" in told:
        raise DataError(told["error"])
    return told


def _ray() -> Any:
    import ray
    import ray.data

    return ray


@contextlib.contextmanager
def _connected(ray: Any, address: str) -> Iterator[None]:
    """Connected to a cluster for the length of the block; one of this machine ends with it."""
    here = {"include_dashboard": False} if address == LOCAL else {}
    # What Ray says beside its logs, of its own making, is nothing that a user could act upon.
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # it would tell its makers of the cluster
    in_main = threading.current_thread() is threading.main_thread()
    before = {n: signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)} if in_main else {}
    try:
        with _unheard():
            ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR, **here)
    except (ConnectionError, RuntimeError, ValueError) as error:
        why = (str(error).strip(" .\n").splitlines() or [type(error).__name__])[0]
        do = "ray start begins a cluster, and scale.ray=local is one of this machine alone"
        if address == AUTO and "RAY_ADDRESS" not in os.environ:
            why = "no cluster runs on this machine, or not with this RAY_TMPDIR"
        elif ":" in address and "RAY_AUTH_MODE" not in os.environ:  # which Ray asks for with auto
            do = "something answers there; for a cluster with a token export RAY_AUTH_MODE=token"
        raise SettingsError(f"scale.ray={address}: {why}; {do}") from error
    except ray.exceptions.RayError as error:  # of another token
        raise SettingsError(f"scale.ray={address}: {error}") from error
    finally:
        for number, handler in before.items():  # Ray puts its own in their place
            signal.signal(number, handler)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.ERROR)
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    try:
        yield
    finally:
        ray.shutdown()


@contextlib.contextmanager
def _unheard() -> Iterator[None]:
    """Without what Ray's core writes past Python while it begins: that it was told to be quiet."""
    try:
        heard = sys.stderr.fileno() == 2
    except (AttributeError, OSError):  # closed, or of a notebook or a test
        heard = False
    if not heard:
        yield
        return
    ours, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    encoding = sys.stderr.encoding
    with os.fdopen(ours, "w", 1, encoding=encoding, errors="backslashreplace") as apart:
        os.dup2(nowhere, 2)
        os.close(nowhere)
        try:
            with contextlib.redirect_stderr(apart), hidden():
                yield
        finally:
            os.dup2(ours, 2)


def _require_reached(address: str) -> None:
    """Ray itself would try for minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not port.isdigit():
        return  # local, auto
    try:
        socket.create_connection((host.strip("[]"), int(port)), CONNECT_S).close()
    except (OSError, OverflowError) as error:
        raise SettingsError(
            f"scale.ray={address}: nothing answers there ({error}); ray start --head --port={port} "
            "begins a cluster, and scale.ray=local is one of this machine alone"
        ) from error


def _room(ray: Any, cpus: float, gpus: float, wanted: int | None) -> int:
    """Actors: as many as are wanted, or as there is room for.

    Raises:
        SettingsError: there is none, or not for so many.
    """
    there = ray.cluster_resources()
    most = int(there.get("CPU", 0) / cpus + 1e-9)
    if gpus:
        each = there.get("GPU", 0)
        most = min(most, int(each / gpus + 1e-9) if gpus >= 1 else int(each) * int(1 / gpus + 1e-9))
    if most < (wanted or 1):
        given = f"scale.actors={wanted}" if wanted else f"scale.cpus_per_actor={cpus:g}"
        if gpus and there.get("GPU", 0) < gpus:
            given = f"scale.gpus_per_actor={gpus:g}"
        raise SettingsError(
            f"{given}: the cluster has {there.get('CPU', 0):g} cores and {there.get('GPU', 0):g} "
            f"GPUs, room for {most} actors with {_amount(cpus, gpus)} each"
        )
    return wanted or most


def _amount(cpus: float, gpus: float) -> str:
    text = "1 core" if cpus == 1 else f"{cpus:g} cores"
    return f"{text} and {gpus:g} GPU" if gpus else text


@contextlib.contextmanager
def _told(ray: Any) -> Iterator[None]:
    """What ends Ray's work, in one line."""
    try:
        yield
    except (ray.exceptions.RayError, ray.exceptions.RayTaskError) as error:
        last = (str(error).strip().splitlines() or [type(error).__name__])[-1]
        raise StageError(
            f"Ray: {last}. Its logs lie in /tmp/ray/session_latest/logs; the same command goes on "
            "from the finished shards"
        ) from error
