"""A training leaves weights that predict, goes on where it was killed, and ends when asked."""

import dataclasses
import json
import types
from pathlib import Path

import cv2
import numpy as np
import pytest

from segtrack.base.errors import DataError, SettingsError, StageError
from segtrack.model import Network, Request, Training, model_settings, resolve_weights, train
from segtrack.model.rfdetr.data import coco_tree
from segtrack.settings import TrainerSettings
from tests.model.rfdetr.conftest import NAME, NAMES

SIZE = 48  # px, of the training input


@dataclasses.dataclass
class Drawn:
    """Six training images and two validation images of one square each, of two classes."""

    folder: Path
    names: tuple[str, ...] = ("boat", "plane")
    splits: dict = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        rng = np.random.default_rng(0)
        for i in range(8):
            image = rng.integers(0, 90, (30, 60, 3), np.uint8)
            image[5:25, 10:40] = (0, 0, 255) if i % 2 else (0, 255, 0)
            path = self.folder / f"{i}.png"
            cv2.imwrite(str(path), image)
            row = types.SimpleNamespace(image_id=i, path=path, width=60, height=30)
            self.splits.setdefault("train" if i < 6 else "val", []).append(row)

    @property
    def yolo_yaml(self) -> Path:
        raise AssertionError

    def iter_images(self, split):
        return iter(self.splits.get(split, ()))

    def iter_annotations(self, split):
        for image in self.iter_images(split):
            yield {
                "id": image.image_id + 1,
                "image_id": image.image_id,
                "category_id": image.image_id % 2,
                "segmentation": [[10, 5, 40, 5, 40, 25, 10, 25]],
                "bbox": [10, 5, 30, 20],
                "area": 600,
                "iscrowd": 0,
                "visible_fraction": 0.5,
            }


@pytest.fixture
def drawn(tmp_path) -> Drawn:
    (tmp_path / "images").mkdir()
    return Drawn(tmp_path / "images")


def trainer(**more) -> TrainerSettings:
    extra = {"multi_scale": False, "use_ema": True, "nbs": 16}
    knobs = {"name": "t", "epochs": 1, "batch": 1, "imgsz": SIZE, "extra": extra}
    return TrainerSettings(**(knobs | more))


def folder_of(path: Path) -> Path:
    path.mkdir(parents=True)
    return path


class Told(dict):
    def __call__(self, name, value, step=0):
        self[name, step] = value


def test_from_weights_to_weights(drawn, nano, tmp_path):
    """Fine-tuning, killed after an epoch, going on, and predicting with what is left."""
    del drawn.splits["train"][3:]  # a step takes seconds
    network = Network(model_settings(NAME), nano, "cpu")
    folder, told = folder_of(tmp_path / "out"), Told()

    def kill(name, value, step=0):
        told(name, value, step)
        if name == "train/lr" and step == 1:
            killed.append(folder / "run")

    killed: list[Path] = []
    from segtrack.model.rfdetr import checkpoint, epochs

    def stop():
        if killed and (folder / "run" / "last.ckpt").is_file():
            raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(epochs, "stop_if_asked", stop)
        patched.setattr("segtrack.model.rfdetr.train.stop_if_asked", stop)
        with pytest.raises(KeyboardInterrupt):
            train(drawn, network, trainer(epochs=2), 3, folder, kill)
    assert checkpoint.continue_from(folder / "run", trainer(epochs=2)).epochs == 1
    first = dict(told)
    told.clear()
    train(drawn, network, trainer(epochs=2), 3, folder, told)
    assert {name for name, _ in told} >= {
        *("train/loss", "train/box_loss", "train/cls_loss", "train/mask_dice_loss", "train/lr"),
        *("val/mask_map50_95", "val/mask_map50", "val/box_map50_95", "val/box_map50"),
    }
    assert {step for _, step in told} == {1, 2}
    assert {key: told[key] for key in first} == pytest.approx(first)
    assert sorted(path.name for path in folder.iterdir()) == [
        *("results.csv", "train.json", "weights"),
    ]
    done = Training.load(folder)
    assert (done.epochs, done.weights.names, done.weights.imgsz) == (2, drawn.names, SIZE)
    best = max((1, 2), key=lambda epoch: told["val/mask_map50_95", epoch])
    assert done.best_epoch == best
    assert json.loads((folder / "train.json").read_text())["start_sha256"] == nano.sha256
    again = Told()
    train(drawn, network, trainer(epochs=2), 3, folder, again)  # finished: nothing is trained
    assert again == told

    tuned = Network(model_settings(NAME), done.weights, "cpu")
    detector = tuned.family.detector(tuned, Request(drawn.names, conf_floor=0.0001))
    image = cv2.imread(str(drawn.folder / "7.png"))
    (raw,) = detector.predict([detector.prepare(image)])
    found = raw.decode(0)
    assert detector.imgsz == SIZE
    import rfdetr

    theirs = rfdetr.RFDETRSegNano.from_checkpoint(done.weights.path, device="cpu")
    assert theirs.class_names == list(drawn.names)
    their = theirs.predict(image[..., ::-1].copy(), threshold=0.0001)
    their = their[(their.class_id < 2) & their.mask.any((1, 2))]
    assert len(their) > 10
    assert np.allclose(found.score[: len(their)], their.confidence, atol=1e-5)
    assert np.array_equal(found.class_id[: len(their)], their.class_id)


def test_heads_are_carried_over_by_class_name(nano):
    import torch

    from segtrack.model.rfdetr import library
    from segtrack.model.rfdetr.train import _begin
    from segtrack.model.rfdetr.weights import read_content

    config = library.config_of(NAME, 2, 96)
    model = library.build(config)
    fresh = model.state_dict()["class_embed.weight"].clone()
    _begin(model, config, Network(model_settings(NAME), nano, "cpu"), ("plane", "truck"))
    old, new = read_content(nano.path)[1], model.state_dict()
    for key in ("class_embed.weight", "class_embed.bias", "transformer.enc_out_class_embed.3.bias"):
        assert torch.equal(new[key][1], old[key][NAMES.index("truck")])
    assert torch.equal(new["class_embed.weight"][[0, 2]], fresh[[0, 2]])
    assert torch.equal(new["query_feat.weight"], old["query_feat.weight"])


def test_the_data_set_that_it_reads(drawn, tmp_path):
    from PIL import Image

    turned = drawn.splits["train"][1]
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(np.zeros((60, 30, 3), np.uint8)).save(drawn.folder / "t.jpg", exif=exif)
    turned.path = drawn.folder / "t.jpg"
    del drawn.splits["val"]
    coco_tree(drawn, tmp_path / "tree")
    train_, valid = (
        json.loads((tmp_path / "tree" / split / "_annotations.coco.json").read_text())
        for split in ("train", "valid")
    )
    assert train_["categories"] == [{"id": 0, "name": "boat"}, {"id": 1, "name": "plane"}]
    assert [row["category_id"] for row in train_["annotations"]] == [0, 1] * 3
    assert train_["annotations"] == valid["annotations"]  # which stand in
    files = [row["file_name"] for row in train_["images"]]
    assert files[0] == str(drawn.folder / "0.png")
    assert files[1] == str(tmp_path / "tree" / "train" / "1.png")
    with Image.open(files[1]) as image:
        assert image.size == (60, 30)
    drawn.splits.clear()
    with pytest.raises(DataError, match="the train split has no images"):
        coco_tree(drawn, tmp_path / "tree")


def test_what_a_training_refuses(drawn, tmp_path, monkeypatch):
    settings = model_settings(NAME, weights="scratch")
    network = Network(settings, resolve_weights(settings, Path), "cpu")
    assert network.family.compute(network, trainer()) == {"device": "cpu", "precision": "float32"}
    facts = network.training(trainer())
    assert set(facts["trainer"]) == {"epochs", "batch", "patience", "amp", "extra"}
    assert facts == network.training(trainer(lr0=0.5, mosaic=0.3, workers=4, threads=2))
    with pytest.raises(SettingsError, match=r"rfdetr refuses these settings: .*smooth_alpha"):
        extra = {"smooth_alpha": 7.0}
        train(drawn, network, trainer(extra=extra), 0, folder_of(tmp_path / "a"), Told())
    run = folder_of(tmp_path / "b" / "run")
    (run / "last.ckpt").write_bytes(b"damaged")
    with pytest.raises(
        DataError, match=r"last.ckpt, of a training that was stopped, .*Remove .*run"
    ):
        train(drawn, network, trainer(), 0, tmp_path / "b", Told())
    from segtrack.model.rfdetr import train as module

    monkeypatch.setattr(module, "device_argument", lambda _: "0,1")
    with pytest.raises(SettingsError, match="RF-DETR trains on one GPU"):
        module._place([0, 1])
    monkeypatch.setattr(module, "find_spec", lambda name: None if "light" in name else name)
    with pytest.raises(SettingsError, match=r"needs pytorch_lightning: pip install 'segtrack\[rfd"):
        network.family.compute(network, trainer())


def test_out_of_memory_halves_the_batch(drawn, nano, tmp_path, monkeypatch, capsys):
    """The weights wait for as many images as before; one image that is too much is an error."""
    from segtrack.model.rfdetr import train as module

    seen = []

    def full(arguments, *_):
        seen.append((arguments["batch_size"], arguments["grad_accum_steps"]))
        raise StageError("training failed: CUDA out of memory. Tried to allocate 20.00 MiB")

    monkeypatch.setattr(module, "_run", full)
    network = Network(model_settings(NAME), nano, "cpu")
    extra = {"grad_accum_steps": 3}
    with pytest.raises(StageError, match="CUDA out of memory"):
        train(drawn, network, trainer(batch=4, extra=extra), 0, folder_of(tmp_path / "o"), Told())
    assert seen == [(4, 3), (2, 6), (1, 12)]
    assert "out of memory; the training goes on with batches of 1" in capsys.readouterr().out


def test_weights_that_are_not_finite_are_no_weights(tmp_path):
    import torch

    from segtrack.model.rfdetr.checkpoint import BEST, finish
    from tests.model.rfdetr.test_weights import checkpoint

    run = folder_of(tmp_path / "run")
    (run / "results.csv").write_text("epoch,time\n1,1\n")
    with pytest.raises(StageError, match="no epoch was validated"):
        finish(run, tmp_path, ("a",))
    checkpoint(run / BEST, args={"class_names": ["a"]}, state={"x": torch.tensor([float("nan")])})
    with pytest.raises(StageError, match="not finite; try a lower rate"):
        finish(run, tmp_path, ("a",))
