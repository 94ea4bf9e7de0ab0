"""What keeps Ray from being used is said in words that name what is short."""

from __future__ import annotations

import os
import pickle
import socket
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from segtrack.base.errors import SettingsError
from segtrack.bulk import require_ray
from segtrack.bulk.cluster import Shards, _room, _unheard
from segtrack.bulk.job import Job
from segtrack.model import Network, model_settings, resolve_weights
from segtrack.settings import TracksSettings
from segtrack.tracker.ultralytics import BotSortSettings


def cluster(**resources: float) -> Any:
    return SimpleNamespace(cluster_resources=lambda: resources)


@pytest.mark.parametrize(
    ("cpus", "gpus", "wanted", "told"),
    [
        (1, 0, 9, "scale.actors=9: the cluster has 2 cores and 0 GPUs, room for 2 actors"),
        (4, 0, None, "scale.cpus_per_actor=4: "),
        (4, 1, None, "scale.gpus_per_actor=1: the cluster has 2 cores and 0 GPUs"),
        (1, 0.5, 2, "scale.gpus_per_actor=0.5: "),
    ],
)
def test_what_a_cluster_has_no_room_for(
    cpus: float, gpus: float, wanted: int | None, told: str
) -> None:
    with pytest.raises(SettingsError) as found:
        _room(cluster(CPU=2), cpus, gpus, wanted)
    assert str(found.value).startswith(told)


def test_how_many_actors_there_is_room_for() -> None:
    assert _room(cluster(CPU=8), 2, 0, None) == 4
    assert _room(cluster(CPU=64, GPU=8), 4, 0.5, None) == 16
    assert _room(cluster(CPU=64, GPU=8), 4, 2, 3) == 3


def test_a_cluster_is_asked_before_there_is_a_run() -> None:
    pytest.importorskip("ray", reason="pip install 'segtrack[scale]'")
    require_ray("local")
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        require_ray(f"127.0.0.1:{port}")
    with pytest.raises(SettingsError, match=rf"scale.ray=127.0.0.1:{port}: nothing answers"):
        require_ray(f"127.0.0.1:{port}")


def job(folder: Path, device: str, **knobs: Any) -> Job:
    settings = model_settings("yolov8n-seg", weights="shipped", **knobs)
    network = Network(settings, resolve_weights(settings, Path), device)
    reid = BotSortSettings(with_reid=True, model=str(folder / "reid.onnx"))
    request = network.request(network.weights.names, {})
    return Job(folder, folder, "video", 1, network, request, reid, TracksSettings(), None, "")


@pytest.mark.parametrize(
    ("device", "backend", "network", "tracker"),
    [
        ("cpu", "openvino", "cpu", "cpu"),
        ("auto", "openvino", "cpu", "cuda"),  # the file's library computes on the CPU alone
        ("cuda:0", "torch", "cuda", "cuda"),
    ],
)
def test_what_a_shard_is_computed_with_follows_from_the_run_s_device(
    device: str,
    backend: str,
    network: str,
    tracker: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 1)
    monkeypatch.setattr("torch.cuda.get_device_name", lambda _: "NVIDIA H200")
    found = job(tmp_path, device, backend=backend).compute()
    assert (found["network"]["device"], found["tracker"]) == (network, {"device": tracker})
    pictures = replace(job(tmp_path, device, backend=backend), kind="image")
    assert pictures.compute() == {"network": found["network"], "tracker": {}}


def test_an_actor_that_would_compute_with_something_else_does_nothing(tmp_path: Path) -> None:
    one = job(tmp_path, "cpu", backend="openvino")
    compute = {**one.compute(), "tracker": {"device": "cuda"}}
    actor = Shards.__new__(Shards)
    with pytest.raises(SettingsError, match=r"the tracker computes with .*'cpu'.* but with .*cuda"):
        actor._load(pickle.dumps((one, compute)))


def test_what_is_written_past_python_is_not_heard_and_ours_is(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stderr", sys.__stderr__)
    with pytest.raises(ConnectionError), _unheard():
        os.write(2, b"logging.cc:303: Set ray log level\n")
        print("predict 0 of 6 images", file=sys.stderr)
        raise ConnectionError
    os.write(2, b"later\n")
    assert sys.stderr is sys.__stderr__
    assert capfd.readouterr().err == "predict 0 of 6 images\nlater\n"
