"""Rows of results.csv, and how far a killed training came."""

import pytest
import torch

from segtrack.model.training import keep_rows, read_rows
from segtrack.model.ultralytics.checkpoint import continue_from
from segtrack.model.ultralytics.epochs import EpochReporter
from tests.model.ultralytics.conftest import smallest

HEAD = "epoch,time,train/box_loss\n"


@pytest.mark.parametrize(
    ("text", "epochs"),
    [
        ("", []),
        (HEAD, []),
        (HEAD + "1,2.5,0.75\n", [1]),
        (HEAD + "1,2.5,0.75\n2,5,0.", [1]),  # a row that is being written
        ("  epoch,  time, train/box_loss\n 1, 2.5, 0.75\n", [1]),  # older versions pad
    ],
)
def test_read_rows(tmp_path, text, epochs):
    (tmp_path / "results.csv").write_text(text)
    rows = read_rows(tmp_path / "results.csv")
    assert [row["epoch"] for row in rows] == epochs
    assert all(row["train/box_loss"] == 0.75 for row in rows)


@pytest.mark.parametrize(
    ("text", "epochs", "kept"),
    [
        (HEAD + "1,2,3\n2,2,3\n3,2,3\n", 2, HEAD + "1,2,3\n2,2,3\n"),
        (HEAD + "1,2,3\n2,2", 2, HEAD + "1,2,3\n"),
        (HEAD + "1,2,3\n2,7,7\n2,2,3\n", 2, HEAD + "1,2,3\n2,2,3\n"),  # run twice: the second
        (HEAD + "1,2,3\n", 0, HEAD),
    ],
)
def test_keep_rows(tmp_path, text, epochs, kept):
    (tmp_path / "results.csv").write_text(text)
    keep_rows(tmp_path / "results.csv", epochs)
    assert (tmp_path / "results.csv").read_text() == kept


def test_nothing_to_keep(tmp_path):
    keep_rows(tmp_path / "results.csv", 3)
    assert not (tmp_path / "results.csv").exists()


def test_each_row_is_reported_once_and_earlier_attempts_are_not_printed(tmp_path, capsys):
    path = tmp_path / "results.csv"
    path.write_text(HEAD + "1,2.5,0.75\n")
    reported = []
    reporter = EpochReporter(path, 10, lambda *args: reported.append(args))
    reporter.printed = 1
    reporter.catch_up()
    with path.open("a") as file:
        file.write("2,4,0.5\n")
    reporter.catch_up()
    reporter.catch_up()
    assert reported == [("train/box_loss", 0.75, 1), ("train/box_loss", 0.5, 2)]
    assert capsys.readouterr().err == (
        "epoch  2/10  loss box 0.500  val mask mAP50 0.000 mAP50-95 0.000  4.0 s, 16 s left\n"
    )


@pytest.mark.parametrize(
    ("epoch", "best", "epochs", "patience", "expected"),
    [
        (0, 1, 3, 50, (1, False)),
        (2, 1, 3, 50, (3, True)),  # all epochs
        (5, 2, 100, 4, (6, True)),  # four epochs without a better one
        (4, 2, 100, 4, (5, False)),
        (90, 1, 100, 0, (91, False)),  # patience 0: never
        (5, None, 100, 4, (6, False)),  # an older checkpoint does not say
    ],
)
def test_how_far_it_came(tmp_path, epoch, best, epochs, patience, expected):
    (tmp_path / "weights").mkdir()
    content = {"epoch": epoch, "stopper": {"best_epoch": best} if best else None}
    torch.save(content, tmp_path / "weights" / "last.pt")
    done = continue_from(tmp_path, smallest(epochs=epochs, patience=patience))
    assert (done.epochs, done.finished) == expected


def test_nothing_to_continue_from(tmp_path):
    assert continue_from(tmp_path, smallest()).epochs == 0
