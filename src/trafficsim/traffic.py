"""How vehicles move: car following in lanes, with a signal at the crossing.

Vehicles follow the Intelligent Driver Model (Treiber, Hennecke and Helbing, Physical Review E
62, 2000, eq. 3); a red signal is a standing leader at the stop line.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from trafficsim.chance import one_of, uniform
from trafficsim.frame import SimulatorKnobs
from trafficsim.mesh import Body
from trafficsim.people import (
    Place,
    Signal,
    Walker,
    make_people,
    make_signal,
    place_of,
)
from trafficsim.scene import PARKING, Lane, Street
from trafficsim.vehicles import make_vehicle

Rng = np.random.Generator

ACCELERATION, BRAKING, HEADWAY, STANDSTILL = 1.4, 2.2, 1.2, 2.2
_TWICE_ROOT = 2 * (ACCELERATION * BRAKING) ** 0.5
STOP_BEFORE = 3.6
"""Distance in m between the stop line and the middle of the crossing."""


@dataclass(eq=False)
class Vehicle:
    """A vehicle: `z` is its middle (m), `speed` (m/s) along its lane's direction."""

    key: int
    class_id: int
    body: Body
    lane: Lane
    z: float
    speed: float
    wish: float
    braking: bool = False

    def __post_init__(self) -> None:
        self.half = self.body.half_size[1]
        """Of its length, m."""


@dataclass
class Traffic:
    """All that moves in a scene; `advance` moves it on."""

    street: Street
    signal: Signal
    rng: Rng
    density: float
    vehicles: list[Vehicle] = field(default_factory=list)
    parked: list[Vehicle] = field(default_factory=list)
    walkers: tuple[Walker, ...] = ()
    time: float = 0.0
    _next_key: int = 1

    def advance(self, seconds: float) -> None:
        """Moves everything on, in steps of at most 0.1 s."""
        steps = max(1, int(np.ceil(seconds / 0.1)))
        rows = [self._row(lane) for lane in self.street.lanes]
        for _ in range(steps):
            self._step(seconds / steps, rows)

    def places(self) -> list[Place]:
        """Where all people are now."""
        return [place_of(w, self.street, self.signal, self.time) for w in self.walkers]

    def _row(self, lane: Lane) -> list[Vehicle]:
        """The vehicles of a lane, each behind the one before; none overtakes."""
        row = [v for v in self.vehicles if v.lane is lane]
        row.sort(key=lambda v: -lane.direction * v.z)
        return row

    def _step(self, dt: float, rows: list[list[Vehicle]]) -> None:
        self.time += dt
        go = self.signal.vehicles_go(self.time)
        crossing = self.street.crosswalk
        for lane, row in zip(self.street.lanes, rows, strict=True):
            stop = None if go or crossing is None else lane.direction * crossing - STOP_BEFORE
            leader: Vehicle | None = None
            for vehicle in row:
                gap, closing = _gap(vehicle, leader, stop)
                _drive(vehicle, gap, closing, dt)
                leader = vehicle
        self._leave_and_enter(rows)

    def _leave_and_enter(self, rows: list[list[Vehicle]]) -> None:
        low, high = self.street.z_range
        for row in rows:
            while row and not low - 16 <= row[0].z <= high + 16:
                self.vehicles.remove(row.pop(0))
        if self.density == 0.0:
            return
        apart = spacing(self.density)
        for lane, row in zip(self.street.lanes, rows, strict=True):
            entry = low - 8.0 if lane.direction > 0 else high + 8.0
            free = lane.direction * (row[-1].z - entry) - row[-1].half if row else 99.0
            # as `uniform(0.3, 1.7)`, in a third of its time
            if free > 9.0 + apart * (0.3 + (1.7 - 0.3) * self.rng.random()):
                row.append(self._enter(lane, entry, min((v.speed for v in row), default=9.0)))

    def _enter(self, lane: Lane, z: float, speed: float) -> Vehicle:
        vehicle = self.new_vehicle(lane, z)
        vehicle.speed = min(vehicle.wish, speed + 1.0)
        vehicle.z = z - lane.direction * vehicle.half
        self.vehicles.append(vehicle)
        return vehicle

    def new_vehicle(self, lane: Lane, z: float, class_id: int | None = None) -> Vehicle:
        """A vehicle with drawn class (unless given), shape and wished speed."""
        kind = class_id or one_of(self.rng, (1, 2, 3), (0.6, 0.21, 0.19))
        body = make_vehicle(kind, self.rng).turned(0.0 if lane.direction > 0 else np.pi)
        wish = uniform(self.rng, 7.0, 12.0) * (1.0 if kind == 1 else 0.8)
        self._next_key += 1
        return Vehicle(self._next_key, kind, body, lane, z, wish, wish)


def spacing(density: float) -> float:
    """Mean free distance in m between vehicles that enter."""
    return float(3.0 + 42.0 * (1.0 - density) ** 1.6)


def make_traffic(rng: Rng, street: Street, knobs: SimulatorKnobs, camera_x: float) -> Traffic:
    """Fills a street, and lets it run for a while so that queues and gaps look natural."""
    traffic = Traffic(street, make_signal(street), rng, knobs.density)
    low, high = street.z_range
    if knobs.density > 0:
        apart = 9.0 * max(0.0, 1.0 - 2.0 * knobs.occlusion)
        bunched = max(0.0, 1.4 * (knobs.occlusion - 0.5))
        for lane in street.lanes:
            z = low + uniform(rng, 0, spacing(knobs.density) + 8)
            while z < high:
                vehicle = traffic.new_vehicle(lane, z)
                vehicle.z += vehicle.half
                traffic.vehicles.append(vehicle)
                gap = spacing(knobs.density) * uniform(rng, 0.4, 1.6)
                if bunched > 0.0:
                    gap = 0.5 if rng.random() < bunched else gap * (1.0 + bunched)
                z += 2.0 * vehicle.half + 4.0 + gap + apart
        _park(traffic, rng)
    traffic.time = uniform(rng, 0.0, traffic.signal.cycle * 2)
    traffic.walkers = make_people(rng, street, knobs, camera_x)
    traffic.advance(4.0)
    return traffic


def _park(traffic: Traffic, rng: Rng) -> None:
    street = traffic.street
    low, high = street.z_range
    for k, side in enumerate((-1, 1)):
        if not street.parking[k]:
            continue
        lane = Lane(side * (street.road - 0.5 * PARKING), side)
        z = low + uniform(rng, 0, 6)
        while z < high - 6:
            vehicle = traffic.new_vehicle(lane, z, class_id=1)
            clear = street.crosswalk is None or abs(z - street.crosswalk) > 7.0
            if clear and rng.random() < 0.25 + 0.5 * traffic.density:
                vehicle.speed = 0.0
                traffic.parked.append(vehicle)
            z += 6.3


def _gap(vehicle: Vehicle, leader: Vehicle | None, stop: float | None) -> tuple[float, float]:
    """Free distance ahead (m) and the speed at which it closes (m/s).

    `stop` is where a red signal has its line, m along the lane's direction.
    """
    gap, closing = 200.0, 0.0
    direction = vehicle.lane.direction
    nose = direction * vehicle.z + vehicle.half
    if leader is not None:
        gap = direction * leader.z - leader.half - nose
        closing = vehicle.speed - leader.speed
    if stop is not None:
        line = stop - nose
        can_stop = line > vehicle.speed**2 / (2 * 4.5) - 0.5
        if -0.5 < line < gap and can_stop:
            gap, closing = line + STANDSTILL - 0.4, vehicle.speed
    return gap, closing


def _drive(vehicle: Vehicle, gap: float, closing: float, dt: float) -> None:
    """One step of the Intelligent Driver Model."""
    # comparisons: `min` and `max` take half of the time, and all vehicles pass here at each step
    speed = vehicle.speed
    wanted = speed * HEADWAY + speed * closing / _TWICE_ROOT
    wanted = STANDSTILL + wanted if wanted > 0.0 else STANDSTILL
    share = wanted / (gap if gap > 0.2 else 0.2)
    pull = ACCELERATION * (1 - (speed / vehicle.wish) ** 4 - share**2)
    if pull < -7.0:
        pull = -7.0
    moved = speed + pull * dt
    if moved < 0.0:
        moved = 0.0
    room = (gap - 0.3) / dt
    if moved > room:
        moved = room if room > 0.0 else 0.0
    vehicle.braking = pull < -0.4 or moved < 0.3
    vehicle.speed = moved
    vehicle.z += vehicle.lane.direction * moved * dt
