"""Detection on a CUDA card: half precision, and everything up to the run lengths computed there.
Cards whose half precision is broken compute in float32.

``CardRuntime`` needs a card; ``CardDetector`` finds what ``YoloDetector`` finds on any device, for
all images of a batch at once instead of one by one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from threading import Lock
from typing import Any

import numpy as np
import torch

from segtrack.base.errors import out_of_memory
from segtrack.base.saying import say
from segtrack.model.devices import first_device
from segtrack.model.memory import Batches
from segtrack.model.port import Network, Request
from segtrack.model.predictions import FrameDetections
from segtrack.model.ultralytics import library
from segtrack.model.ultralytics.card_masks import Masks, decode_batch
from segtrack.model.ultralytics.card_nms import suppress
from segtrack.model.ultralytics.detector import Prepared, YoloDetector
from segtrack.model.ultralytics.letterbox import boxes_in_image
from segtrack.model.ultralytics.runtime import Outputs
from segtrack.model.ultralytics.runtimes import load_network, outputs_of, stride_of

GRAPH_AFTER = 4  # batches of one shape, from which on recording its kernels pays
MOST_GRAPHS = 4  # shapes that are recorded, since each keeps its own memory


class CardRuntime:
    """The checkpoint's own network in half precision where the card has a usable one.

    Boxes are decoded in float32.
    """

    size: tuple[int, int] | None = None

    def __init__(self, network: Network) -> None:
        self.device = torch.device(first_device(network.device))
        model = load_network(network, torch.device("cpu"))  # small steps, which a card is slow at
        self.dtype = torch.float16 if library.half_works(self.device) else torch.float32
        if self.dtype == torch.float16:
            model = decoding_in_float32(model.half())
        self.model = model.to(memory_format=torch.channels_last).to(self.device)
        library.set_threads()
        self.stride, self.batch = stride_of(model), network.batch_size
        self._seen: Counter[tuple[int, ...]] = Counter()
        self._graphs: dict[tuple[int, ...], Callable[[torch.Tensor], Outputs]] = {}
        self._sending = torch.cuda.Stream(self.device)

    def room(self, shape: tuple[int, ...]) -> np.ndarray:
        """For uint8 images that ``start`` will be given, where the card reads them itself."""
        room: np.ndarray = torch.empty(shape, dtype=torch.uint8, pin_memory=True).numpy()
        return room

    def start(self, pixels: np.ndarray) -> Future[Outputs]:
        """As ``Runtime.start``; the card may still be at it when the result is handed out."""
        done: Future[Outputs] = Future()
        with torch.inference_mode(), torch.cuda.device(self.device):
            done.set_result(self._compute(self._sent(pixels)))
        return done

    def _sent(self, pixels: np.ndarray) -> torch.Tensor:
        """On the card, sent while that is still at the batch before."""
        pinned = torch.from_numpy(pixels).pin_memory()  # itself, where it is from ``room``
        working = torch.cuda.current_stream(self.device)
        with torch.cuda.stream(self._sending):
            sent = pinned.to(self.device, non_blocking=True)
        working.wait_stream(self._sending)
        sent.record_stream(working)
        return sent

    def _compute(self, pixels: torch.Tensor) -> Outputs:
        shape = tuple(pixels.shape)
        self._seen[shape] += 1
        try:
            if self._seen[shape] == GRAPH_AFTER and len(self._graphs) < MOST_GRAPHS:
                self._record(pixels)
            return self._graphs.get(shape, self._network)(pixels)
        except RuntimeError as error:
            if out_of_memory(error):
                self._graphs.clear()  # their memory is what smaller batches need
            raise

    def _record(self, pixels: torch.Tensor) -> None:
        shape = tuple(pixels.shape)
        try:
            self._graphs[shape] = self._recorded(pixels)
        except RuntimeError as error:
            if out_of_memory(error):
                raise
            told = f"warning: no CUDA graph of {shape}: {str(error).splitlines()[0]}"
            say(told, error=True)

    def _network(self, pixels: torch.Tensor) -> Outputs:
        images = pixels.flip(3).permute(0, 3, 1, 2)  # channels last already
        return outputs_of(self.model(images.to(self.dtype).div_(255)))

    def _recorded(self, pixels: torch.Tensor) -> Callable[[torch.Tensor], Outputs]:
        """The network as one recorded sequence of kernels, for images of this shape."""
        given, graph = pixels.clone(), torch.cuda.CUDAGraph()
        aside = torch.cuda.Stream(self.device)
        aside.wait_stream(torch.cuda.current_stream(self.device))
        with torch.cuda.stream(aside):
            for _ in range(3):  # lets libraries choose their kernels outside of the record
                self._network(given)
        torch.cuda.current_stream(self.device).wait_stream(aside)
        # On a stream of this card: torch's own one for recording is of the card that came first.
        with torch.cuda.graph(graph, stream=aside, capture_error_mode="thread_local"):
            results = self._network(given)
        head = self.model.model[-1]
        kept = head.anchors, head.strides  # made for this shape; the head forgets them at the next

        def replay(images: torch.Tensor, kept: Any = kept) -> Outputs:
            given.copy_(images)
            graph.replay()
            candidates, prototypes = results
            return candidates.clone(), prototypes.clone()

        return replay


def decoding_in_float32(model: Any) -> Any:
    """Let a network in half precision decode boxes in float32: half has steps of half a px."""
    head = model.model[-1]
    head.dfl.float()
    theirs = head._inference

    def decode(found: dict[str, Any]) -> torch.Tensor:
        exact = {k: v.float() if torch.is_tensor(v) else v for k, v in found.items()}
        decoded: torch.Tensor = theirs(exact)
        return decoded

    head._inference = decode
    return model


class CardDetector(YoloDetector):
    """Suppresses and enlarges the masks of a whole batch where the network computed."""

    def __init__(self, network: Network, request: Request) -> None:
        self.device = torch.device(first_device(network.device))
        on_card = self.device.type == "cuda"
        super().__init__(network, request, CardRuntime(network) if on_card else None)
        self.stream = torch.cuda.Stream(self.device) if on_card else None

    def begin(self, images: list[Prepared]) -> list[_One]:
        pixels = [image.pixels for image in images]
        room = None
        if isinstance(self.runtime, CardRuntime):
            room = self.runtime.room((len(pixels), *pixels[0].shape))
        outputs = self.runtime.start(np.stack(pixels, out=room))
        done = None
        if self.stream is not None:
            done = torch.cuda.current_stream(self.device).record_event()
        batch = _Batch(self, outputs, images, done)
        return [_One(batch, i) for i in range(len(images))]

    def found(self, outputs: Outputs, images: list[Prepared]) -> list[FrameDetections]:
        """The detections of a batch, their frames not numbered yet."""
        candidates, prototypes = map(torch.as_tensor, outputs)  # of another runtime, arrays
        wanted = torch.from_numpy(self.class_ids).to(candidates.device)
        rows, counts, unwanted = suppress(
            candidates, wanted, self.conf_floor, self.iou, self.max_det, self.agnostic
        )
        table = rows[:, :6].cpu()
        shape = images[0].pixels.shape[:2]
        boxes = [
            boxes_in_image(part[:, :4].numpy(), shape, image.shape)
            for part, image in zip(table.split(counts), images, strict=True)
        ]
        masks = [
            Masks(protos, part[:, 6:], box)
            for protos, part, box in zip(prototypes, rows.split(counts), boxes, strict=True)
        ]
        texts: list[list[bytes | None]] = [[] for _ in images]
        for size in {image.shape for image in images}:
            members = [i for i, image in enumerate(images) if image.shape == size]
            decoded = decode_batch([masks[i] for i in members], size)
            for i, found in zip(members, decoded, strict=True):
                texts[i] = found
        left = [{self.names[i]: n for i, n in enumerate(one) if n} for one in unwanted]
        parts = zip(table.split(counts), boxes, texts, left, strict=True)
        return [_detections(*part) for part in parts]


@dataclass
class _Batch:
    """Images that went through the network together; whoever asks first has all finished."""

    detector: CardDetector
    outputs: Future[Outputs]
    images: list[Prepared]
    done: torch.cuda.Event | None
    found: list[FrameDetections] | None = None
    lock: Any = field(default_factory=Lock)

    def result(self, index: int) -> FrameDetections:
        with self.lock:
            if self.found is None:
                self.found = self._finish()
            return self.found[index]

    def _finish(self) -> list[FrameDetections]:
        candidates, prototypes = self.outputs.result()
        stream = self.detector.stream

        def part(which: list[int]) -> list[FrameDetections]:
            some = slice(which[0], which[-1] + 1)
            return self.detector.found((candidates[some], prototypes[some]), self.images[some])

        beside = nullcontext() if stream is None else torch.cuda.stream(stream)
        with torch.inference_mode(), beside:
            if stream is not None and self.done is not None:
                stream.wait_event(self.done)
                candidates.record_stream(stream)
                prototypes.record_stream(stream)
            batches = Batches(len(self.images))
            found = batches(part, range(len(self.images)))
        if batches.size < len(self.images):
            self.detector.batches.size = min(batches.size, self.detector.batch)
        return found


@dataclass(frozen=True)
class _One:
    """The detections of one image of a batch that may still be under way."""

    batch: _Batch
    index: int

    def decode(self, frame: int) -> FrameDetections:
        """With masks; any thread may call it."""
        found = self.batch.result(self.index)
        return replace(found, frame=frame)


def _detections(
    rows: torch.Tensor, boxes: np.ndarray, rle: list[bytes | None], left_out: Mapping[str, int]
) -> FrameDetections:
    """A detection whose mask is empty is none (as in ultralytics)."""
    scores, classes = rows[:, 4].numpy(), rows[:, 5].numpy().astype(np.int16)
    found = FrameDetections(-1, classes, scores, boxes, rle, left_out)
    return found.take(np.array([counts is not None for counts in rle], bool))
