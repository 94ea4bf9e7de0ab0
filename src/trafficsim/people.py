"""Where people are: walking on the pavements, waiting, crossing with the signal.

A place is a function of time alone, so people need no steps.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trafficsim.chance import one_of, uniform
from trafficsim.frame import SimulatorKnobs
from trafficsim.pedestrians import Figure, make_figure
from trafficsim.scene import Street

Rng = np.random.Generator

_KERB = 0.8
"""Crossing people wait this far from the road, m."""

_TRACK = 0.62
"""Between people who walk side by side, m."""


@dataclass(frozen=True)
class Signal:
    """The light at the crossing: vehicles have green, then people.

    Attributes:
        green: Seconds for vehicles.
        walk: Seconds that a crossing takes.
    """

    green: float
    walk: float

    @property
    def cycle(self) -> float:
        """Seconds until everything comes round."""
        return self.green + 3.0 + self.walk + 3.0

    def vehicles_go(self, time: float) -> bool:
        """Whether vehicles may pass the stop line."""
        return time % self.cycle < self.green

    def crossing_time(self, time: float) -> float:
        """Seconds since people got green; negative before."""
        return time % self.cycle - self.green - 3.0


def make_signal(street: Street) -> Signal:
    """A signal that leaves people the time to cross this street."""
    return Signal(green=9.0, walk=2.0 * (street.road + _KERB) / 1.35)


@dataclass(frozen=True)
class Walker:
    """A person who walks along z, or across if `crossing` is set.

    Attributes:
        key: First of the keys that the person gets; one more each time they come round.
        figure: Who.
        x: Where they walk, m.
        z: Where they are at time 0, m.
        speed: m/s along z, signed; 0 stands.
        crossing: +1 or -1: walks across in that direction when pedestrians have green.
        delay: s until a crossing person sets out.
        facing: Heading of one who stands, radians.
    """

    key: int
    figure: Figure
    x: float
    z: float
    speed: float
    crossing: int = 0
    delay: float = 0.0
    facing: float = 0.0


@dataclass(frozen=True)
class Place:
    """Where a person is: world x and z (m), heading and gait phase (radians, nan: stands)."""

    key: int
    figure: Figure
    x: float
    z: float
    heading: float
    phase: float


def place_of(walker: Walker, street: Street, signal: Signal, time: float) -> Place:
    """Where a person is at `time`, s."""
    pace = 2.0 * np.pi / (0.86 * walker.figure.height)
    if walker.crossing:
        return _crossing(walker, street, signal, time, pace)
    if walker.speed == 0.0:
        return Place(walker.key, walker.figure, walker.x, walker.z, walker.facing, np.nan)
    low, high = street.z_range
    way = walker.z - low + walker.speed * time
    rounds = int(np.floor(way / (high - low)))
    z = low + way - rounds * (high - low)
    sway = 0.06 * np.sin(0.9 * time + walker.key)
    heading = 0.0 if walker.speed > 0 else np.pi
    phase = pace * abs(walker.speed) * time + walker.key
    return Place(walker.key + abs(rounds), walker.figure, walker.x + sway, z, heading, phase)


def make_people(
    rng: Rng, street: Street, knobs: SimulatorKnobs, camera_x: float
) -> tuple[Walker, ...]:
    """Everybody in the street; `camera_x` (m) keeps them off the lens."""
    people: list[Walker] = []

    def key() -> int:
        return 1_000_000 + 10_000 * len(people)  # leaves room for coming round again

    low, high = street.z_range
    crowding = 0.65 + 0.8 * knobs.occlusion
    crowding /= 24.0 if street.view == "along" else 17.0
    for k, side in enumerate((-1, 1)):
        centres = np.arange(low + 2.0, high, 7.0)
        tracks = np.arange(street.road + 1.5, street.road + street.pavement[k] - 0.3, _TRACK)
        for track in tracks:
            x = side * float(track)
            if street.view == "along" and abs(x - camera_x) < 2.6:
                continue
            speed = one_of(rng, (-1.0, 1.0)) * uniform(rng, 1.0, 1.6)
            count = rng.poisson(knobs.density * crowding * (high - low))
            wanted = rng.uniform(low, high, int(count))
            if knobs.occlusion > 0.5:
                # in groups: people on the other tracks are drawn to the same places
                near = centres[np.abs(wanted[:, None] - centres).argmin(axis=1)]
                wanted += (near - wanted) * (2.0 * knobs.occlusion - 1.0) * 0.93
            for z in _apart(wanted):
                people.append(Walker(key(), make_figure(rng), x, z, speed))
        if knobs.density > 0 and rng.random() < 0.5:
            z = uniform(rng, 8 if street.view != "across" else -15, 28)
            x = side * (street.road + 1.05)
            for j in range(int(rng.integers(1, 3))):
                face = -side * 0.5 * np.pi + uniform(rng, -0.5, 0.5)
                people.append(Walker(key(), make_figure(rng), x, z + 0.75 * j, 0.0, facing=face))
    if street.crosswalk is not None:
        count = rng.poisson(5.0 * knobs.density)
        for slot in rng.permutation(np.linspace(-1.4, 1.4, 6))[:count]:
            z = street.crosswalk + float(slot)
            crossing = one_of(rng, (-1, 1))
            delay = uniform(rng, 0.0, 2.0)
            people.append(Walker(key(), make_figure(rng), 0.0, z, 0.0, crossing, delay))
    return tuple(people)


def _crossing(walker: Walker, street: Street, signal: Signal, time: float, pace: float) -> Place:
    """They go over, and the other way in the next cycle."""
    direction = walker.crossing * (1 if int(time // signal.cycle) % 2 == 0 else -1)
    edge = street.road + _KERB
    way = (signal.crossing_time(time) - walker.delay) * 2.0 * edge / signal.walk
    moving = 0.0 < way < 2.0 * edge
    x = direction * (-edge + min(max(way, 0.0), 2.0 * edge))
    phase = pace * way + walker.key if moving else np.nan
    return Place(walker.key, walker.figure, x, walker.z, direction * 0.5 * np.pi, phase)


def _apart(wanted: NDArray[np.float64]) -> list[float]:
    """Those of the places that are at least 0.9 m from the ones before."""
    kept: list[float] = []
    for z in wanted:
        if all(abs(z - other) > 0.9 for other in kept):
            kept.append(float(z))
    return kept
