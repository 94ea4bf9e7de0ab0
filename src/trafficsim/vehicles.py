"""Vehicles of all classes, looking along +z."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from trafficsim.buses import make_bus
from trafficsim.cars import make_car
from trafficsim.mesh import Mesh
from trafficsim.trucks import make_truck

_MODELS = 256
"""Of each class: so many that hardly any is met twice in a street."""


def make_vehicle(class_id: int, rng: np.random.Generator, heading: float) -> Mesh:
    """A vehicle of class 1 (car), 2 (truck) or 3 (bus) with drawn shape and colours.

    It looks along +z, turned to the right by `heading` radians.
    """
    return _model(class_id, int(rng.integers(_MODELS)), heading)


@lru_cache(2 * _MODELS)
def _model(class_id: int, number: int, heading: float) -> Mesh:
    """Built once in a process: most of a scene's time would go into vehicles that nobody sees."""
    if heading:
        return _model(class_id, number, 0.0).turned(heading)
    rng = np.random.default_rng((class_id, number))
    return (make_car, make_truck, make_bus)[class_id - 1](rng)
