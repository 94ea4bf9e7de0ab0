"""A sweep's cells as settings: cells that differ in a seed alone are one.

A seed is no setting: the best of several seeds is the luckiest, and nobody can have it again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from segtrack.base.names import short
from segtrack.runs.kept import KeptRun, KeptSweep

CHOOSING = (
    *("val/best/mask_map50_95", "val/best/box_map50_95"),
    *(f"track/tuning/{name}" for name in ("hota", "mota", "idf1", "mask_hota", "smotsa")),
)
MEASURED = (
    *("track/hota", "track/mota", "track/idf1", "track/mask_hota", "track/smotsa"),
    "test/mask_map50_95",
)
"""What stands in tables of a sweep; of what was measured only where nothing of its kind chooses."""
COUNTED = "track/tracks"  # stands between them; no score


@dataclass(frozen=True)
class SweptSetting:
    """Cells that differ in nothing but a seed.

    Attributes:
        name: as the sweep's claims call it. values: of the keys; None where a cell has none.
        cells: first started first.
    """

    name: str
    values: tuple[str | None, ...]
    cells: tuple[KeptRun, ...]

    def seeds(self, seeds: Sequence[str]) -> list[KeptRun]:
        """The finished cells; of those with the same seeds the first.

        Args:
            seeds: the keys of seeds that vary.
        """
        found: dict[tuple[str, ...], KeptRun] = {}
        for cell in self.cells:
            if cell.status == "FINISHED":
                found.setdefault(tuple(cell.params.get(key, "") for key in seeds), cell)
        return list(found.values())


def is_seed(key: str) -> bool:
    """Whether a knob is a seed: ``seed`` itself, or one of a part, such as ``dataset.seed``."""
    return key.rsplit(".", 1)[-1] == "seed"


def divided(swept: Iterable[str]) -> tuple[list[str], list[str]]:
    """Keys that make settings, and seeds."""
    keys = list(swept)
    return [k for k in keys if not is_seed(k)], [k for k in keys if is_seed(k)]


def varied(cells: Sequence[Mapping[str, str]], swept: Iterable[str]) -> list[str]:
    """The swept keys, and those that a sweeper drew values for without being told by a list.

    Args:
        cells: the parameters of each.
    """
    keys = list(swept)
    groups: dict[tuple[str, ...], list[Mapping[str, str]]] = {}
    for params in cells:
        groups.setdefault(tuple(params.get(key, "") for key in keys), []).append(params)
    drawn: dict[str, None] = {}
    for group in groups.values():
        for key in group[0]:
            if len({params.get(key, "") for params in group}) > 1:
                drawn[key] = None
    return [*keys, *drawn]


def named(keys: Sequence[str], values: Sequence[str]) -> str:
    """A setting or cell by what distinguishes it; only the last words of its keys."""
    pairs = zip(keys, values, strict=True)
    return " ".join(f"{key.rsplit('.', 1)[-1]}={value}" for key, value in pairs)


def setting_names(keys: Sequence[str], settings: Sequence[Sequence[str]]) -> list[str]:
    """The name of each of several settings, of drawn numbers as few digits as tell them apart."""
    names = [named(keys, [short(value) for value in values]) for values in settings]
    if len(set(names)) == len(names):
        return names
    return [named(keys, values) for values in settings]


def headline(rows: Sequence[Mapping[str, object]]) -> list[str]:
    """The metrics of a sweep's tables: what settings may be chosen by, else what was measured.

    Args:
        rows: of each cell, by the names of its metrics, or more than these.
    """

    def there(names: Sequence[str]) -> list[str]:
        return [name for name in names if any(name in row for row in rows)]

    choosing = there(CHOOSING)
    others = [
        name
        for name in there(MEASURED)
        if not any(choice.startswith(_chooses(name)) for choice in choosing)
    ]
    return [*choosing, *there([COUNTED]), *others]


def swept_settings(
    sweep: KeptSweep,
) -> tuple[list[str], list[str], list[SweptSetting]]:
    """The keys that vary but for seeds, the seeds, and the settings by their first cells.

    A cell that has only just begun, and says nothing of itself yet, is in none.
    """
    cells = [cell for cell in sweep.cells if cell.params or not cell.running]
    keys, seeds = divided(varied([cell.params for cell in cells], sweep.keys))
    groups: dict[tuple[str | None, ...], list[KeptRun]] = {}
    for cell in cells:
        groups.setdefault(tuple(cell.params.get(key) for key in keys), []).append(cell)
    names = setting_names(keys, [[value or "" for value in values] for values in groups])
    return (
        keys,
        seeds,
        [
            SweptSetting(name, values, tuple(group))
            for name, (values, group) in zip(names, groups.items(), strict=True)
        ],
    )


def planned(sweep: KeptSweep) -> int | None:
    """With how many cells it began; None where that is not known, as a sweeper draws them."""
    text = sweep.parent.params.get("cells", "")
    drawn = "hydra/sweeper" in sweep.parent.command
    return int(text) if text.isdigit() and not drawn and int(text) >= len(sweep.cells) else None


def _chooses(name: str) -> str:
    """What names begin with that choose where ``name`` is measured."""
    return "val/" if name.startswith("test/") else "track/tuning/"
