"""What a network of ultralytics sees of whole images."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from segtrack.dataset import ImageRow
from segtrack.model import Features, Network, Weights, image_features
from segtrack.model.ultralytics.features import YoloFeatures
from segtrack.model.ultralytics.settings import YoloSegSettings

# Of two shapes once they are letterboxed to 64 px, so that a batch is divided.
SHAPES = [(64, 64), (30, 64), (64, 64), (60, 128), (33, 64)]


@pytest.fixture(scope="module")
def images() -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.integers(0, 255, (*shape, 3), np.uint8) for shape in SHAPES]


def network(weights: Weights, **more: int) -> Network:
    return Network(YoloSegSettings(name="yolov8n-seg", imgsz=64, **more), weights, "cpu")


def test_they_are_the_means_of_what_the_head_is_given(
    tiny_weights: Weights, images: list[np.ndarray]
) -> None:
    extractor = YoloFeatures(network(tiny_weights))
    prepared = [extractor.prepare(image) for image in images]
    found = extractor.features(prepared)
    seen: list[list[torch.Tensor]] = []
    head = extractor.model.model[-1]
    hook = head.register_forward_pre_hook(lambda _, given: seen.append(list(given[0])))
    with torch.inference_mode():
        for image in prepared:
            pixels = torch.from_numpy(image[None, ..., ::-1].copy()).permute(0, 3, 1, 2)
            extractor.model(pixels.float() / 255)
    hook.remove()
    expected = [torch.cat([layer.mean((2, 3)) for layer in one], 1)[0].numpy() for one in seen]
    assert len(seen[0]) == 3 and found.shape == (len(images), len(expected[0]))
    assert np.allclose(found, expected, atol=1e-5)
    assert found.std(0).max() > 0, "images differ"


def test_of_files_in_batches_as_one_by_one(
    tiny_weights: Weights, images: list[np.ndarray], tmp_path: Path
) -> None:
    rows = []
    for i, image in enumerate(images):
        path = tmp_path / f"{i}.png"
        cv2.imwrite(str(path), image)
        rows.append(ImageRow(3 * i, path.name, path, *image.shape[1::-1], ""))
    threads = torch.get_num_threads()
    image_features(iter(rows), network(tiny_weights, batch=2)).save(tmp_path)
    assert torch.get_num_threads() == threads
    found = Features.load(tmp_path)
    assert found.image_id.tolist() == [0, 3, 6, 9, 12]
    assert found.values.dtype == np.float32
    extractor = YoloFeatures(network(tiny_weights, batch=8))
    expected = extractor.features([extractor.prepare(image) for image in images])
    assert np.allclose(found.values, expected, atol=1e-5)
    assert image_features(iter(()), network(tiny_weights)).values.shape[0] == 0


def test_memory_that_runs_out_halves_the_batch(
    tiny_weights: Weights, images: list[np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    extractor = YoloFeatures(network(tiny_weights, batch=4))
    prepared = [extractor.prepare(images[i]) for i in (0, 2, 0, 2)]
    expected = extractor.features(prepared)
    compute, asked = extractor._compute, []

    def full(some: list[np.ndarray]) -> list[np.ndarray]:
        asked.append(len(some))
        if len(some) > 2:
            raise RuntimeError("CUDA out of memory. Tried to allocate 20.00 MiB")
        return compute(some)

    monkeypatch.setattr(extractor, "_compute", full)
    assert np.allclose(extractor.features(prepared), expected, atol=1e-6)
    assert asked == [4, 2, 2] and extractor.batch == 2
