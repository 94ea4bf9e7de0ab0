"""Vehicles of all classes, looking along +z."""

from __future__ import annotations

import numpy as np

from segtrack.dataset.simulator.buses import make_bus
from segtrack.dataset.simulator.cars import make_car
from segtrack.dataset.simulator.mesh import Mesh
from segtrack.dataset.simulator.trucks import make_truck


def make_vehicle(class_id: int, rng: np.random.Generator) -> Mesh:
    """A vehicle of class 1 (car), 2 (truck) or 3 (bus) with drawn shape and colours."""
    return (make_car, make_truck, make_bus)[class_id - 1](rng)
