"""Proposals for annotators as a user types them: SAM's masks, and the model's own."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from labellerr_loopback import Delays, Emulator, ask, start_emulator
from segtrack.base.content_names import content_name
from segtrack.base.files import file_digest
from segtrack.dataset import Dataset
from segtrack.model import Predictions
from segtrack.model.predictions import FrameDetections
from segtrack.model.sam import segmenter
from segtrack.model.ultralytics import weights
from tests.dataset.conftest import YoloFolder
from tests.integration.conftest import TINY, Outcome, Project
from tests.model.conftest import make_random_sam

Here = Callable[..., Outcome]
SMALL = [
    *TINY,
    *("dataset.train=2", "dataset.val=1", "dataset.test=1", "dataset.pool=2"),
    *("model.imgsz=192", "model.weights=shipped", "stages=[prepare,push]"),
]


@pytest.fixture
def emulator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulator]:
    for name in ("API_KEY", "API_SECRET", "CLIENT_ID"):
        monkeypatch.delenv(f"LABELLERR_{name}", raising=False)
    with start_emulator(tmp_path / "emulator", delays=Delays(0, 0, 0)) as emulator:
        yield emulator


@pytest.fixture(scope="session")
def sam(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """MobileSAM, untrained, under a name that ultralytics does not know."""
    return make_random_sam(tmp_path_factory.mktemp("my sam") / "finetuned=v1.pt", sure=False)


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Instead of 1024 px, in which an image takes seconds."""
    monkeypatch.setattr(segmenter, "IMGSZ", 128)


def answers(emulator: Emulator, project_id: str) -> dict[str, list[dict[str, Any]]]:
    url = f"{emulator.url}/_emulator/projects/{project_id}/files"
    found = ask("GET", url)["files"]
    assert {file["status"] for file in found} == {"None"}
    return {file["file_name"]: file["answers"] for file in found}


def stored(project: Project, stage: str) -> dict[int, FrameDetections]:
    """The predictions of all splits, by image id."""
    folders = (project.folder / ".segtrack" / "results" / stage).glob("*/")
    return {f.frame: f for folder in folders for f in Predictions.load(folder).frames()}


def prepared(project: Project) -> Dataset:
    (folder,) = (project.folder / ".segtrack" / "results" / "prepare").glob("*/")
    return Dataset.load(folder)


def sent_images(dataset: Dataset) -> dict[int, tuple[str, list[int]]]:
    """Name and [height, width] of each image that was sent, by its id."""
    rows = (row for split in ("train", "val", "pool") for row in dataset.iter_images(split))
    return {
        row.image_id: (
            content_name(row.path.name, file_digest(row.path)),
            [row.height, row.width],
        )
        for row in rows
    }


def overlaps(answer: list[dict[str, Any]], frame: FrameDetections, size: list[int]) -> list[float]:
    """Mask IoU of each answer with the prediction of its score."""
    found = []
    for one in answer:
        i = int(np.argmin(np.abs(frame.score - one["score"])))
        drawn = coco_mask.frPyObjects([np.array(one["polygon"]).reshape(-1).tolist()], *size)
        mask = {"size": size, "counts": frame.rle[i]}
        found.append(float(coco_mask.iou(drawn, [mask], [0])[0, 0]))
    return found


def test_sams_masks_of_the_models_boxes(
    project: Project, here: Here, emulator: Emulator, sam: Path
) -> None:
    words = [*SMALL, f"labellerr.url={emulator.url}", "labellerr.assist=sam"]
    words.append(f'model.sam="{sam}"')
    outcome = here(*words)
    assert outcome.code == 0, outcome.err
    assert "sam        mobile_sam path" in outcome.out
    detected, masked = stored(project, "predict"), stored(project, "propose")
    dataset = prepared(project)
    images = sent_images(dataset)
    (run,) = project.runs()
    metrics = run.data.metrics
    there = answers(emulator, run.data.tags["labellerr.project"])
    assert set(there) == {name for name, _ in images.values()} and len(images) == 5
    total, found = 0, []
    for image_id, (name, size) in images.items():
        boxes = detected[image_id].take(detected[image_id].score >= 0.25)
        assert (image_id in masked) == (len(boxes) > 0) == (len(there[name]) > 0)
        if not len(boxes):
            continue
        proposed = masked[image_id]
        assert proposed.class_id.tolist() == boxes.class_id.tolist()
        np.testing.assert_array_equal(proposed.score, boxes.score)
        np.testing.assert_array_equal(proposed.bbox_xyxy, boxes.bbox_xyxy)
        assert not set(proposed.rle) & set(boxes.rle)
        wanted = [
            (dataset.names[i], round(float(score), 4))
            for i, score in zip(proposed.class_id, proposed.score, strict=True)
        ]
        assert sorted((a["question"], a["score"]) for a in there[name]) == sorted(wanted)
        found += overlaps(there[name], proposed, size)
        total += len(there[name])
    assert total > 5
    assert np.mean(found) > 0.8
    proposals = {split: metrics[f"push/{split}/proposals"] for split in ("train", "val", "pool")}
    assert sum(proposals.values()) == total
    assert metrics["builds/predict"] == metrics["builds/propose"] == 3
    assert metrics["propose/pool_masks"] == proposals["pool"]
    assert metrics["speed/train_propose_ms"] > 0
    assert run.data.tags["sam.origin"] == "path" and len(run.data.tags["sam.sha256"]) == 64
    # Again: nothing is computed and nothing is sent.
    calls, results = dict(emulator.faults.calls), project.results()
    planned = [line.split()[:2] for line in here(*words, "plan=true").out.splitlines()]
    both = [["predict", "hit"], ["propose", "hit"]]
    given = [["sam", "given"], ["prepare", "hit"], ["start", "given"]]
    assert planned == [*given, *both, ["push", "platform"]]
    again = here(*words)
    assert again.code == 0, again.err
    metrics = project.runs()[-1].data.metrics
    assert metrics["builds/propose"] == metrics["builds/predict"] == metrics["push/sent"] == 0
    assert [metrics[f"push/{split}/proposals"] for split in ("train", "val", "pool")] == [0, 0, 0]
    assert "have proposals already: left as they are" in again.out
    new = {k for k, count in emulator.faults.calls.items() if count != calls.get(k)}
    assert not [call for call in new if "upload" in call or "create" in call]
    assert project.results() == results
    assert answers(emulator, run.data.tags["labellerr.project"]) == there


def test_without_weights_of_sam_nothing_begins(
    project: Project,
    here: Here,
    emulator: Emulator,
    shared_data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(weights, "_reachable", lambda *_: False)
    words = [*SMALL, f"labellerr.url={emulator.url}", "labellerr.assist=sam"]
    yolo = shared_data / "weights" / "yolov8n-seg.pt"
    (tmp_path / "mobile_sam.pt").write_bytes(b"<html>Not Found</html>")
    for choice, message in (
        ("mobile_sam.pt", "model.sam=mobile_sam.pt: no such file in "),
        (str(yolo), "it is a YOLO checkpoint, which is named by model.weights"),
        (str(tmp_path / "mobile_sam.pt"), "mobile_sam.pt: not a checkpoint of SAM, MobileSAM or "),
        ("nowhere/sam_b.pt", "model.sam=nowhere/sam_b.pt: no such file; give a checkpoint"),
    ):
        for plan in ("true", "false"):
            outcome = here(*words, f"model.sam={choice}", f"plan={plan}")
            assert outcome.code == 2, choice
            assert message in outcome.err and "Traceback" not in outcome.err
    assert "weights_folder is not set" in here(*words).err
    assert not emulator.faults.calls and project.results() == []


def test_the_models_own_masks_of_photographs(
    project: Project, here: Here, emulator: Emulator, shared_data: Path, tmp_path: Path
) -> None:
    """COCO's weights on eight real photographs: what arrives is what they predict."""
    source = shared_data / "images" / "coco100-val"
    photos = tmp_path / "photos"
    for folder, suffix in (("images", ".jpg"), ("labels", ".txt")):
        (photos / folder).mkdir(parents=True)
        for path in sorted((source / "images").iterdir())[:8]:
            file = (source / folder / path.name).with_suffix(suffix)
            if file.exists():
                shutil.copy2(file, photos / folder)
    names = (source / "data.yaml").read_text().partition("names:")[2]
    (photos / "data.yaml").write_text(f"pool: images\nnames:{names}")
    outcome = here(
        *("dataset=yolo", f"dataset.path={photos}", "stages=[prepare,push]"),
        "dataset.workers=1",
        f"model.weights={shared_data / 'weights' / 'yolov8n-seg.pt'}",
        *(f"labellerr.url={emulator.url}", "labellerr.assist=model"),
    )
    assert outcome.code == 0, outcome.err
    (run,) = project.runs()
    there = answers(emulator, run.data.tags["labellerr.project"])
    predicted, images = stored(project, "predict"), sent_images(prepared(project))
    found = [
        overlap
        for image_id, (name, size) in images.items()
        if image_id in predicted
        for overlap in overlaps(there[name], predicted[image_id], size)
    ]
    wanted = sum(int((frame.score >= 0.25).sum()) for frame in predicted.values())
    assert len(found) == wanted > 20
    assert np.mean(found) > 0.95


def test_labels_that_are_only_boxes_get_masks(
    here: Here, project: Project, sam: Path, tmp_path: Path
) -> None:
    data = YoloFolder(tmp_path / "data", 4)
    for i in range(4):
        data.write_label(i, "0 0.5 0.5 0.5 0.5")
    words = ["dataset=yolo", f"dataset.path={data.root}", "stages=[prepare]", "dataset.workers=1"]
    assert here(*words).code == 0
    plain = prepared(project)
    shutil.rmtree(project.folder / ".segtrack" / "results" / "prepare")
    refused = here(*words, "dataset.box_masks=sam", f"model.sam={tmp_path}/none/sam_b.pt")
    assert refused.code == 2 and "model.sam" in refused.err and "no such file" in refused.err
    outcome = here(*words, "dataset.box_masks=sam", f'model.sam="{sam}"')
    assert outcome.code == 0, outcome.err
    made = prepared(project)
    assert made.fingerprint != plain.fingerprint
    annotations = [a for split in ("train", "val", "test") for a in made.iter_annotations(split)]
    assert [a["bbox"] for a in annotations] == [pytest.approx([16, 12, 32, 24])] * 4
    assert all(a["area"] != 32 * 24 for a in annotations if isinstance(a["segmentation"], dict))
    assert any(line.startswith("box_masks") for line in made.warnings)
