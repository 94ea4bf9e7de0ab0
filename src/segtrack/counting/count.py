"""All that is counted along the trajectories of one video, as tables."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from segtrack.base.errors import DataError
from segtrack.base.frame_times import FrameTimes
from segtrack.base.metrics import Report
from segtrack.base.names import level
from segtrack.counting.lines import IN, OUT, Crossing, crossings
from segtrack.counting.paths import paths_of
from segtrack.counting.rules import Rules
from segtrack.counting.speeds import KMH, Ground, Speeds, speeds
from segtrack.counting.zones import Visit, occupancy, visits
from segtrack.report import write_csv
from segtrack.tracker import Tracks

TOTALS = "totals.json"
CROSSINGS, LINE_INTERVALS = "crossings.csv", "line_intervals.csv"
ZONES, OCCUPANCY, ZONE_INTERVALS = "zones.csv", "occupancy.csv", "zone_intervals.csv"
SPEEDS, FRAMES = "speeds.csv", "speeds.parquet"
FILES = (TOTALS, CROSSINGS, "crossings.parquet", LINE_INTERVALS, ZONES, OCCUPANCY, ZONE_INTERVALS,
         SPEEDS, FRAMES)  # fmt: skip
_ADDED = (IN, OUT, "entered", "left", "tracks")  # ends of metrics that add up over videos

_CROSSING = pa.schema(
    [
        ("line", pa.string()),
        ("frame", pa.int64()),
        ("time_s", pa.float64()),
        ("track_id", pa.int64()),
        ("class_name", pa.string()),
        ("direction", pa.string()),
        ("x", pa.float64()),
        ("y", pa.float64()),
        ("speed_kmh", pa.float64()),
    ]
)
_SPEED = pa.schema(
    [
        ("frame", pa.int64()),
        ("time_s", pa.float64()),
        ("track_id", pa.int64()),
        ("class_name", pa.string()),
        ("x_m", pa.float64()),
        ("y_m", pa.float64()),
        ("speed_mps", pa.float64()),
        ("speed_kmh", pa.float64()),
        ("extrapolated", pa.bool_()),
    ]
)


@dataclass(frozen=True)
class _Span:
    """A video in time: its frames, the time of each in s, its length in s, and the intervals."""

    frames: int
    times: np.ndarray
    seconds: float
    interval: float

    @staticmethod
    def of(tracks: Tracks, interval: float) -> _Span:
        count, times = tracks.info.frame_count, tracks.times
        shown = np.array([times.seconds(frame) for frame in range(count)])
        end = float(shown[-1]) + (1 / times.fps if times.fps > 0 else 0.0) if count else 0.0
        return _Span(count, shown, round(end, 6), interval)

    def pieces(self) -> Iterator[tuple[float, float]]:
        """Beginning and end of every interval, s; the last one ends with the video."""
        for number in range(max(1, int(np.ceil(self.seconds / self.interval - 1e-9)))):
            begin = number * self.interval
            yield begin, min(begin + self.interval, max(self.seconds, begin))


def count_tracks(tracks: Tracks, rules: Rules, folder: Path, report: Report) -> None:
    """Write the tables of what ``rules`` ask for into ``folder``, and ``totals.json``.

    Reported are ``count/line/LINE/CLASS/in`` and ``out``, ``count/zone/ZONE/CLASS/entered``,
    ``left``, ``mean_inside``, ``highest_inside`` and ``dwell_s`` (median), each without CLASS for
    all; ``count/speed/CLASS/median_kmh``, ``p85_kmh`` (of the tracks' medians) and ``tracks``.

    Raises:
        DataError: speeds of a video whose frame rate nobody knows.
    """
    span = _Span.of(tracks, rules.interval)
    _check_times(tracks.times, rules)
    ground = None
    if rules.image is not None and rules.ground is not None:
        ground = Ground.of(rules.image, rules.ground)
    passed: list[tuple[Crossing, float | None]] = []
    stays: list[Visit] = []
    measured: list[Speeds] = []
    seen: set[str] = set()
    for path in paths_of(tracks):
        seen.add(path.class_name)
        speed = None
        if ground is not None:
            speed = speeds(path, ground, rules.speed_window)
            measured.append(speed)
        for name, line in rules.lines.items():
            passed += [
                (one, _speed_at(speed, one.frame))
                for one in crossings(path, name, line, rules.hysteresis)
            ]
        for name, polygon in rules.zones.items():
            stays += visits(path, name, polygon, rules.hysteresis)
    classes = [name for name in dict.fromkeys(tracks.info.names) if name in seen]
    totals: dict[str, Any] = {
        "frames": span.frames,
        "seconds": span.seconds,
        "classes": classes,
        "lines": {},
        "zones": {},
        "speeds": {},
    }
    if rules.lines:
        totals["lines"] = _write_lines(passed, list(rules.lines), classes, span, folder)
    if rules.zones:
        totals["zones"] = _write_zones(stays, list(rules.zones), classes, span, folder)
    if ground is not None:
        totals["speeds"] = _write_speeds(measured, classes, folder)
    text = json.dumps(totals, indent=1, ensure_ascii=False)
    (folder / TOTALS).write_text(text, encoding="utf-8")
    for name, value in _metrics(totals):
        report(name, value)


def adds_up(name: str) -> bool:
    """Whether a reported number of several videos is the sum of theirs; means and medians aren't.

    Args:
        name: ``count/...``.
    """
    return name.rsplit("/", 1)[-1] in _ADDED


def load_totals(folder: Path) -> dict[str, Any]:
    """What ``totals.json`` holds: ``frames``, ``seconds``, ``classes`` (those that were seen), and
    ``lines``, ``zones`` and ``speeds``, each by name: by class, and as "" for all classes."""
    loaded: dict[str, Any] = json.loads((folder / TOTALS).read_text(encoding="utf-8"))
    return loaded


def said(totals: Mapping[str, Any]) -> Iterator[str]:
    """What was counted, a line for each line, zone, and class whose speed was measured."""
    for name, of in totals["lines"].items():
        parts = []
        for way in (IN, OUT):
            listed = [f"{k} {v[way]}" for k, v in of.items() if k and v[way]]
            parts.append(f"{way} {of[''][way]}" + (f" ({', '.join(listed)})" if listed else ""))
        yield f"line {name}: {', '.join(parts)}"
    for name, of in totals["zones"].items():
        whole = of[""]
        stay = "" if whole["dwell_s"] is None else f", stay {whole['dwell_s']:.1f} s (median)"
        yield (
            f"zone {name}: {whole['entered']} entered, {whole['left']} left, "
            f"{whole['mean_inside']:.2f} in it on average, {whole['highest_inside']} at most{stay}"
        )
    for name, one in totals["speeds"].items():
        if one["tracks"]:
            yield (
                f"speed of {name}: {one['median_kmh']:.1f} km/h (median of {one['tracks']} tracks; "
                f"85% are not faster than {one['p85_kmh']:.1f} km/h)"
            )


def _check_times(times: FrameTimes, rules: Rules) -> None:
    if rules.image is not None and times.own is None and times.fps <= 0:
        raise DataError(
            "counting.homography: speeds need the time of each frame, and nothing says how many "
            "frames per second there are; add frameRate to seqinfo.ini"
        )


def _speed_at(speed: Speeds | None, frame: int) -> float | None:
    if speed is None:
        return None
    row = int(np.searchsorted(speed.path.frame, frame))
    value = float(speed.mps[row]) * KMH
    return None if np.isnan(value) else round(value, 6)


def _write_lines(
    passed: list[tuple[Crossing, float | None]],
    names: Sequence[str],
    classes: Sequence[str],
    span: _Span,
    folder: Path,
) -> dict[str, Any]:
    order = {name: i for i, name in enumerate(names)}
    passed.sort(key=lambda one: (one[0].frame, order[one[0].line], one[0].track_id))
    rows = [{**asdict(one), "speed_kmh": speed} for one, speed in passed]
    _csv(folder / CROSSINGS, _CROSSING.names, (row.values() for row in rows))
    pq.write_table(pa.Table.from_pylist(rows, schema=_CROSSING), folder / "crossings.parquet")
    by_place: dict[tuple[int, str, str, str], int] = defaultdict(int)
    for one, _ in passed:
        piece = int(one.time_s / span.interval + 1e-9)
        by_place[piece, one.line, one.class_name, one.direction] += 1
    _csv(
        folder / LINE_INTERVALS,
        ("start_s", "end_s", "line", "class_name", IN, OUT),
        (
            (begin, end, name, kind, *(by_place[piece, name, kind, way] for way in (IN, OUT)))
            for piece, (begin, end) in enumerate(span.pieces())
            for name in names
            for kind in classes
        ),
    )
    return {
        name: {
            kind: {
                way: sum(
                    one.line == name and one.direction == way and kind in ("", one.class_name)
                    for one, _ in passed
                )
                for way in (IN, OUT)
            }
            for kind in ("", *classes)
        }
        for name in names
    }


def _write_zones(
    stays: list[Visit], names: Sequence[str], classes: Sequence[str], span: _Span, folder: Path
) -> dict[str, Any]:
    order = {name: i for i, name in enumerate(names)}
    stays.sort(key=lambda one: (order[one.zone], one.first_frame, one.track_id))
    columns = list(Visit.__dataclass_fields__)
    _csv(folder / ZONES, columns, (asdict(one).values() for one in stays))
    groups = {
        (name, kind): [s for s in stays if s.zone == name and kind in ("", s.class_name)]
        for name in names
        for kind in ("", *classes)
    }
    inside = {key: occupancy(of, span.frames) for key, of in groups.items()}
    single = [key for key in groups if key[1]]
    _csv(
        folder / OCCUPANCY,
        ("zone", "class_name", "frame", "time_s", "inside"),
        (
            (*key, frame, float(span.times[frame]), int(inside[key][frame]))
            for key in single
            for frame in _steps(inside[key])
        ),
    )
    pieces = [
        (begin, end, *np.searchsorted(span.times, (begin - 1e-9, end - 1e-9)))
        for begin, end in span.pieces()
    ]
    if pieces:  # a video without a frame rate is one piece
        pieces[-1] = (*pieces[-1][:3], span.frames)
    _csv(
        folder / ZONE_INTERVALS,
        ("start_s", "end_s", "zone", "class_name", "entered", "left", "mean_inside",
         "highest_inside"),
        (
            (begin, end, *key, *_zone_counts(groups[key], inside[key], int(low), int(high)))
            for begin, end, low, high in pieces
            for key in single
        ),
    )  # fmt: skip
    found: dict[str, Any] = {name: {} for name in names}
    for (name, kind), of in groups.items():
        entered, left, mean, highest = _zone_counts(of, inside[name, kind], 0, span.frames)
        found[name][kind] = {
            "visits": len(of),
            "entered": entered,
            "left": left,
            "mean_inside": mean,
            "highest_inside": highest,
            "dwell_s": float(np.median([s.dwell_s for s in of])) if of else None,
        }
    return found


def _zone_counts(
    of: Sequence[Visit], inside: np.ndarray, low: int, high: int
) -> tuple[int, int, float, int]:
    """Entered, left, mean and highest number inside; frames from ``low`` on, before ``high``."""
    part = inside[low:high]
    return (
        sum(s.entered and low <= s.first_frame < high for s in of),
        sum(s.left and low <= s.last_frame + 1 < high for s in of),
        float(part.mean()) if len(part) else 0.0,
        int(part.max(initial=0)),
    )


def _steps(inside: np.ndarray) -> list[int]:
    """The frames from which on the number is another, the first one among them."""
    changed = np.flatnonzero(np.diff(inside)) + 1
    return [0, *changed.tolist()] if len(inside) else []


def _write_speeds(
    measured: Sequence[Speeds], classes: Sequence[str], folder: Path
) -> dict[str, Any]:
    rows = []
    by_class: dict[str, list[float]] = {kind: [] for kind in classes}
    with pq.ParquetWriter(folder / FRAMES, _SPEED) as file:
        for one in measured:
            path, known = one.path, np.isfinite(one.metres[:, 0])
            file.write_table(_frames(one, known))
            found = one.summary()
            if found is None:
                continue
            median, highest, extrapolated = found
            if not extrapolated:
                by_class[path.class_name].append(median * KMH)
            frames = int(np.isfinite(one.mps).sum())
            rows.append(
                (path.track_id, path.class_name, int(path.frame[known][0]),
                 int(path.frame[known][-1]), frames, median, median * KMH, highest * KMH,
                 extrapolated)
            )  # fmt: skip
    _csv(
        folder / SPEEDS,
        ("track_id", "class_name", "first_frame", "last_frame", "frames", "median_mps",
         "median_kmh", "highest_kmh", "extrapolated"),
        rows,
    )  # fmt: skip
    return {
        kind: {
            "tracks": len(values),
            "median_kmh": float(np.median(values)) if values else None,
            "p85_kmh": float(np.percentile(values, 85)) if values else None,
        }
        for kind, values in by_class.items()
    }


def _frames(one: Speeds, known: np.ndarray) -> pa.Table:
    path, count = one.path, int(known.sum())
    kmh = one.mps[known] * KMH
    return pa.table(
        [
            path.frame[known],
            path.time_s[known],
            np.full(count, path.track_id, np.int64),
            pa.array([path.class_name] * count, pa.string()),
            *one.metres[known].T.copy(),
            pa.array(one.mps[known], from_pandas=True),
            pa.array(kmh, from_pandas=True),
            one.extrapolated[known],
        ],
        schema=_SPEED,
    )


def _csv(path: Path, columns: Sequence[str], rows: Iterable[Iterable[Any]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        write_csv(file, columns, (list(row) for row in rows))


def _metrics(totals: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    for group in ("line", "zone"):
        for name, of in totals[f"{group}s"].items():
            for kind, values in of.items():
                for key, value in values.items():
                    place = "/".join([level(name), *([level(kind)] if kind else []), key])
                    if value is not None and key != "visits":
                        yield f"count/{group}/{place}", value
    for kind, values in totals["speeds"].items():
        for key, value in values.items():
            if value is not None:
                yield f"count/speed/{level(kind)}/{key}", value
