"""Figures: the numbers beside them, names as they are, no global state."""

import csv
import sys
import warnings
from pathlib import Path

import cv2
import numpy as np

from segtrack.report import figures


def test_saved_with_its_numbers(tmp_path: Path):
    x = np.linspace(0, 1, 5)
    figure = figures.line_chart("T", "x", "y", x, {"car": x}, ("mean", x**2))
    rows = [{"x": a, "car": a, "mean": a**2} for a in x.tolist()]
    figures.save_figure(figure, tmp_path / "line.png", rows)
    height, width = cv2.imread(str(tmp_path / "line.png")).shape[:2]
    assert (width, height) == (round(7.8 * figures.DPI), round(4.8 * figures.DPI))
    with (tmp_path / "line.csv").open() as file:
        read = list(csv.DictReader(file))
    assert [float(row["mean"]) for row in read] == [0, 0.0625, 0.25, 0.5625, 1]


def test_odd_names_are_shown_as_they_are(tmp_path: Path):
    x = np.linspace(0, 1, 3)
    figure = figures.line_chart("T", "x", "y", x, {"_a": x, "$b$ x^2 $": x})
    texts = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert texts == [" _a", "$b$ x^2 $"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figures.save_figure(figure, tmp_path / "odd.png", [])


def test_many_lines_share_one_entry_of_the_legend():
    x = np.linspace(0, 1, 3)
    figure = figures.line_chart("T", "x", "y", x, {f"class {i}": x for i in range(80)}, ("mean", x))
    texts = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert texts == ["mean", *(f"class {i}" for i in range(6)), "74 others"]


def test_points_of_several_kinds(tmp_path: Path):
    left, chosen = np.array([[0.5, 2.0], [1.0, 0.0]]), np.array([[2.0, 3.0]])
    figure = figures.scatter_chart("T", "x", "y", {"left": left, "none": [], "_chosen": chosen})
    (axes,) = figure.axes
    drawn = [np.asarray(points.get_offsets()) for points in axes.collections]
    assert [len(points) for points in drawn] == [2, 0, 1]
    assert np.array_equal(drawn[0], left) and np.array_equal(drawn[2], chosen)
    assert axes.get_xlim()[0] == axes.get_ylim()[0] == 0
    texts = [text.get_text() for text in axes.get_legend().get_texts()]
    assert texts == ["left", "none", " _chosen"]
    figures.save_figure(figure, tmp_path / "points.png", [])
    assert cv2.imread(str(tmp_path / "points.png")) is not None


def test_bars_and_matrix(tmp_path: Path):
    nan = float("nan")
    bars = figures.bar_chart("T", "x", "y", ["a", "b"], {"recall": [0.5, nan], "AP": [0.2, 1.0]})
    heights = [patch.get_height() for patch in bars.axes[0].patches]
    assert heights == [0.5, 0, 0.2, 1.0]
    assert [t.get_text() for t in bars.axes[0].texts] == ["0.50", "n/a", "0.20", "1.00"]
    counts = np.array([[3, 0], [1, 2]])
    names = ["a", "background"]
    matrix = figures.matrix_chart("T", "x", "y", (names, names), counts, counts / 3, "share")
    assert [t.get_text() for t in matrix.axes[0].texts] == ["3", "1", "2"]
    figures.save_figure(bars, tmp_path / "bars.png", [{"a": 1}])
    figures.save_figure(matrix, tmp_path / "matrix.png", [{"a": 1}])


def test_pyplot_stays_out():
    """Checked in a process of its own: another test may have imported it."""
    import subprocess

    code = "import sys, segtrack.report.figures; print('matplotlib.pyplot' in sys.modules)"
    source = str(Path(figures.__file__).parents[2])
    run = [sys.executable, "-c", f"import sys; sys.path.insert(0, {source!r}); {code}"]
    assert subprocess.run(run, capture_output=True, text=True, check=True).stdout == "False\n"


def test_no_name_ends_a_figure_or_fills_the_terminal(tmp_path: Path):
    names = ["a\nb", "a\x01b", "x" * 300, "汽车🚗", "$\\frac{", ""]
    x = np.linspace(0, 1, 3)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure = figures.line_chart("T", "x", "y", x, dict.fromkeys(names, x))
        figures.save_figure(figure, tmp_path / "lines.png", [])
        counts = np.ones((6, 6), int)
        figure = figures.matrix_chart("T", "x", "y", (names, names), counts, counts / 2, "share")
        figures.save_figure(figure, tmp_path / "matrix.png", [])
    texts = [text.get_text() for text in figure.axes[0].get_yticklabels()]
    assert texts[0] == "a_b" and max(map(len, texts)) == 40
