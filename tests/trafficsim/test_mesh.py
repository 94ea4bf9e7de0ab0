"""Solids out of a few numbers, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from trafficsim.mesh import HEADLIGHT, Mesh, MeshBuilder
from trafficsim.vehicles import make_vehicle

BLUE, RED = (250.0, 20.0, 10.0), (10.0, 20.0, 250.0)


def faces(mesh: Mesh) -> list[list[list[float]]]:
    return [f.tolist() for f in np.split(mesh.vertices, np.cumsum(mesh.counts))[:-1]]


def test_a_box_has_six_sides() -> None:
    builder = MeshBuilder()
    builder.box((-1.0, 2.0), (0.0, 3.0), (4.0, 6.0), BLUE, layer=2)
    mesh = builder.build()
    assert mesh.parts.tolist() == [[2, 0]] and mesh.centres.tolist() == [[0.5, 1.5, 5.0]]
    assert mesh.counts.tolist() == [4] * 6 and mesh.kinds.tolist() == [0] * 6
    assert mesh.albedo.tolist() == [list(BLUE)] * 6
    corners = {(x, y, z) for x in (-1.0, 2.0) for y in (0.0, 3.0) for z in (4.0, 6.0)}
    assert mesh.solids.tolist() == [8] and set(map(tuple, mesh.rims.tolist())) == corners
    ends = [(0, -1.0), (0, 2.0), (1, 0.0), (1, 3.0), (2, 4.0), (2, 6.0)]
    for face, (axis, end) in zip(faces(mesh), ends, strict=True):
        assert sorted(map(tuple, face)) == sorted(c for c in corners if c[axis] == end)
        steps = np.diff([*face, face[0]], axis=0)
        assert ((steps != 0).sum(axis=1) == 1).all()  # around it, and not across
    assert mesh.half_size == (2.0, 6.0, 3.0)


def test_a_prism_and_what_lies_on_it() -> None:
    builder = MeshBuilder()
    builder.part(1, (0.0, 0.5, 0.0))
    builder.prism(
        [(2.0, 0.0), (2.0, 1.0), (-2.0, 1.0), (-2.0, 0.0)], [1.0, 0.8, 0.8, 1.0], BLUE, RED
    )
    panel = [(-0.5, 0.2, 2.1), (0.5, 0.2, 2.1), (0.0, 0.4, 2.1)]
    builder.face(panel, RED, HEADLIGHT)
    builder.solid(panel)
    mesh = builder.build()
    assert mesh.counts.tolist() == [4, 4, 4, 4, 4, 4, 3] and mesh.kinds.tolist() == [0] * 6 + [1]
    assert [tuple(colour) for colour in mesh.albedo.tolist()] == [
        RED,
        BLUE,
        RED,
        BLUE,
        BLUE,
        BLUE,
        RED,
    ]
    front, left = faces(mesh)[1], faces(mesh)[4]
    assert front == [[-1, 0, 2], [-0.8, 1, 2], [0.8, 1, 2], [1, 0, 2]]
    assert left == [[-1, 0, 2], [-0.8, 1, 2], [-0.8, 1, -2], [-1, 0, -2]]
    assert mesh.solids.tolist() == [8, 3] and mesh.rims[8:].tolist() == [list(p) for p in panel]


def test_wheels_stand_on_the_ground_on_both_sides() -> None:
    builder = MeshBuilder()
    builder.wheels(1.5, 0.9, 0.3, BLUE, RED)
    mesh = builder.build()
    assert mesh.parts.tolist() == [[-1, 0], [4, 2], [-1, 4], [4, 6]]
    assert mesh.counts.tolist() == [4, 4, 14, 7] * 2 and mesh.solids.tolist() == [28]
    left, right = (np.array(faces(mesh)[i]) for i in (2, 6))
    assert (left[:, 0] == -0.91).all() and (right[:, 0] == 0.91).all()
    assert np.hypot(right[:, 1] - 0.3, right[:, 2] - 1.5) == pytest.approx(0.3)
    assert mesh.vertices[:, 1].min() == pytest.approx(0.3 * (1 - np.cos(np.pi / 14)), abs=0.02)
    hub = np.array(faces(mesh)[7])
    assert (hub[:, 0] == pytest.approx(0.92)) and np.hypot(
        hub[:, 1] - 0.3, hub[:, 2] - 1.5
    ) == pytest.approx(0.18)


@pytest.mark.parametrize("class_id", [1, 2, 3])
def test_faces_are_flat_and_look_away_from_their_middle(class_id: int) -> None:
    for seed in range(20):
        mesh = make_vehicle(class_id, np.random.default_rng(seed)).mesh
        part = np.searchsorted(mesh.parts[:, 1], np.arange(len(mesh.counts)), side="right") - 1
        for face, inside in zip(faces(mesh), mesh.centres[part], strict=True):
            a, b, c, *rest = np.array(face)
            normal = np.cross(b - a, c - b)
            normal /= np.linalg.norm(normal)
            assert abs(normal @ (a - inside)) > 1e-3
            assert all(abs(normal @ (d - a)) < 0.03 for d in rest)
