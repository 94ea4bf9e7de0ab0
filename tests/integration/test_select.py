"""stages=[select] and [select,push] as they are typed, with a network that is judged by hand."""

from __future__ import annotations

import csv
import json
import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from importlib import import_module
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
import pytest

from segtrack.base.content_names import without_tag
from segtrack.base.registry import load_plugins
from tests.integration.conftest import Outcome, Project

SIZE, SIDE = 96, 16  # px
PLACES = [(8, 8), (60, 12), (20, 60), (60, 60)]
# Of each image of the pool: brightness of the street, and of its squares; what is 127 is in doubt.
POOL = {
    "a_0": (40, [127, 127, 127]),
    "a_1": (41, [127, 127, 127, 230]),
    "a_2": (42, [127, 127]),
    "b_0": (20, [230, 230]),
    "b_1": (10, [127]),
    "c_0": (43, []),
    "c_1": (60, [127, 230]),
    "c_2": (44, [230]),
}
KNOWN = {"k_0": (45, [230]), "k_1": (46, [230, 230]), "k_2": (47, []), "k_3": (48, [230])}
JUDGE = ["model=toy-bright", "model.weights=judge.json"]
WORDS = ["dataset=yolo", "dataset.path=data", "dataset.workers=1", *JUDGE]
GROUPED = [*WORDS, r"dataset.group_by='([abc])_[0-9]'"]


def picture(street: int, squares: list[int]) -> np.ndarray:
    image = np.full((SIZE, SIZE, 3), street, np.uint8)
    for (x, y), brightness in zip(PLACES, squares, strict=False):
        image[y : y + SIDE, x : x + SIDE] = brightness
    return image


def doubt(name: str) -> float:
    """By hand: the network's score is the brightness as a share of 255."""
    return sum(min(value / 255, 1 - value / 255) for value in POOL[name][1])


def draw(folder: Path, split: str, pictures: dict[str, tuple[int, list[int]]]) -> None:
    target = folder / "images" / split
    target.mkdir(parents=True)
    for name, (street, squares) in pictures.items():
        cv2.imwrite(str(target / f"{name}.png"), picture(street, squares))


def label(folder: Path, split: str, pictures: dict[str, tuple[int, list[int]]]) -> None:
    target = folder / "labels" / split
    target.mkdir(parents=True)
    for name, (_, squares) in pictures.items():
        rows = []
        for (x, y), _ in zip(PLACES, squares, strict=False):
            corners = [(x, y), (x + SIDE, y), (x + SIDE, y + SIDE), (x, y + SIDE)]
            rows.append("0 " + " ".join(f"{a / SIZE:.6f} {b / SIZE:.6f}" for a, b in corners))
        (target / f"{name}.txt").write_text("\n".join(rows) + "\n")


def known(folder: Path) -> None:
    """The images that are labelled."""
    draw(folder, "train", KNOWN)
    label(folder, "train", KNOWN)


@pytest.fixture(scope="module")
def family() -> Iterator[ModuleType]:
    """The toy's module, as SEGTRACK_PLUGINS would load it; afterwards it is not known any more."""
    from hydra.core.config_store import ConfigStore

    from segtrack.model import families
    from segtrack.settings import groups

    load_plugins()
    module = import_module("tests.plugins.toy_family")
    yield module
    del sys.modules[module.__name__]
    del families.FAMILIES._things["toy"]
    del families._by_settings[module.ToySettings]
    del groups._options["model"]["toy-bright"]
    groups._stored.pop(("model", "toy-bright"), None)
    ConfigStore.instance().repo["model"].pop("toy-bright.yaml", None)


@pytest.fixture
def toy(project: Project, family: ModuleType) -> Project:
    folder = project.folder / "data"
    draw(folder, "pool", POOL)
    # A copy of an image of the pool: each picture is annotated once.
    (folder / "images/pool/d_copy.png").write_bytes((folder / "images/pool/a_1.png").read_bytes())
    known(folder)
    (folder / "data.yaml").write_text(
        "train: images/train\nval: images/train\npool: images/pool\nnames: [square]\n"
    )
    content = {"names": ["square"], "imgsz": 64, "threshold": 100}
    (project.folder / "judge.json").write_text(json.dumps(content))
    return project


def chosen(project: Project) -> list[dict[str, str]]:
    """The newest selection."""
    found = project.folder.glob(".segtrack/results/select/*/selection.csv")
    with max(found, key=lambda path: path.stat().st_mtime_ns).open(newline="") as file:
        return list(csv.DictReader(file))


def names(rows: list[dict[str, str]]) -> list[str]:
    return [Path(row["file_name"]).stem for row in rows]


def test_what_is_in_doubt_and_unlike_what_is_known_comes_first(
    here: Callable[..., Outcome], toy: Project
) -> None:
    plan = here(*WORDS, "stages=[prepare,select]", "plan=true")
    assert plan.code == 0, plan.err
    assert {line.split()[0]: line.split()[1] for line in plan.out.splitlines()} == {
        "start": "given",
        "prepare": "build",
        "select": "after",
    }
    command = [*WORDS, "stages=[prepare,select]", "select.count=3"]
    outcome = here(*command, "select.by=uncertainty")
    assert outcome.code == 0, outcome.err
    assert "3 of 8 images of the pool to annotate next, by uncertainty." in outcome.out
    assert "Left out as copies of other images: 1." in outcome.out
    rows = chosen(toy)
    assert names(rows) == ["a_1", "a_0", "a_2"]
    assert [float(row["uncertainty"]) for row in rows] == pytest.approx(
        [doubt(name) for name in names(rows)], abs=1e-6
    )
    assert rows[0]["reason"] == "1.6 of 4 predictions are in doubt, most so square 0.50"
    (run,) = toy.runs()
    numbers = {k: v for k, v in run.data.metrics.items() if k.startswith("select/")}
    assert numbers["select/images"] == 3 and numbers["select/candidates"] == 8
    assert numbers["select/copies"] == 1
    assert numbers["select/uncertainty_of_all"] == pytest.approx(sum(map(doubt, POOL)) / 8)
    kept = toy.artifacts(run)
    assert {"select/selection.csv", "select/candidates.csv", "select/gallery/sheet.jpg"} <= kept

    # No group gives more than one: the most in doubt of each.
    outcome = here(*GROUPED, "stages=[prepare,select]", "select.count=3", "select.by=uncertainty")
    assert outcome.code == 0, outcome.err
    assert names(chosen(toy)) == ["a_1", "c_1", "b_1"]
    limited = here(*GROUPED, *command[-2:], "select.by=uncertainty", "select.per_group=2")
    assert limited.code == 0 and names(chosen(toy)) == ["a_1", "a_0", "c_1"]
    few = here(*GROUPED, *command[-2:-1], "select.count=8", "select.per_group=1")
    assert few.code == 0, few.err
    assert "Fewer than select.count=8: no group gives more than select.per_group=1." in few.out

    # By what the network sees: b_1 is the darkest street, far from the known ones.
    outcome = here(*command, "select.by=diversity")
    assert outcome.code == 0, outcome.err
    rows = chosen(toy)
    assert rows[0]["uncertainty"] == "" and float(rows[0]["distance"]) > 1
    assert "\npredict" not in outcome.out
    by_distance = [float(row["distance"]) for row in rows]
    assert by_distance == sorted(by_distance, reverse=True)

    # Both: the most distant first, of those that are in doubt.
    outcome = here(*command, "select.among=2")
    assert outcome.code == 0, outcome.err
    assert outcome.out.count("features   reused") == 2 and "predict    reused" in outcome.out
    doubtful = sorted(POOL, key=doubt, reverse=True)[:6]
    assert set(names(chosen(toy))) < set(doubtful) and names(chosen(toy)) != ["a_1", "a_0", "a_2"]
    figures = toy.folder.glob(".segtrack/results/select/*/figures/chosen.png")
    figure = max(figures, key=lambda path: path.stat().st_mtime_ns)
    with figure.with_suffix(".csv").open(newline="") as file:
        assert len(list(csv.DictReader(file))) == 8

    # By chance: neither predictions nor features, and another seed draws others.
    drawn = set()
    for seed in range(4):
        outcome = here(*command, "select.by=random", f"seed={seed}")
        assert outcome.code == 0, outcome.err
        assert "\npredict" not in outcome.out and "\nfeatures" not in outcome.out
        drawn.add(tuple(names(chosen(toy))))
    assert len(drawn) > 1 and all(len(set(one)) == 3 for one in drawn)


def sent(project: Project) -> dict[str, set[str]]:
    """Files of each project of the emulator, as they are called here."""
    state = project.folder / ".segtrack/labellerr/emulator/state.db"
    with closing(sqlite3.connect(state)) as db:
        rows = db.execute("SELECT project_id, file_name FROM project_files").fetchall()
    found: dict[str, set[str]] = {}
    for project_id, name in rows:
        found.setdefault(project_id, set()).add(Path(without_tag(name)).stem)
    return found


def test_only_the_selection_is_pushed_and_the_next_one_joins_it(
    here: Callable[..., Outcome], toy: Project
) -> None:
    raw = ["dataset=images", "dataset.path=data/images/pool", "dataset.classes=[square]"]
    command = [*raw, "dataset.workers=1", *JUDGE, "stages=[select,push]", "select.by=uncertainty"]
    plan = here(*command, "select.count=2", "plan=true")
    assert plan.code == 0 and "select" in plan.out, plan.err
    first = here(*command, "select.count=2")
    assert first.code == 0, first.err
    assert "2 files, 2 sent now" in first.out
    (files,) = sent(toy).values()
    assert files == {"a_1", "a_0"}
    plan = here(*command, "select.count=2", "plan=true")
    assert "2 selected images, as far as they are not sent" in plan.out

    # Others of the same folder: the same project goes on, without labellerr.name.
    more = here(*command, "select.by=diversity", "select.count=3", "labellerr.assist=model")
    assert more.code == 0, more.err
    (files,) = sent(toy).values()
    assert files == {"a_1", "a_0", *names(chosen(toy))}
    (run,) = [run for run in toy.runs() if "push/pool/proposals" in run.data.metrics]
    squares = sum(len(POOL[name][1]) for name in names(chosen(toy)))
    assert run.data.metrics["push/pool/proposals"] == squares

    # What is labelled already is not sent, though push alone would.
    both = here(*WORDS, "stages=[prepare,select,push]", "select.by=uncertainty", "select.count=1")
    assert both.code == 0 and "1 file, 0 sent now" in both.out, both.err
    assert list(sent(toy).values()) == [files]


def test_round_by_round_what_people_labelled_leaves_the_pool(
    here: Callable[..., Outcome], toy: Project
) -> None:
    truth = toy.folder / "truth"
    draw(truth, "all", POOL)
    label(truth, "all", POOL)
    (truth / "data.yaml").write_text("train: images/all\nval: images/all\nnames: [square]\n")
    raw = ["dataset=images", "dataset.path=data/images/pool", "dataset.classes=[square]"]
    command = ["dataset.workers=1", *JUDGE, "select.count=4"]
    first = here(*raw, *command, "stages=[select,push]", "labellerr.name=street")
    assert first.code == 0, first.err
    before = set(names(chosen(toy)))
    done = here("labellerr", "annotate", "street", "dataset=yolo", "dataset.path=truth")
    assert done.code == 0, done.err
    labelled = ["dataset=labellerr", "dataset.project_id=street", raw[1]]
    second = here(*labelled, *command, "stages=[prepare,select,push]")
    assert second.code == 0, second.err
    assert "4 of 4 images of the pool" in second.out
    after = set(names(chosen(toy)))
    # Of two files of the same content one is sent.
    assert before | after == set(POOL) and not before & after
    assert list(sent(toy).values()) == [before | after], "the same project"


def test_what_cannot_be_chosen_is_said_before_any_work(
    here: Callable[..., Outcome], toy: Project
) -> None:
    train = ["dataset=yolo", "dataset.path=none", "dataset.workers=1", *JUDGE]
    folder = toy.folder / "none"
    known(folder)
    (folder / "data.yaml").write_text("train: images/train\nval: images/train\nnames: [square]\n")
    assert here(*train, "stages=[prepare]").code == 0
    cases = [
        ([*WORDS, "select.by=chance"], "select.by=chance: must be one of both, uncertainty"),
        ([*train, "select.count=3"], "stage select: no images: the data set's pool split is empty"),
        ([*WORDS, "select.count=0"], "select.count=0: must lie in 1 to"),
    ]
    for words, message in cases:
        outcome = here(*words, "stages=[prepare,select]")
        assert outcome.code == 2 and message in outcome.err, (words, outcome.err)
    assert not any("select" in name for name in toy.results())


def test_a_network_that_does_not_say_what_it_sees_chooses_by_predictions(
    here: Callable[..., Outcome],
    toy: Project,
    family: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(family.ToyFamily, "embeds", False)
    outcome = here(*WORDS, "stages=[prepare,select]")
    assert outcome.code == 2
    assert "select.by=both: models of toy do not say what they see of an image" in outcome.err
    assert "select.by=uncertainty" in outcome.err
    assert here(*WORDS, "stages=[prepare,select]", "select.by=uncertainty").code == 0
