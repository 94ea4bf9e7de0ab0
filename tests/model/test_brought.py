"""Detections that come with a sequence: the same as a model's, or an error with its line."""

from pathlib import Path

import numpy as np
import pytest

from segtrack.base.errors import DataError
from segtrack.dataset import VideoSequence
from segtrack.model import Predictions
from segtrack.model.brought import read_detections

ROWS = """3,-1,10,20,30.5,40,0.9
1,-1,1,2,3,4,0.04
1,-1,5,6,7,8,0.05
"""


def sequence(tmp_path: Path, text: str) -> VideoSequence:
    path = tmp_path / "det.txt"
    path.write_text(text)
    return VideoSequence("s", None, "ab", 640, 480, 14.0, 5, det=path)


def test_rows_become_predictions(tmp_path: Path) -> None:
    found: dict[str, float] = {}
    read_detections(
        sequence(tmp_path, ROWS), "person", 0.05, tmp_path, lambda k, v, s=0: found.update({k: v})
    )
    predictions = Predictions.load(tmp_path)
    info = predictions.info
    assert (info.names, info.frame_count, info.fps) == (("person",), 5, 14.0)
    assert (info.width, info.height, info.model_name) == (640, 480, "")
    first, last = predictions.frames()
    assert (first.frame, last.frame) == (0, 2)
    assert first.bbox_xyxy.tolist() == [[5, 6, 12, 14]]
    assert last.bbox_xyxy.tolist() == [[10, 20, 40.5, 60]]
    assert last.score.tolist() == [np.float32(0.9)] and last.rle == [None]
    assert found == {"track/detections": 2}


@pytest.mark.parametrize(
    ("scores", "says"), [("0.5 1", ""), ("30 -1", "scores from -1 to 30"), ("1.5 1", "from 1 to")]
)
def test_scores_that_are_no_probabilities_are_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], scores: str, says: str
) -> None:
    text = "".join(f"1,-1,1,2,3,4,{score}\n" for score in scores.split())
    read_detections(sequence(tmp_path, text), "person", 0.05, tmp_path, lambda *_: None)
    said = capsys.readouterr().err
    assert says in said and bool(said) == bool(says)


def test_an_empty_file_has_no_detections(tmp_path: Path) -> None:
    read_detections(sequence(tmp_path, ""), "person", 0.05, tmp_path, lambda *_: None)
    predictions = Predictions.load(tmp_path)
    assert list(predictions.frames()) == [] and predictions.info.frame_count == 5


@pytest.mark.parametrize(
    "row",
    [
        "1,-1,2,3,4",
        "x,-1,2,3,4,5,0.5",
        "1,-1,2,3,nan,5,0.5",
        "0,-1,2,3,4,5,0.5",
        "1.5,-1,2,3,4,5,1",
    ],
)
def test_a_malformed_row_is_named_with_its_line(tmp_path: Path, row: str) -> None:
    with pytest.raises(DataError, match=r"det\.txt, line 2"):
        read_detections(
            sequence(tmp_path, f"1,-1,1,2,3,4,0.5\n{row}\n"), "p", 0.05, tmp_path, lambda *_: None
        )
