"""What a card does for a batch equals what is done for each image; here on the CPU."""

import types
from collections import Counter
from contextlib import contextmanager, nullcontext

import numpy as np
import pytest
import torch
from torchvision.ops import batched_nms

from segtrack.model import Network, Request, model_settings
from segtrack.model.ultralytics import card_nms, library
from segtrack.model.ultralytics.card import (
    GRAPH_AFTER,
    CardDetector,
    CardRuntime,
    decoding_in_float32,
)
from segtrack.model.ultralytics.card_nms import suppress
from segtrack.model.ultralytics.detector import YoloDetector
from segtrack.model.ultralytics.runtimes import TorchRuntime, load_network, outputs_of
from segtrack.model.ultralytics.weights import read_weights

REQUEST = Request(("vehicle", "boat"), {"car": "vehicle", "truck": "vehicle"}, 0.001, 40)


@pytest.fixture(scope="module")
def lively(tiny_weights, tmp_path_factory):
    """A network that finds many things of all classes, since its last layers are random."""
    content = library.read_content(tiny_weights.path)
    model = content["model"].float()
    generator = torch.Generator().manual_seed(1)
    for name, parameter in model.named_parameters():
        if "model.22.cv" in name and ".2." in name:
            values = torch.randn(parameter.shape, generator=generator)
            parameter.data = values - 4 if "cv3" in name and name.endswith("bias") else values
    path = tmp_path_factory.mktemp("lively") / "lively.pt"
    library.torch_save(content | {"model": model.half()}, path)
    return read_weights(path, "path")


def pictures():
    rng = np.random.default_rng(0)
    sizes = [(48, 64), (48, 64), (64, 64), (30, 40), (48, 64), (100, 20)]
    return [rng.integers(0, 255, (*size, 3), np.uint8) for size in sizes]


def detections(kind, weights, request, **knobs):
    network = Network(model_settings("yolov8n-seg", batch=2, **knobs), weights, "cpu")
    detector = kind(network, request)
    found = detector.predict([detector.prepare(image) for image in pictures()])
    decoded = [one.decode(i) for i, one in enumerate(found)]
    return decoded, sum((Counter(one.left_out) for one in decoded), Counter())


@pytest.mark.parametrize(("names", "agnostic"), [(("vehicle", "boat"), False), (("boat",), True)])
def test_a_batch_gives_what_each_image_gives(lively, names, agnostic):
    request = Request(names, REQUEST.class_map, 0.001, 40)
    knobs = {"agnostic_nms": agnostic}
    one, left = detections(YoloDetector, lively, request, **knobs)
    batch, left_of_batch = detections(CardDetector, lively, request, **knobs)
    assert sum(map(len, one)) > (40 if "vehicle" in names else 5)
    assert left_of_batch == left
    assert bool(left) == (names == ("boat",))
    for expected, found in zip(one, batch, strict=True):
        assert (found.frame, found.left_out) == (expected.frame, expected.left_out)
        assert found.class_id.dtype == np.int16
        for name in ("class_id", "score", "bbox_xyxy"):
            np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))
        assert found.rle == expected.rle


@pytest.mark.parametrize(("pairs", "crowd"), [(1 << 25, 4096), (3000, 4096), (1, 30)])
def test_suppression_of_a_batch(pairs, crowd, monkeypatch):
    """Also where few candidates are compared at once, and where an image is crowded."""
    monkeypatch.setattr(card_nms, "PAIRS", pairs)
    monkeypatch.setattr(card_nms, "CROWD", crowd)
    generator = torch.Generator().manual_seed(0)
    candidates = torch.rand(5, 4 + 3 + 2, 80, generator=generator)
    candidates[:, :2] *= 40
    candidates[:, 2:4] = 5 + 20 * candidates[:, 2:4]
    candidates[3, 4:7] = 0  # nothing in this image
    candidates[:, 4:7, 60:] = 0
    classes = torch.tensor([1, -1, 0], dtype=torch.int16)
    rows, counts, others = suppress(candidates, classes, 0.3, 0.4, 9, False)
    expected, expected_counts, expected_others = [], [], []
    for image in candidates:
        scores, best = image[4:7].max(0)
        half = image[2:4] / 2
        boxes = torch.cat((image[:2] - half, image[:2] + half)).T
        output = classes[best].long()
        for wanted in (True, False):
            chosen = ((scores > 0.3) & ((output >= 0) == wanted)).nonzero()[:, 0]
            groups = (output if wanted else best)[chosen]
            kept = chosen[batched_nms(boxes[chosen], scores[chosen], groups, 0.4)[:9]]
            if wanted:
                parts = (boxes[kept], scores[kept, None], output[kept, None], image[7:, kept].T)
                expected.append(torch.cat(parts, 1))
                expected_counts.append(len(kept))
            else:
                expected_others.append(torch.bincount(best[kept], minlength=3).tolist())
    assert counts == expected_counts
    assert counts[3] == 0
    assert max(counts) == 9
    assert others == expected_others
    torch.testing.assert_close(rows, torch.cat(expected), rtol=0, atol=0)


def test_without_suppression_the_best_stay():
    candidates = torch.rand(2, 4 + 2 + 1, 20, generator=torch.Generator().manual_seed(0))
    classes = torch.tensor([0, 1], dtype=torch.int16)
    rows, counts, _ = suppress(candidates, classes, 0.1, None, 7, False)
    assert counts == [7, 7]
    best = candidates[:, 4:6].amax(1).sort(descending=True).values[:, :7]
    assert rows[:, 4].tolist() == best.flatten().tolist()


def test_nothing_at_all():
    rows, counts, others = suppress(
        torch.zeros(2, 9, 4), torch.zeros(3, dtype=torch.int16), 0.3, 0.5, 9, False
    )
    assert (len(rows), counts, others) == (0, [0, 0], [[0, 0, 0]] * 2)


def test_half_precision_decodes_boxes_in_float32(tiny_weights):
    network = Network(model_settings("yolov8n-seg"), tiny_weights, "cpu")
    device = torch.device("cpu")
    images = torch.rand(2, 3, 64, 96, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        exact, _ = outputs_of(load_network(network, device)(images))
        half = decoding_in_float32(load_network(network, device).half())
        found, prototypes = outputs_of(half(images.half()))
    assert (found.dtype, prototypes.dtype) == (torch.float32, torch.float16)
    assert (found[:, :4] - exact[:, :4]).abs().max() < 0.05  # px; float16 has steps of 0.06 at 96


class Stream:
    """Stands for CUDA's on a machine without a card: all is done in order anyway."""

    def __init__(self, device=None):
        pass

    def wait_stream(self, other):
        assert isinstance(other, Stream)

    def wait_event(self, event):
        assert event == "done"

    def record_event(self):
        return "done"


class Graph:
    """A record that computes again: from the tensor it was made with, into what it gave then."""

    recording = None

    def __init__(self):
        self.steps = []

    def replay(self):
        for work, given, results in self.steps:
            for result, again in zip(results, work(given), strict=True):
                result.copy_(again)


@contextmanager
def record(graph, stream, capture_error_mode):
    assert isinstance(stream, Stream)
    Graph.recording = graph
    yield
    Graph.recording = None


@pytest.fixture
def no_card(monkeypatch):
    """The calls that need a card do nothing, so that the way of the data can be followed."""
    for name in ("device", "stream"):
        monkeypatch.setattr(torch.cuda, name, lambda *_: nullcontext())
    monkeypatch.setattr(torch.cuda, "Stream", Stream)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda *_: Stream())
    monkeypatch.setattr(torch.cuda, "CUDAGraph", Graph)
    monkeypatch.setattr(torch.cuda, "graph", record)
    network = CardRuntime._network

    def recorded(self, pixels):
        results = network(self, pixels)
        if Graph.recording:
            work = network.__get__(self)
            Graph.recording.steps.append((work, pixels, results))
        return results

    monkeypatch.setattr(CardRuntime, "_network", recorded)
    monkeypatch.setattr(library, "half_works", lambda device: True)
    monkeypatch.setattr(torch.Tensor, "pin_memory", lambda self: self)
    empty = torch.empty
    monkeypatch.setattr(torch, "empty", lambda *size, pin_memory=False, **o: empty(*size, **o))
    monkeypatch.setattr(torch.Tensor, "record_stream", lambda self, stream: None)


def test_the_way_of_a_batch_through_a_card(lively, no_card, monkeypatch, capsys):
    network = Network(model_settings("yolov8n-seg", batch=2), lively, "cpu")
    detector = CardDetector(network, REQUEST)
    exact = [one.decode(0) for one in detector.predict([detector.prepare(pictures()[0])] * 2)]
    detector.runtime, detector.stream = CardRuntime(network), Stream()
    images = [detector.prepare(pictures()[0])] * 2
    half = [one.decode(0) for one in detector.predict(images)]
    for expected, found in zip(exact, half, strict=True):
        assert abs(len(found) - len(expected)) <= 3
        assert abs(found.score[0] - expected.score[0]) < 0.02
    # From the fourth batch of a shape on its kernels are recorded, or not, where that fails.
    runtime = detector.runtime
    recorded = [detector.predict(images)[0].decode(0) for _ in range(GRAPH_AFTER)]
    assert len(runtime._graphs) == 1
    assert {tuple(one.rle) for one in recorded} == {tuple(half[0].rle)}

    def refused(*_, **__):
        raise RuntimeError("operation not permitted when stream is capturing")

    monkeypatch.setattr(torch.cuda, "graph", refused)
    others = [detector.prepare(pictures()[5])] * 2
    for _ in range(GRAPH_AFTER + 1):
        assert len(detector.predict(others)[1].decode(0)) > 0
    assert len(runtime._graphs) == 1
    assert "warning: no CUDA graph of (2, 64, 32, 3): operation not" in capsys.readouterr().err


class Doubling:
    """A network whose results say which images it was given."""

    model = (types.SimpleNamespace(anchors=None, strides=None),)

    def __call__(self, images):
        return images.flatten(2), images * 2


def test_recorded_kernels_take_each_batch_and_leave_each_its_results(tiny_weights, no_card):
    runtime = CardRuntime(Network(model_settings("yolov8n-seg", batch=2), tiny_weights, "cpu"))
    runtime.model = Doubling()
    batches = [np.full((2, 8, 4, 3), value, np.uint8) for value in range(0, 255, 30)]
    found = [runtime.start(pixels) for pixels in batches]  # all are under way at once
    assert len(runtime._graphs) == 1
    for pixels, one in zip(batches, found, strict=True):
        value = np.float16(pixels[0, 0, 0, 0] / 255)
        candidates, prototypes = one.result()
        assert (candidates.shape, prototypes.shape) == ((2, 3, 32), (2, 3, 8, 4))
        np.testing.assert_allclose(candidates, value, atol=1e-3)
        np.testing.assert_allclose(prototypes, value * 2, atol=2e-3)


def test_a_card_whose_half_precision_is_broken(lively, no_card, monkeypatch):
    network = Network(model_settings("yolov8n-seg", batch=2), lively, "cpu")
    pixels = np.stack([CardDetector(network, REQUEST).prepare(pictures()[0]).pixels])
    monkeypatch.setattr(library, "half_works", lambda device: False)
    found = CardRuntime(network).start(pixels).result()
    expected = TorchRuntime(network).start(pixels).result()
    for ours, theirs in zip(found, expected, strict=True):
        assert ours.dtype == torch.float32
        torch.testing.assert_close(ours, torch.as_tensor(theirs), rtol=0, atol=1e-4)


@pytest.mark.parametrize("where", ["replay", "record"])
def test_out_of_memory_gives_up_the_recorded_kernels(lively, no_card, where, monkeypatch, capsys):
    network = Network(model_settings("yolov8n-seg", batch=2), lively, "cpu")
    runtime = CardRuntime(network)
    small, large = np.zeros((1, 64, 64, 3), np.uint8), np.zeros((2, 64, 64, 3), np.uint8)
    for _ in range(GRAPH_AFTER):
        runtime.start(small)
    assert len(runtime._graphs) == 1

    def full(*_, **__):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(Graph, "replay", full)
    monkeypatch.setattr(torch.cuda, "graph", full)
    if where == "record":
        for _ in range(GRAPH_AFTER - 1):
            runtime.start(large)
    with pytest.raises(torch.OutOfMemoryError):
        runtime.start(small if where == "replay" else large)
    assert not runtime._graphs
    assert runtime.start(small).result()[0].shape[0] == 1
    assert capsys.readouterr().err == ""


class Small:
    """A runtime whose memory holds two images."""

    size = None

    def __init__(self, theirs):
        self.theirs, self.asked = theirs, []

    def start(self, pixels):
        self.asked.append(len(pixels))
        if len(pixels) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB")
        return self.theirs.start(pixels)


@pytest.mark.parametrize("kind", [YoloDetector, CardDetector])
def test_out_of_memory_halves_the_batch(lively, kind, capsys):
    network = Network(model_settings("yolov8n-seg", batch=8), lively, "cpu")
    detector = kind(network, REQUEST)
    detector.runtime = small = Small(detector.runtime)
    images = [detector.prepare(pictures()[0])] * 8
    found = [one.decode(0) for one in detector.predict(images)]
    assert small.asked == [8, 4, 2, 2, 2, 2]
    assert detector.batch == 2
    assert "out of memory at 8 images; on with 4 at once" in capsys.readouterr().err
    assert len(found) == 8
    assert len(found[0]) > 5
    assert all(one.rle == found[0].rle for one in found)


def test_out_of_memory_after_the_network_halves_the_batch_too(lively, monkeypatch):
    """What the halves leave out counts once."""
    from segtrack.model.ultralytics import card

    real, asked = card.decode_batch, []

    def crowded(masks, shape):
        asked.append(len(masks))
        if len(masks) > 1:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return real(masks, shape)

    network = Network(model_settings("yolov8n-seg", batch=4), lively, "cpu")
    request = Request(("boat",), {}, 0.001, 40)
    whole = CardDetector(network, request)
    expected = whole.predict([whole.prepare(pictures()[0])] * 4)[0].decode(0)
    monkeypatch.setattr(card, "decode_batch", crowded)
    detector = CardDetector(network, request)
    images = [detector.prepare(pictures()[0])] * 4
    found = [one.decode(0) for one in detector.predict(images)]
    assert asked == [4, 2, 1, 1, 1, 1]
    assert detector.batch == 1
    assert expected.left_out
    assert all(one.left_out == expected.left_out for one in found)
    assert len({tuple(one.rle) for one in found}) == 1


def test_what_does_not_fit_alone_is_an_error(tiny_weights):
    network = Network(model_settings("yolov8n-seg", batch=8), tiny_weights, "cpu")
    detector = YoloDetector(network, REQUEST)

    def start(pixels):
        raise torch.OutOfMemoryError("CUDA out of memory")

    detector.runtime.start = start
    with pytest.raises(torch.OutOfMemoryError):
        detector.predict([detector.prepare(pictures()[0])] * 2)
