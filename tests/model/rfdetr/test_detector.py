"""The detector gives what rfdetr's own predict gives."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from pycocotools import mask as coco_mask

from segtrack.base.errors import DataError
from segtrack.model import Network, Request, Weights, model_settings
from segtrack.model.rfdetr.masks import encode_masks
from tests.model.rfdetr.conftest import NAME, NAMES


@pytest.fixture(scope="module")
def images() -> list[np.ndarray]:
    """A plain one, one of noise, and a small one."""
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 255, (120, 160, 3), np.uint8)
    return [cv2.resize(noise[:9, :16], (200, 90)), noise, noise[:50, :30].copy()]


def test_equal_to_rfdetrs_own(nano, images):
    import rfdetr

    size = 84  # not the one of the weights, so that their places are stretched
    theirs = rfdetr.RFDETRSegNano(
        pretrain_weights=str(nano.path), resolution=size, num_classes=3, device="cpu"
    ).predict([image[..., ::-1].copy() for image in images], threshold=0.0001)
    network = Network(model_settings(NAME, batch=2, imgsz=size), nano, "cpu")
    detector = network.family.detector(network, Request(NAMES, conf_floor=0.0001))
    assert (detector.imgsz, detector.batch) == (size, 2)
    raw = detector.predict([detector.prepare(image) for image in images])
    assert len(raw) == len(images)
    for i, their in enumerate(theirs):
        found = raw[i].decode(i)
        # Theirs gives some of its 100 places to the output that means nothing.
        named = (their.class_id < 3) & their.mask.any((1, 2))
        count = named.sum()
        assert count > 30 and found.frame == i
        assert np.array_equal(found.class_id[:count], their.class_id[named])
        assert np.allclose(found.score[:count], their.confidence[named], atol=1e-5)
        assert np.allclose(found.bbox_xyxy[:count], their.xyxy[named], atol=0.01)
        for counts, mask in zip(found.rle, their.mask[named], strict=False):
            ours = coco_mask.decode({"size": list(mask.shape), "counts": counts})
            assert (ours != mask).mean() < 1e-3


def test_out_of_memory_halves_the_batch(nano, images, monkeypatch):
    import torch

    network = Network(model_settings(NAME, batch=4), nano, "cpu")
    detector = network.family.detector(network, Request(("boat",), conf_floor=0.0001))
    prepared = [detector.prepare(image) for image in images]
    expected = [one for image in prepared for one in detector.predict([image])]
    assert all(one.left_out for one in expected) and detector.batch == 4
    theirs, asked = detector.selection.pairs, []

    def full(scores):
        asked.append(True)
        found = theirs(scores)
        if len(asked) == 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return found

    monkeypatch.setattr(detector.selection, "pairs", full)
    found = detector.predict(prepared)
    assert (detector.batch, len(asked)) == (1, 5)  # two of three, then each alone
    for one, other in zip(found, expected, strict=True):
        assert np.allclose(one.scores, other.scores, atol=1e-5)
        assert (one.shape, one.left_out) == (other.shape, other.left_out)


def test_weights_of_another_network_are_refused(nano, monkeypatch):
    import torch

    from segtrack.model.rfdetr import library

    network = Network(model_settings(NAME), nano, "cpu")
    for other, why in (
        (torch.nn.Sequential(), "544 of its parameters are .*, such as "),
        (torch.nn.ModuleDict({"class_embed": torch.nn.Linear(2, 7)}), "class_embed.*copying"),
    ):
        monkeypatch.setattr(library, "build", lambda _, other=other: other)
        with pytest.raises(DataError, match=rf"nano.pth: not of {NAME} \(.*{why}"):
            network.family.detector(network, Request(NAMES))


@pytest.mark.parametrize("shape", [(70, 110), (9, 7), (12, 16)])
def test_masks_are_those_of_an_enlargement(shape):
    import torch

    rng = np.random.default_rng(1)
    logits = rng.normal(-0.5, 1, (6, 12, 16)).astype(np.float32)
    logits[1] = -1
    logits[2] = 1
    logits[3, :, 3:] = -2
    size = {"size": shape, "mode": "bilinear", "align_corners": False}
    whole = torch.nn.functional.interpolate(torch.from_numpy(logits)[None], **size)[0] > 0
    found = encode_masks(logits, shape)
    assert found[1] is None
    for counts, mask in zip(found, whole.numpy(), strict=True):
        if counts is not None:
            assert np.array_equal(coco_mask.decode({"size": shape, "counts": counts}), mask)
    assert coco_mask.area({"size": shape, "counts": found[2]}) == shape[0] * shape[1]


def select(scores, most=100, names=("car", "truck", "boat"), **asked):
    """Query, class and score of what is kept, and what was left out."""
    import torch

    from segtrack.model.rfdetr.selection import Selection

    weights = Weights(Path("w.pth"), "", "path", NAMES, 96)
    selection = Selection(weights, Request(names, **({"conf_floor": 0.1} | asked)), most)
    query, class_id, score, left_out = selection.pairs(torch.tensor(scores))
    rows = zip(query.tolist(), class_id.tolist(), np.round(score.tolist(), 2), strict=True)
    return list(rows), dict(left_out)


SCORES = [[0.5, 0.4, 0.05], [0.2, 0.3, 0.9], [0.1, 0.6, 0.0]]


def test_pairs_of_query_and_class():
    found, left_out = select(SCORES)
    assert found == [(1, 2, 0.9), (2, 1, 0.6), (0, 0, 0.5), (0, 1, 0.4), (1, 1, 0.3), (1, 0, 0.2)]
    assert left_out == {}
    assert select(SCORES, most=2)[0] == found[:2]
    assert select(SCORES, max_det=3)[0] == found[:3]
    assert select(SCORES, conf_floor=0.55)[0] == found[:2]
    assert select(SCORES, conf_floor=0.95) == ([], {})


def test_only_what_is_wanted():
    assert select(SCORES, names=("truck",)) == (
        [(2, 0, 0.6), (0, 0, 0.4), (1, 0, 0.3)],
        {"car": 1, "boat": 1},
    )
    merged = {"car": "vehicle", "truck": "vehicle"}
    found = select(SCORES, names=("boat", "vehicle"), class_map=merged)
    assert found == ([(1, 0, 0.9), (2, 1, 0.6), (0, 1, 0.5), (1, 1, 0.3)], {})
    with pytest.raises(DataError, match="none of its 3 classes"):
        select(SCORES, names=("horse",))


def test_an_object_has_one_class_where_that_is_asked():
    assert select(SCORES, one_class=True)[0] == [(1, 2, 0.9), (2, 1, 0.6), (0, 0, 0.5)]
    found = select(SCORES, names=("truck",), one_class=True)
    assert found == ([(2, 0, 0.6)], {"car": 1, "boat": 1})
