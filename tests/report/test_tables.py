"""Tables as CSV, text and HTML, and means over seeds."""

import csv
import io
import math
from html.parser import HTMLParser

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segtrack.report import aggregate, read_table_csv, table_csv, table_html, table_text

TEXT = st.text(st.characters(exclude_characters="\0", codec="utf-8"))  # a NUL is escaped
ROWS = [
    {"run": "a, <b>", "thresh": "0.3", "map": 0.123456789, "count": 12},
    {"run": "c", "thresh": "0.5", "map": math.nan, "count": 7, "extra": 1e-7},
]


def test_csv_keeps_full_precision_and_quotes():
    read = list(csv.DictReader(io.StringIO(table_csv(ROWS))))
    assert read == [
        {"run": "a, <b>", "thresh": "0.3", "map": "0.123456789", "count": "12", "extra": ""},
        {"run": "c", "thresh": "0.5", "map": "", "count": "7", "extra": "1e-07"},
    ]


def test_text_is_aligned():
    assert table_text(ROWS).splitlines() == [
        "run     thresh     map  count  extra",
        "------  ------  ------  -----  -----",
        "a, <b>  0.3     0.1235     12    n/a",
        "c       0.5        n/a      7  1e-07",
    ]


def test_text_with_a_fixed_number_of_digits():
    rows = [{"": "AP", "map": 0.5, "n": 3}, {"": "AR", "map": None, "n": 12}]
    assert table_text(rows, 3).splitlines() == [
        "      map   n",
        "--  -----  --",
        "AP  0.500   3",
        "AR    n/a  12",
    ]


class _Cells(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.cells: list[tuple[str, str | None]] = []
        self.open: str | None = None

    def handle_starttag(self, tag, attrs):
        if tag in ("th", "td"):
            self.cells.append(("", dict(attrs).get("data-value")))
            self.open = tag

    def handle_endtag(self, tag):
        if tag == self.open:
            self.open = None

    def handle_data(self, data):
        if self.open:
            text, value = self.cells[-1]
            self.cells[-1] = (text + data, value)


def test_html_holds_escaped_text_and_full_values():
    page = table_html(ROWS, "Cells & <more>")
    parser = _Cells()
    parser.feed(page)
    assert "<title>Cells &amp; &lt;more&gt;</title>" in page
    assert [text for text, _ in parser.cells[:5]] == ["run", "thresh", "map", "count", "extra"]
    assert parser.cells[5:] == [
        ("a, <b>", "a, <b>"),
        ("0.3", "0.3"),
        ("0.1235", "0.123456789"),
        ("12", "12"),
        ("n/a", None),
        ("c", "c"),
        ("0.5", "0.5"),
        ("n/a", None),
        ("7", "7"),
        ("1e-07", "1e-07"),
    ]
    assert "http" not in page  # self-contained


def test_no_rows():
    assert table_csv([]) == "\n"
    assert table_text([]).strip() == ""
    assert "<tbody>" in table_html([], "none")


def test_aggregate_by_hand():
    rows = [
        {"run": "x", "thresh": "0.3", "seed": "0", "hota": 1.0, "idsw": 4},
        {"run": "y", "thresh": "0.5", "seed": "0", "hota": 7.0, "idsw": 1},
        {"run": "z", "thresh": "0.3", "seed": "1", "hota": 2.0, "idsw": 4},
        {"run": "v", "thresh": "0.3", "seed": "2", "hota": 6.0},
    ]
    low, high = aggregate(rows, keys=["thresh"], over="seed")
    # mean (1+2+6)/3 = 3; squared deviations 4+1+9 = 14; /(3-1) = 7
    assert low == {
        "thresh": "0.3",
        "n": 3,
        "hota": pytest.approx(3.0),
        "hota std": pytest.approx(math.sqrt(7)),
        "idsw": 4.0,
        "idsw std": 0.0,
        "idsw n": 2,
    }
    assert high == {
        **{"thresh": "0.5", "n": 1, "hota": 7.0, "hota std": None, "idsw": 1.0},
        "idsw std": None,
    }


def test_aggregate_equals_numpy_and_leaves_text_out():
    values = np.random.default_rng(0).normal(size=12)
    rows = [{"k": i % 3, "seed": i, "m": v, "note": "text"} for i, v in enumerate(values)]
    for i, line in enumerate(aggregate(rows, keys=["k"])):
        assert line["m"] == pytest.approx(values[i::3].mean(), abs=1e-12)
        assert line["m std"] == pytest.approx(values[i::3].std(ddof=1), abs=1e-12)
        assert "note" not in line and "seed" not in line


FORMULAS = [
    *("=1+1", "+1+1", "-1+1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", " =1", "\u00a0=1", "\ufeff=1"),
    *("=cmd|' /C calc'!A0", "＝1+1", "＋1", "－1", "＠x", "-", "+", "-dash", "=", '="a"'),
    *('=HYPERLINK("http://x","a")', "-0.5x", "+49 30", "-1e5,3", "-inf", "'=1", "''=1"),
]
HARMLESS = ["a=b", "car", "'quoted'", "it's", "", "a,b", 'say "x"', "a\nb", "a\r\nb", "🚗", "1-2"]
NUMBERS = ["-0.5", "+3", "1e-3", "-.5", "-12", "+1.5E+7", "7."]


@pytest.mark.parametrize("text", FORMULAS)
def test_no_spreadsheet_runs_a_text(text: str):
    written = table_csv([{"class": text, text: 1}])
    for cells in csv.reader(io.StringIO(written, newline="")):
        starts = {cell.strip("\ufeff \u00a0\t\r\n")[:1] for cell in cells}
        assert not starts & set("=+-@＝＋－＠")
    assert read_table_csv(written) == [{"class": text, text: "1"}]


@pytest.mark.parametrize("text", [*HARMLESS, *NUMBERS])
def test_numbers_and_harmless_texts_stay_as_they_are(text: str):
    written = table_csv([{"a": text, "b": 1}])
    (row,) = list(csv.DictReader(io.StringIO(written, newline="")))
    assert row == {"a": text, "b": "1"}
    assert read_table_csv(written) == [row]


@pytest.mark.parametrize("value", [-0.5, -3, np.float32(-1.5), np.int64(-2), -1e-12])
def test_numbers_below_zero_are_numbers(value):
    (row,) = csv.DictReader(io.StringIO(table_csv([{"a": value}])))
    assert float(row["a"]) == float(value)


@given(st.lists(st.tuples(TEXT, TEXT), min_size=1))
def test_what_is_written_is_read_again(cells):
    rows = [{"a": a, "b": b, "n": 1} for a, b in cells]
    assert read_table_csv(table_csv(rows)) == [{"a": a, "b": b, "n": "1"} for a, b in cells]


def test_no_table_is_read_as_none():
    assert read_table_csv("") == read_table_csv(table_csv([])) == []
