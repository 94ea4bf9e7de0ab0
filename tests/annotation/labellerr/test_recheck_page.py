"""Labels that are probably wrong: from the list to the page, to what a person makes of them there,
to the next version of the data set."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest

from labellerr_loopback import Delays, Emulator, start_emulator
from segtrack import curation
from segtrack.annotation.labellerr.adapter import Labellerr
from segtrack.base.content_names import without_tag
from segtrack.base.errors import NothingToExport
from segtrack.base.polygons import mask_iou
from segtrack.dataset import Dataset, ReviewedSettings, YoloSettings, divide_folds
from segtrack.model.predictions import Predictions, PredictionsInfo, PredictionsWriter
from segtrack.pipeline.stages.pull import _pull as pull_stage
from segtrack.pipeline.stages.recheck import _send as recheck_stage
from segtrack.settings import LabellerrMode, LabellerrSettings, SuspectSettings
from segtrack.settings.labellerr import TransportChoice
from tests.browser import Person, open_browser

from .reviews import Numbers, _frame, prepared, small_dataset

WIDTH, HEIGHT = 480, 270
SKY = [(0.40, 0.04), (0.55, 0.04), (0.55, 0.16), (0.40, 0.16)]


class Streets:
    """The simulator's streets, of which one lost its largest label and got one in the sky."""

    def __init__(self, root: Path) -> None:
        self.root = root
        drawn = small_dataset(root / "drawn", root / "cache").yolo_yaml.parent
        right = prepared(YoloSettings(path=str(drawn)), root / "right", root / "cache")
        shutil.copytree(right.yolo_yaml.parent, root / "data")
        self.file, self.lost_class, self.lost = self._spoil(right)
        settings = YoloSettings(path=str(root / "data"))
        self.dataset = prepared(settings, root / "dataset", root / "cache")
        self.suspects = root / "suspects"
        self.suspects.mkdir()
        folds = divide_folds(self.dataset, ["train", "val", "test"], 1, None, 0)
        predictions = [self._predictions(right, root / "predictions")]
        knobs = SuspectSettings(gallery=0)
        curation.find_suspects(self.dataset, folds, predictions, knobs, self.suspects, Numbers())

    def labels(self, dataset: Dataset, file_name: str) -> list[dict[str, Any]]:
        (image,) = (r for r in dataset.iter_images("train") if r.file_name.endswith(file_name))
        rows = dataset.iter_annotations("train")
        return [row for row in rows if row["image_id"] == image.image_id]

    def _spoil(self, right: Dataset) -> tuple[str, str, np.ndarray]:
        rows = max(right.iter_annotations("train"), key=lambda row: row["area"])
        (image,) = (r for r in right.iter_images("train") if r.image_id == rows["image_id"])
        place = sum(
            row["image_id"] == image.image_id and row["id"] < rows["id"]
            for row in right.iter_annotations("train")
        )
        (file,) = (self.root / "data/labels/train").glob(f"*{image.path.stem}.txt")
        lines = file.read_text().splitlines()
        values = np.array(lines.pop(place).split()[1:], float).reshape(-1, 2)
        lines.append("1 " + " ".join(f"{x} {y}" for x, y in SKY))
        file.write_text("\n".join(lines) + "\n")
        name = right.names[rows["category_id"]]
        return f"{file.stem}.jpg", name, values * (WIDTH, HEIGHT)

    def _predictions(self, right: Dataset, folder: Path) -> Predictions:
        """The right masks, as a network that is sure of itself would give them."""
        from pycocotools import mask as coco_mask

        folder.mkdir()
        splits = ("train", "val", "test")
        number = {r.sha256: r.image_id for s in splits for r in self.dataset.iter_images(s)}
        stamp = {r.image_id: r.sha256 for s in splits for r in right.iter_images(s)}
        found: dict[int, list[tuple[int, np.ndarray, float]]] = {}
        for split in splits:
            for row in right.iter_annotations(split):
                rings = coco_mask.frPyObjects(row["segmentation"], HEIGHT, WIDTH)
                mask = coco_mask.decode(coco_mask.merge(rings))
                one = number[stamp[row["image_id"]]]
                found.setdefault(one, []).append((row["category_id"], mask, 0.9))
        with PredictionsWriter(folder) as writer:
            for one in sorted(found):
                writer.add(_frame(one, found[one]))
            writer.finish(PredictionsInfo(self.dataset.names, len(number)))
        return Predictions.load(folder)


class ByHand:
    """A run as the stages see it, on a platform that is kept up."""

    def __init__(self, streets: Streets, emulator: Emulator, root: Path, listed: str) -> None:
        self.root = self.output = root
        self.listed = [listed]
        self.said: list[str] = []
        self.record = Numbers()
        knobs = LabellerrSettings(
            mode=LabellerrMode.emulator,
            url=emulator.url,
            transport=TransportChoice.http,
            timeout=20.0,
            name="street",
        )
        self.settings = SimpleNamespace(
            labellerr=knobs, suspect=SuspectSettings(), dataset=streets.dataset, stages=[listed]
        )
        self.platform = Labellerr(knobs, root / "labellerr")

    def resource(self, name: str, make: Any) -> Labellerr:
        return self.platform

    def __call__(self, stage: str) -> Any:
        return SimpleNamespace(
            value=SimpleNamespace(starting_weights="auto", path=None, source="yolo")
        )

    def scratch(self, name: str) -> Path:
        return self.root / name

    def say(self, text: str) -> None:
        self.said.append(text)

    def tag(self, tags: dict[str, str]) -> None:
        self.tags = tags

    def keep(self, path: Path, name: str) -> None:
        pass


@pytest.fixture
def emulator(tmp_path: Path) -> Iterator[Emulator]:
    with start_emulator(tmp_path / "emulator", delays=Delays(0, 0, 0)) as running:
        yield running


def test_a_person_corrects_what_is_remarked(emulator: Emulator, tmp_path: Path) -> None:
    streets = Streets(tmp_path)
    run = ByHand(streets, emulator, tmp_path / "run", "recheck")
    run.root.mkdir()
    chosen = curation.to_recheck(streets.dataset, streets.suspects, 2, 0.5)
    found = SimpleNamespace(key="0123456789abcdef", folder=streets.suspects)
    project = recheck_stage(run, streets.dataset, found, chosen)  # type: ignore[arg-type]
    pulling = ByHand(streets, emulator, run.root, "pull")
    with pytest.raises(NothingToExport) as waiting:
        pull_stage(pulling, streets.dataset, ())  # type: ignore[arg-type]
    assert "segtrack labellerr open" in str(waiting.value)
    assert str(waiting.value).endswith("; then the same command with stages=[pull]")

    before = streets.labels(streets.dataset, streets.file)
    with open_browser(tmp_path) as browser:
        person = Person(browser, WIDTH, HEIGHT)
        browser.get(emulator.page(project))
        first = person.one(".grid a")
        assert "labelled car, but hardly anything is predicted here" in first.text
        first.click()
        person.ready()
        assert without_tag(person.one("h1").text) == streets.file
        texts = person.texts("#remarks button")
        kinds = [text.split(" (")[0] for text in texts]
        assert sorted(kinds) == ["overlooked", "spurious"]
        assert len(person.all("#stage path.mark")) == 2
        shapes = person.shapes()
        browser.save_screenshot(str(tmp_path / "before.png"))

        person.steady(lambda: person.all("#remarks button")[kinds.index("spurious")].click())
        middle = np.mean(SKY, 0) * (WIDTH, HEIGHT)
        person.click(tuple(middle))
        browser.save_screenshot(str(tmp_path / "spurious.png"))
        person.press("\ue017")
        person.saved()
        assert person.shapes() == shapes - 1

        person.steady(lambda: person.all("#remarks button")[kinds.index("overlooked")].click())
        browser.save_screenshot(str(tmp_path / "overlooked.png"))
        contour = np.round(streets.lost).astype(np.int32)[:, None]
        ring = cv2.approxPolyDP(contour, 2.0, True)[:, 0].astype(float)
        ring = np.clip(ring, 2, np.array([WIDTH, HEIGHT]) - 2)
        person.press("d")
        person.click(*(tuple(point) for point in ring))
        person.press("\ue007", str(1 + streets.dataset.names.index(streets.lost_class)))
        person.saved()
        browser.save_screenshot(str(tmp_path / "drawn.png"))
        assert person.shapes() == shapes
        person.press("a")
        person.wait(lambda: [without_tag(one) for one in person.texts("h1")] != [streets.file])
        assert person.errors() == []

    version = pull_stage(pulling, streets.dataset, ())  # type: ignore[arg-type]
    assert version is not None
    assert pulling.record["recheck/suspects/wrong_share"] == 1
    assert pulling.record["recheck/overlooked/added"] == 1
    assert pulling.record["recheck/spurious/deleted"] == 1
    assert (pulling.record["recheck/images"], pulling.record["recheck/pending"]) == (1, 1)

    after = prepared(ReviewedSettings(path=str(version)), tmp_path / "next", tmp_path / "cache")
    labels = streets.labels(after, streets.file)
    *kept, drawn = ((row["category_id"], row["segmentation"]) for row in labels)
    assert streets.dataset.names[drawn[0]] == streets.lost_class
    assert kept == [(row["category_id"], row["segmentation"]) for row in before[:-1]]
    outline = np.reshape(drawn[1][0], (-1, 2))
    assert mask_iou([outline], [streets.lost], (WIDTH, HEIGHT))[0, 0] > 0.85
    for split in ("val", "test", "pool"):
        assert after.split_fingerprint(split) == streets.dataset.split_fingerprint(split)
