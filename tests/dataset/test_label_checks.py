"""What is said of labels once all of them are read."""

from __future__ import annotations

import pytest

from segtrack.dataset import YoloSettings
from segtrack.dataset.checks import ChecksFailed
from tests.dataset.conftest import SQUARE, Prepare, YoloFolder

BOX = "0 0.5 0.5 0.4 0.4"


def test_boxes_are_counted_in_one_sentence(yolo: YoloFolder, run: Prepare) -> None:
    for number in range(5):
        yolo.write_label(number, f"{BOX}\n1 .3 .3 .2 .2\n{BOX}")
    found = run(YoloSettings(path=str(yolo.root)))
    (line,) = [w for w in found.dataset.warnings if w.startswith("box_only")]
    assert "10 of 17 labels are boxes without an outline" in line
    assert "their masks are rectangles" in line
    assert found.codes()["repeated_label"] == 5


def test_a_track_id_in_doubt_is_said(yolo: YoloFolder, run: Prepare) -> None:
    yolo.write_label(0, f"{BOX} 0.91 1")
    found = run(YoloSettings(path=str(yolo.root)))
    assert found.codes()["perhaps_track_id"] == 1


@pytest.mark.parametrize("last", ["0.91 1", "0.91 0", "0.910000 1.000000"])
def test_where_every_row_ends_so_it_is_a_track_id(
    yolo: YoloFolder, run: Prepare, last: str
) -> None:
    for number in range(12):
        shape = BOX if number % 2 else SQUARE
        yolo.write_label(number, f"{shape} {last}")
    message = r"00\.txt:1: each of the 12 labels ends like this one"
    with pytest.raises(ChecksFailed, match=message):
        run(YoloSettings(path=str(yolo.root)))


def test_where_no_label_is_left_the_reason_is_said(yolo: YoloFolder, run: Prepare) -> None:
    for number in range(12):
        yolo.write_label(number, "0 10 10 50 10 50 40")
    message = r"no usable label .*for example .*00\.txt:1: polygon lies outside .*are these pixels"
    with pytest.raises(ChecksFailed, match=message):
        run(YoloSettings(path=str(yolo.root)))


def test_one_box_with_a_track_id_among_many_labels_is_refused(
    yolo: YoloFolder, run: Prepare
) -> None:
    yolo.write_label(3, f"{BOX} 0.91 7")
    with pytest.raises(ChecksFailed, match=r"03\.txt:1: 0\.91 and 7 behind a box are a confid"):
        run(YoloSettings(path=str(yolo.root)))
