"""What keeps Ray from being used is said in words that name what is short."""

from __future__ import annotations

import socket
from types import SimpleNamespace
from typing import Any

import pytest

from segtrack.base.errors import SettingsError
from segtrack.bulk import require_ray
from segtrack.bulk.cluster import _room


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
