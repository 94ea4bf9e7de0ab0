"""Why an object is suspect, in a sentence that is understood beside the picture."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def reason(row: Mapping[str, Any], usual_iou: float = 0.0, usual_shown: float = 0.0) -> str:
    """The sentence of a row of ``suspects.parquet``.

    Args:
        usual_iou, usual_shown: of labels of its class and size, see ``Suspicions``.
    """
    name, other, score = row["class"], row["predicted_class"], row["predicted_score"]
    if row["kind"] == "overlooked":
        return f"{name} is predicted here ({score:.2f}), and nothing is labelled"
    if row["kind"] == "swapped":
        return f"labelled {name}, but {other} is predicted ({score:.2f})"
    if row["kind"] == "duplicate":
        return (
            f"a second label of one object: it shares {row['iou']:.2f} (IoU) with a label {other}"
        )
    if row["kind"] == "badly_located" and score is not None:
        return (
            f"the outline fits badly: IoU {row['iou']:.2f} with the predicted {name} "
            f"({score:.2f}), usually {usual_iou:.2f} for its class and size"
        )
    return (
        f"labelled {name}, but hardly anything is predicted here, while such labels are usually "
        f"shown with {usual_shown:.2f}"
    )
