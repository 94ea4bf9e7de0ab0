"""How vehicles move: car following in lanes, with a signal at the crossing.

Vehicles follow the Intelligent Driver Model (Treiber, Hennecke and Helbing, Physical Review E
62, 2000, eq. 3); a red signal is a standing leader at the stop line.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

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


@dataclass
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

    @property
    def length(self) -> float:
        return 2.0 * self.body.half_size[1]


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
        for _ in range(steps):
            self._step(seconds / steps)

    def places(self) -> list[Place]:
        """Where all people are now."""
        return [place_of(w, self.street, self.signal, self.time) for w in self.walkers]

    def _step(self, dt: float) -> None:
        self.time += dt
        go = self.signal.vehicles_go(self.time)
        for lane in self.street.lanes:
            row = [v for v in self.vehicles if v.lane is lane]
            row.sort(key=lambda v: -lane.direction * v.z)
            leader: Vehicle | None = None
            for vehicle in row:
                gap, closing = self._gap(vehicle, leader, go)
                _drive(vehicle, gap, closing, dt)
                leader = vehicle
        self._leave_and_enter()

    def _gap(self, vehicle: Vehicle, leader: Vehicle | None, go: bool) -> tuple[float, float]:
        """Free distance ahead (m) and the speed at which it closes (m/s)."""
        gap, closing = 200.0, 0.0
        direction = vehicle.lane.direction
        nose = direction * vehicle.z + 0.5 * vehicle.length
        if leader is not None:
            gap = direction * leader.z - 0.5 * leader.length - nose
            closing = vehicle.speed - leader.speed
        crossing = self.street.crosswalk
        if not go and crossing is not None:
            line = direction * crossing - STOP_BEFORE - nose
            can_stop = line > vehicle.speed**2 / (2 * 4.5) - 0.5
            if -0.5 < line < gap and can_stop:
                gap, closing = line + STANDSTILL - 0.4, vehicle.speed
        return gap, closing

    def _leave_and_enter(self) -> None:
        low, high = self.street.z_range
        self.vehicles = [v for v in self.vehicles if low - 16 <= v.z <= high + 16]
        if self.density == 0.0:
            return
        for lane in self.street.lanes:
            entry = low - 8.0 if lane.direction > 0 else high + 8.0
            row = [v for v in self.vehicles if v.lane is lane]
            last = min((lane.direction * (v.z - entry) - 0.5 * v.length for v in row), default=99.0)
            if last > 9.0 + spacing(self.density) * self.rng.uniform(0.3, 1.7):
                self._enter(lane, entry, min((v.speed for v in row), default=9.0))

    def _enter(self, lane: Lane, z: float, speed: float) -> None:
        vehicle = self.new_vehicle(lane, z)
        vehicle.speed = min(vehicle.wish, speed + 1.0)
        vehicle.z = z - lane.direction * 0.5 * vehicle.length
        self.vehicles.append(vehicle)

    def new_vehicle(self, lane: Lane, z: float, class_id: int | None = None) -> Vehicle:
        """A vehicle with drawn class (unless given), shape and wished speed."""
        kind = class_id or int(self.rng.choice([1, 2, 3], p=[0.6, 0.21, 0.19]))
        body = make_vehicle(kind, self.rng).turned(0.0 if lane.direction > 0 else np.pi)
        wish = float(self.rng.uniform(7.0, 12.0)) * (1.0 if kind == 1 else 0.8)
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
            z = low + float(rng.uniform(0, spacing(knobs.density) + 8))
            while z < high:
                vehicle = traffic.new_vehicle(lane, z)
                vehicle.z += 0.5 * vehicle.length
                traffic.vehicles.append(vehicle)
                gap = spacing(knobs.density) * float(rng.uniform(0.4, 1.6))
                if bunched > 0.0:
                    gap = 0.5 if rng.random() < bunched else gap * (1.0 + bunched)
                z += vehicle.length + 4.0 + gap + apart
        _park(traffic, rng)
    traffic.time = float(rng.uniform(0.0, traffic.signal.cycle * 2))
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
        z = low + float(rng.uniform(0, 6))
        while z < high - 6:
            vehicle = traffic.new_vehicle(lane, z, class_id=1)
            clear = street.crosswalk is None or abs(z - street.crosswalk) > 7.0
            if clear and rng.random() < 0.25 + 0.5 * traffic.density:
                vehicle.speed = 0.0
                traffic.parked.append(vehicle)
            z += 6.3


def _drive(vehicle: Vehicle, gap: float, closing: float, dt: float) -> None:
    """One step of the Intelligent Driver Model."""
    speed = vehicle.speed
    wanted = STANDSTILL + max(0.0, speed * HEADWAY + speed * closing / _TWICE_ROOT)
    pull = ACCELERATION * (1 - (speed / vehicle.wish) ** 4 - (wanted / max(gap, 0.2)) ** 2)
    pull = min(max(pull, -7.0), ACCELERATION)
    moved = min(max(speed + pull * dt, 0.0), max(0.0, (gap - 0.3) / dt))
    vehicle.braking = pull < -0.4 or moved < 0.3
    vehicle.speed = moved
    vehicle.z += vehicle.lane.direction * moved * dt
