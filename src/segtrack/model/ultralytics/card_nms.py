"""Suppression of the candidates of a whole batch at once, on the device where they are."""

from __future__ import annotations

import torch

PAIRS = 1 << 25  # of candidates that are compared at once, about 0.5 GB
CROWD = 4096  # candidates of an image, from which on each is compared with its betters alone


def suppress(
    candidates: torch.Tensor,
    class_ids: torch.Tensor,
    floor: float,
    iou: float | None,
    most: int,
    agnostic: bool,
) -> tuple[torch.Tensor, list[int], list[list[int]]]:
    """The detections of each image, see ``YoloDetector``, best score first.

    Args:
        candidates: (B, 4 xywh + classes + C, A).
        class_ids: int16 (classes,), the output class of each, below 0 for those not wanted.
        floor: lowest score. iou: of boxes that are one object; None suppresses nothing.
        most: detections of an image.
        agnostic: boxes of different classes may be one object too.

    Returns:
        float32 (N, 6 + C), xyxy, score, class and coefficients, image after image; how many each
        image has; and, of each image, how many of each class were found that are not wanted.
    """
    count, images = len(class_ids), len(candidates)
    scores, best = candidates[:, 4 : 4 + count].max(1)
    image, anchor = (scores > floor).nonzero(as_tuple=True)
    scores, best = scores[image, anchor], best[image, anchor]
    order = scores.argsort(descending=True, stable=True)
    order = order[image[order].argsort(stable=True)]
    image, anchor, scores, best = image[order], anchor[order], scores[order], best[order]
    classes = class_ids[best]
    wanted = classes >= 0
    rows = candidates[image, :, anchor]
    half = rows[:, 2:4] / 2
    boxes = torch.cat((rows[:, :2] - half, rows[:, :2] + half), 1)
    # What is not wanted is suppressed among its own class, and never suppresses what is wanted.
    groups = torch.where(wanted, torch.zeros_like(best) if agnostic else classes.long(), ~best)
    sizes = torch.bincount(image, minlength=images)
    place = torch.arange(len(image), device=image.device) - (sizes.cumsum(0) - sizes)[image]
    kept = torch.ones_like(wanted)
    if iou is not None:
        spans = _spans(sizes.tolist())
        parts = [_of_images(boxes, scores, groups, image, place, *span, iou) for span in spans]
        kept = torch.cat(parts)
    chosen, others = _first(kept & wanted, image, most), _first(kept & ~wanted, image, most)
    columns = (boxes, scores[:, None], classes[:, None], rows[:, 4 + count :])
    found = torch.cat([column[chosen].float() for column in columns], 1)
    counts = torch.bincount(image[chosen], minlength=images).tolist()
    unwanted = torch.bincount(image[others] * count + best[others], minlength=images * count)
    return found, counts, unwanted.view(images, count).tolist()


def _spans(sizes: list[int]) -> list[tuple[int, int]]:
    """First and last + 1 of the images that are compared at once, one at least."""
    spans: list[tuple[int, int]] = []
    start, widest = 0, 0
    for i, size in enumerate(sizes):
        widest = max(widest, size)
        if i > start and (i + 1 - start) * widest**2 > PAIRS:
            spans.append((start, i))
            start, widest = i, size
    return [*spans, (start, len(sizes))] if sizes else spans


def _of_images(
    boxes: torch.Tensor,
    scores: torch.Tensor,
    groups: torch.Tensor,
    image: torch.Tensor,
    place: torch.Tensor,
    start: int,
    stop: int,
    iou: float,
) -> torch.Tensor:
    """bool (n,): which candidates of the images ``start`` to ``stop`` stay."""
    ours = (image >= start) & (image < stop)
    boxes, image, place, groups = boxes[ours], image[ours] - start, place[ours], groups[ours]
    if not len(boxes):
        return torch.zeros(0, dtype=torch.bool, device=boxes.device)
    widest = int(place.max()) + 1
    if widest > CROWD:  # one image, as ``_spans`` has it
        from torchvision.ops import batched_nms  # 2 s, which few ever need

        stay = torch.zeros(len(boxes), dtype=torch.bool, device=boxes.device)
        stay[batched_nms(boxes, scores[ours], groups, iou)] = True
        return stay
    table = boxes.new_zeros((stop - start, widest, 4))
    group = groups.new_full((stop - start, widest), torch.iinfo(groups.dtype).min)
    table[image, place], group[image, place] = boxes, groups
    return _greedy(_covers(table, group, iou))[image, place]


def _covers(boxes: torch.Tensor, groups: torch.Tensor, iou: float) -> torch.Tensor:
    """bool (b, K, K): whether candidate j is better than k and covers it. Best come first."""
    left, top, right, bottom = boxes.unbind(2)
    area = (right - left) * (bottom - top)

    def shared(low: torch.Tensor, high: torch.Tensor) -> torch.Tensor:
        end = torch.minimum(high[:, :, None], high[:, None])
        return (end - torch.maximum(low[:, :, None], low[:, None])).clamp_(min=0)

    inter = shared(left, right).mul_(shared(top, bottom))
    over = inter / (area[:, :, None] + area[:, None] - inter) > iou
    return (over & (groups[:, :, None] == groups[:, None])).triu_(1)


def _greedy(covers: torch.Tensor) -> torch.Tensor:
    """bool (b, K): which stay, if the best stays, then each that no better one that stays covers.

    The one answer that does not change when it is asked again; the first k are right after k times.
    """
    stay = ~covers.any(1)
    while True:
        again = ~(covers & stay[:, :, None]).any(1)
        if torch.equal(again, stay):
            return stay
        stay = again


def _first(chosen: torch.Tensor, image: torch.Tensor, most: int) -> torch.Tensor:
    """Of the chosen of each image the first ``most``."""
    rank = chosen.cumsum(0)
    before = torch.zeros_like(rank)
    starts = torch.searchsorted(image, image)  # where each one's image begins
    before = torch.where(starts > 0, rank[(starts - 1).clamp(min=0)], before)
    return chosen & (rank - before <= most)
