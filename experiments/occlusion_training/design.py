"""The arms, the seeds and the tests of this study, and the commands that they stand for."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from segtrack.base.atomic import whole_file
from segtrack.base.errors import SegtrackError, SettingsError
from segtrack.command.app import CONF
from segtrack.command.checking import check
from segtrack.command.composition import compose_settings
from segtrack.command.job import look

LEVELS = (0.1, 0.5, 0.9)  # of occlusion in the streets that test
TEST_SEED, TRAIN_SEED, TEST_IMAGES = 20000, 30000, 100
Command = list[str]


@dataclass(frozen=True)
class Domain:
    """Where the images come from.

    Attributes:
        experiment: of ``conf/experiment``.
        arms: settings of each.
        pairs: arms that are compared, b - a; decided before there was any result.
        tests: settings under which the weights are evaluated, by name.
        drawn: whether a seed draws the training images too.
    """

    experiment: str
    arms: dict[str, Command]
    pairs: tuple[tuple[str, str], ...]
    tests: dict[str, Command]
    drawn: bool


_FEWEST = ["dataset.train=1", "dataset.val=1", f"dataset.test={TEST_IMAGES}"]
DOMAINS = {
    "streets": Domain(
        "occlusion_training",
        {
            "occlusion_0.1": [],
            "occlusion_0.5": ["dataset.occlusion=0.5"],
            "occlusion_0.9": ["dataset.occlusion=0.9"],
            "copy_paste": ["trainer.copy_paste=0.5"],
            "paste_occluders": ["trainer.paste_occluders=0.5"],
        },
        (
            ("occlusion_0.1", "occlusion_0.5"),
            ("occlusion_0.1", "occlusion_0.9"),
            ("occlusion_0.1", "copy_paste"),
            ("occlusion_0.1", "paste_occluders"),
            ("occlusion_0.5", "paste_occluders"),
            ("copy_paste", "paste_occluders"),
        ),
        {
            f"test_{level}": [f"dataset.occlusion={level}", f"dataset.seed={seed}", *_FEWEST]
            for seed, level in enumerate(LEVELS, TEST_SEED)
        },
        drawn=True,
    ),
    "cityscapes": Domain(
        "occlusion_training_real",
        {
            "plain": [],
            "copy_paste": ["trainer.copy_paste=0.5"],
            "paste_occluders": ["trainer.paste_occluders=0.5"],
        },
        (
            ("plain", "copy_paste"),
            ("plain", "paste_occluders"),
            ("copy_paste", "paste_occluders"),
        ),
        {"test": []},
        drawn=False,
    ),
}


@dataclass(frozen=True)
class Training:
    """One training of the study."""

    domain: str
    arm: str
    seed: int
    runs: Path

    @property
    def folder(self) -> Path:
        return self.runs / self.domain / self.arm / f"seed_{self.seed}"

    @property
    def weights(self) -> Path:
        return self.folder / "best.pt"

    def units(self, test: str) -> Path:
        return self.folder / f"{test}.npz"

    def training(self) -> Command:
        of = DOMAINS[self.domain]
        seeds = [f"seed={self.seed}"]
        if of.drawn:
            seeds.append(f"dataset.seed={TRAIN_SEED + self.seed}")
        return [f"experiment={of.experiment}", *of.arms[self.arm], *seeds]

    def evaluation(self, test: str) -> Command:
        of = DOMAINS[self.domain]
        stages = "stages=[prepare,evaluate]"
        weights = f"model.weights='{self.weights}'"
        return [f"experiment={of.experiment}", stages, weights, *of.tests[test]]


def trainings(runs: Path, domains: Sequence[str], seeds: Sequence[int]) -> Iterator[Training]:
    """All of the study, in the order in which they are made."""
    for seed in seeds:
        for domain in domains:
            for arm in DOMAINS[domain].arms:
                yield Training(domain, arm, seed, runs)


def make(command: Command, stage: str, file: str, kept: Path) -> None:
    """Copy a file of the last stage's result to ``kept``: made now, or taken from the store."""
    print("python src/run.py", *command, flush=True)
    try:
        if problems := check(CONF, command, sweep=False):
            raise SettingsError("; ".join(map(str, problems)))
        runner = look(compose_settings(CONF, command))
        runner.run()
    except SegtrackError as error:
        sys.exit(f"error: {error}")
    kept.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(kept) as partial:
        shutil.copyfile(runner.get(stage, {}).folder / file, partial)
