"""Which pairs of query and class are detections."""

from __future__ import annotations

from collections import Counter

import torch

from segtrack.model.port import Request, Weights
from segtrack.model.weights import wanted_classes


class Selection:
    """The best pairs of an image, as rfdetr takes them, of what a request wants."""

    def __init__(self, weights: Weights, request: Request, most: int) -> None:
        """``most``: pairs that the network was made to give.

        Raises:
            DataError: none of the classes is wanted.
        """
        self.class_ids = torch.from_numpy(wanted_classes(weights, request))
        self.names, self.classes = weights.names, len(request.names)
        self.one_class, self.conf_floor = request.one_class, request.conf_floor
        self.limit = min(request.max_det, most)

    def pairs(
        self, scores: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, Counter[str]]:
        """Query, output class and score of each detection, best first; and how many queries were
        dropped for their class, by the weights' name of it.

        What a query has of several classes that are merged into one is its best of them. With
        ``one_class`` the best class of all decides what a query is, before unwanted ones are
        dropped: a boat does not become a car because only cars are wanted.

        Args:
            scores: (queries, classes of the weights), on the CPU.
        """
        top, best = scores.max(1)
        kind = self.class_ids[best]
        unwanted = best[(kind < 0) & (top > self.conf_floor)]
        left_out = Counter(self.names[i] for i in unwanted.tolist())
        wanted = self.class_ids >= 0
        columns = self.class_ids[wanted].expand(len(scores), -1)
        merged = scores.new_zeros(len(scores), self.classes)
        merged.scatter_reduce_(1, columns, scores[:, wanted], "amax")
        if self.one_class:
            merged *= kind[:, None] == torch.arange(self.classes)
        values, order = merged.flatten().sort(descending=True, stable=True)
        count = min(self.limit, int((values > self.conf_floor).sum()))
        order = order[:count]
        return order // self.classes, order % self.classes, values[:count], left_out
