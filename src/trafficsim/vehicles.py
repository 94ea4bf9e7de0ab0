"""Vehicles of all classes, looking along +z."""

from __future__ import annotations

import numpy as np

from trafficsim.buses import make_bus
from trafficsim.cars import make_car
from trafficsim.mesh import Body
from trafficsim.trucks import make_truck


def make_vehicle(class_id: int, rng: np.random.Generator) -> Body:
    """A vehicle of class 1 (car), 2 (truck) or 3 (bus) with drawn shape and colours."""
    return (make_car, make_truck, make_bus)[class_id - 1](rng)
