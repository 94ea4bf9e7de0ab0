"""Cut-outs pasted in front of labelled objects: what is seen, what is labelled, what stays."""

import random
import types
from dataclasses import replace

import numpy as np
import pytest
import torch

from segtrack.model import Network, train
from segtrack.model.ultralytics import engine, library, occluders
from segtrack.model.ultralytics.occluders import OccludingDataset, Scene, paste_occluders
from segtrack.model.ultralytics.settings import YoloSegSettings
from tests.model.ultralytics.conftest import smallest

GREY, RED = 100, 200


def rectangle(x0, y0, x1, y1):
    """An outline that fills the columns x0..x1 and rows y0..y1, both ends included."""
    return np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]], np.float32)


def scene(*outlines, colour=GREY, size=200):
    image = np.full((size, size, 3), colour, np.uint8)
    classes = np.arange(len(outlines), dtype=np.float32)[:, None]
    return Scene(image, classes, list(outlines))


@pytest.fixture
def aside(monkeypatch):
    """All targets, the first donor that fits, moved by a given number of px."""
    given = types.SimpleNamespace(value=0)
    chance = types.SimpleNamespace(
        random=lambda: 0.0, choice=lambda of: of[0], uniform=lambda low, high: given.value
    )
    monkeypatch.setattr(occluders, "random", chance)
    return given


def areas(found):
    return [int(found.mask(i).sum()) for i in range(len(found.outlines))]


def test_the_target_keeps_what_is_seen(aside):
    target = scene(rectangle(10, 20, 29, 39))  # 400 px
    donor = scene(rectangle(60, 25, 69, 44), colour=RED)  # 200 px, lower by 5 rows
    donor.classes[:] = 7
    aside.value = -40  # to the columns 20..29: 15 rows of 10 are hidden
    found = paste_occluders(target, 1.0, lambda: donor)
    assert areas(found) == [250, 200]
    assert found.classes.tolist() == [[0], [7]]
    assert np.abs(found.boxes - [[10, 20, 29, 39], [20, 25, 29, 44]]).max() <= 0.25
    assert not (found.mask(0) & found.mask(1)).any()
    assert (found.image[26:44, 21:29] == RED).all()  # the cut-out's own edge is blended
    changed = (found.image != GREY).any(axis=2)
    assert changed.sum() >= 18 * 8 and not (changed & (found.mask(1) == 0)).any()
    assert (target.image == GREY).all()


def test_the_box_follows(aside):
    """A target whose right half is hidden from top to bottom."""
    aside.value = -40
    found = paste_occluders(
        scene(rectangle(10, 30, 29, 39)), 1.0, lambda: scene(rectangle(60, 25, 79, 44))
    )
    assert areas(found) == [100, 400]
    assert np.abs(found.boxes[0] - [10, 30, 19, 39]).max() <= 0.25


def test_what_is_nearer_stays_in_front(aside):
    nearer = rectangle(25, 35, 34, 60)
    target = scene(rectangle(10, 20, 29, 39), nearer)
    target.image[35:61, 25:35] = 50
    aside.value = -40
    donor = scene(rectangle(60, 25, 69, 44), colour=RED)
    calls = iter([0.0, 1.0])  # the first object alone is a target
    occluders.random.random = lambda: next(calls)
    found = paste_occluders(target, 0.5, lambda: donor)
    assert found.outlines[1] is nearer
    assert (found.image[35:61, 25:35] == 50).all()
    # 50 px of the cut-out lie behind the nearer one. It hides 125 px of the target, whose label is
    # cut in two by it, and these are joined by a bridge of the width of a pixel.
    rest, *others = areas(found)
    assert others == [260, 200 - 50] and 275 <= rest <= 280


@pytest.mark.parametrize(
    ("behind", "kept"),
    [
        (rectangle(20, 30, 31, 40), False),  # 132 px, of which 22 stay: under a quarter
        (rectangle(20, 30, 39, 40), True),  # 220 px, of which 110 stay
        (rectangle(21, 26, 28, 33), False),  # nothing stays
    ],
)
def test_what_is_hidden_too_much_has_no_label(aside, behind, kept):
    calls = iter([0.0, 1.0])
    occluders.random.random = lambda: next(calls)
    aside.value = -40
    donor = scene(rectangle(60, 25, 69, 44))
    found = paste_occluders(scene(rectangle(10, 20, 29, 39), behind), 0.5, lambda: donor)
    assert found.classes.ravel().tolist() == ([0, 1, 0] if kept else [0, 0])
    assert min(areas(found)) > 0


def test_a_large_rest_stays():
    """Under a quarter of it is left, but 1% of the image."""
    seen, solid = np.zeros((200, 200), np.uint8), np.zeros((200, 200), np.uint8)
    seen[:100, :100] = 1
    everything = occluders.Part(0, 0, 200, 200)
    outline = rectangle(0, 0, 99, 99)
    large = occluders._Object(np.zeros(1), outline, everything, seen, 10_000, 99)
    solid[:95] = 1  # 500 px are left
    assert large.behind(solid, everything, 200 * 200) is not None
    solid[:97] = 1  # 300
    assert large.behind(solid, everything, 200 * 200) is None


@pytest.mark.parametrize("share", [0.25, 1.0])
def test_limits_hold_for_all_that_is_pasted(share, monkeypatch):
    """What each object's own colour still shows, after several cut-outs in front of some.

    No target is hidden by more than 70%, and no label of the others shows less than a quarter.
    """
    random.seed(1)
    made = []

    def donor():
        w, h = random.randrange(5, 30), random.randrange(10, 50)
        x, y = random.randrange(2, 198 - w), random.randrange(2, 198 - h)
        return replace(
            scene(rectangle(x, y, x + w, y + h), colour=250), classes=np.array([[99]], np.float32)
        )

    real = occluders._in_front_of

    def noted(whole, target, targets, layers, of):
        result = real(whole, target, targets, layers, of)
        made.extend([(target, targets)] if result else [])
        return result

    monkeypatch.setattr(occluders, "_in_front_of", noted)
    dropped = several = 0
    for _ in range(15):
        corners = [
            (20 * c + 2, 25 * r + random.randrange(5)) for r in range(2, 6) for c in range(9)
        ]
        before = scene(*(rectangle(x, y, x + 14, y + 19) for x, y in corners), colour=255)
        for i in range(len(corners)):
            before.image[before.mask(i) > 0] = i, 0, 0  # 300 px, less than 1% of the image
        made.clear()
        after = paste_occluders(before, share, donor)
        targets = made[0][1]
        ahead = [target for target, _ in made]
        kept = set(after.classes[after.classes != 99].astype(int).tolist())
        seen = [(after.image == (i, 0, 0)).all(axis=2).sum() for i in range(len(corners))]
        assert max(seen[i] for i in ahead) <= 240
        assert min(seen[i] for i in targets) >= 90 and kept >= set(targets)
        assert min(seen[i] for i in kept) >= 75
        assert min(areas(after)) > 0
        dropped += len(corners) - len(kept)
        several += sum(seen[i] < 150 for i in kept)
    assert several > 20 and (share == 1 or dropped > 5)


@pytest.mark.parametrize(
    "outlines",
    [
        [rectangle(60, 15, 69, 34)],  # stands higher than the target: behind it
        [rectangle(60, 50, 69, 64)],  # wholly below it
        [rectangle(60, 38, 69, 44)],  # too low to be cut out
        [rectangle(190, 25, 199, 44)],  # cut by the image's border
        [rectangle(60, 25, 69, 44), rectangle(65, 35, 75, 199)],  # something before it
        [rectangle(60, 25, 61, 44)],  # hides too little
        [rectangle(50, 15, 79, 44)],  # hides too much
        [],
    ],
)
def test_what_does_not_fit_is_not_pasted(aside, outlines):
    aside.value = -40
    target = scene(rectangle(10, 20, 29, 39))
    found = paste_occluders(target, 1.0, lambda: scene(*outlines))
    assert found.outlines == target.outlines
    assert (found.image == target.image).all()


def test_parts_that_count(aside):
    """Cut in two by something narrow: both halves stay in one label; a crumb does not."""
    aside.value = -40
    found = paste_occluders(
        scene(rectangle(10, 25, 39, 39)), 1.0, lambda: scene(rectangle(60, 20, 69, 44))
    )
    assert areas(found)[0] == pytest.approx(300, abs=10)  # and the bridge between them
    mask = np.zeros((50, 50), np.uint8)
    mask[10:30, 10:30] = 1
    mask[40:43, 40:43] = 1
    place = occluders.Part(100, 7, 150, 57)
    assert (occluders._filled(occluders._outline_of(mask, place), place)[:30] == mask[:30]).all()


def test_no_label_without_pixels():
    random.seed(0)
    generator = np.random.default_rng(0)

    def street():
        x, y = generator.integers(5, 140, (2, 8))
        w, h = generator.integers(4, 50, (2, 8))
        return scene(
            *(rectangle(*box) for box in zip(x, y, x + w, y + h, strict=True)),
            colour=int(generator.integers(50, 200)),
        )

    pasted = 0
    for _ in range(12):
        before = street()
        after = paste_occluders(before, 0.5, street)
        assert min(areas(after)) > 0 and len(after.classes) == len(after.outlines)
        pasted += any(after.classes.ravel()[1:] <= after.classes.ravel()[:-1])
    assert pasted > 6


@pytest.fixture
def street(drawn):
    """The drawn images as the library's training data set, at a share of occluders."""

    def of(share, **changes):
        engine_of = types.SimpleNamespace(
            paste_occluders=share,
            args=library.get_cfg(overrides={"task": "segment", "imgsz": 64, **changes}),
            data={"names": dict(enumerate(drawn.names)), "channels": 3},
            model=torch.nn.Module(),
        )
        engine_of.model.stride = torch.tensor([32])
        maker = object.__new__(engine.Trainer)
        vars(maker).update(vars(engine_of))
        return maker.build_dataset(str(drawn.folder / "images" / "train"), "train", 4)

    return of


def batch(dataset, seed=0):
    random.seed(seed)
    np.random.seed(seed)
    return dataset.collate_fn([dataset[i] for i in range(8)])


@pytest.mark.parametrize("cache", [True, False])
def test_same_seed_same_batch(street, cache):
    first, second = street(1.0, cache=cache), street(1.0, cache=cache)
    one, two, other = batch(first), batch(second), batch(street(1.0, cache=cache), seed=1)
    assert torch.equal(one["img"], two["img"]) and torch.equal(one["masks"], two["masks"])
    assert not torch.equal(one["img"], other["img"])
    kept = [image for image in first.ims if image is not None]
    plain = [image for image in street(0.0, cache=cache).ims if image is not None]
    assert not cache or all(np.array_equal(a, b) for a, b in zip(kept, plain, strict=True))


def test_none_is_the_library_as_it_is(street):
    dataset = street(0.0)
    assert type(dataset) is library.YOLODataset
    assert type(street(0.5)) is OccludingDataset


def test_labels_of_a_batch(street):
    """More objects than were drawn, none without pixels, and none any more at the end."""
    dataset = street(1.0, mosaic=0.0, scale=0.0, translate=0.0, mask_ratio=1)
    found = batch(dataset)
    assert len(found["cls"]) > 16
    for image in range(8):
        count = int((found["batch_idx"] == image).sum())
        assert set(found["masks"][image].unique().tolist()) == set(range(count + 1))
    dataset.close_mosaic(library.get_cfg(overrides={"task": "segment"}))
    assert len(batch(dataset)["cls"]) == 16


def test_training_pastes(drawn, start_weights, tmp_path, monkeypatch):
    calls = []
    real = occluders.paste_occluders

    def counted(before, share, donor):
        calls.append(share)
        return real(before, share, donor)

    monkeypatch.setattr(occluders, "paste_occluders", counted)
    network = Network(YoloSegSettings(name="yolov8n-seg"), start_weights, "cpu")
    settings = smallest(paste_occluders=0.25)
    train(drawn, network, settings, 0, tmp_path / "r", lambda *_: None)
    assert calls == [0.25] * 8  # the training images, no validation image
