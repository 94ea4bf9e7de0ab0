"""One document in three forms: what is shown is the same, and any name survives all of them."""

from __future__ import annotations

import base64
import math
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from segtrack.base.errors import DataError
from segtrack.base.statistics import Interval
from segtrack.report import (
    Code,
    Difference,
    Document,
    Figure,
    Heading,
    Items,
    Link,
    Number,
    Paragraph,
    Prose,
    Table,
    check_prose,
    document_html,
    document_latex,
    document_markdown,
    gap_columns,
    with_best,
    write_document,
)
from segtrack.report.document import one_line, shown_cell
from segtrack.report.latex_form import _SPECIAL

DOT = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
TABLE = Table(
    "Scores",
    ("tracker", "objects", "HOTA", "difference"),
    (
        ("a_b|c", 1200, Number(67.6436, sd=0.3), None),
        ("d", 7, Number(68.0, bold=True), Difference(0.36, 0.1, 0.62, told=True)),
    ),
    "of 7 sequences",
)


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        (None, ""),
        ("car", "car"),
        (12345, "12,345"),
        (Number(None), "n/a"),
        (Number(math.nan), "n/a"),
        (Number(0.25, digits=1), "0.2"),  # half to even, as Python prints it
        (Number(-0.001), "0.00"),
        (Number(67.644, sd=0.305), "67.64 ± 0.30"),
        (Number(67.644, sd=math.nan), "67.64"),
        (Difference(0.0886, -2.72997, 2.907178), "+0.09 (-2.73 to +2.91)"),
        (Difference(-0.357889), "-0.36"),
        (Difference(0.001, -0.001, 0.004), "0.00 (0.00 to 0.00)"),
        (Difference(math.nan), "n/a"),
    ],
)
def test_what_a_cell_shows(cell: object, text: str) -> None:
    assert shown_cell(cell).text == text  # type: ignore[arg-type]


def test_only_what_its_interval_allows_has_a_star() -> None:
    told = Interval(0.02, 0.001, 0.039, 0.01, 6.0, 7, 7)
    open_ = Interval(0.02, -0.001, 0.041, 0.01, 6.0, 7, 7)
    cells = [Difference.of(gap) for gap in (told, open_)]
    assert [shown_cell(cell).text for cell in cells] == [
        "+2.00 (+0.10 to +3.90)",
        "+2.00 (-0.10 to +4.10)",
    ]
    assert [shown_cell(cell).star for cell in cells] == [True, False]
    table = Table("", ("a",), tuple((cell,) for cell in cells))
    assert table.notes == "* 0 lies outside of the interval"
    assert Table("", ("a",), ((cells[1],),), "one seed.").notes == "one seed"


def test_the_best_of_a_column_is_bold_and_what_is_shown_alike() -> None:
    rows = [[Number(1.001)], [Number(0.999)], [Number(0.5)], [Number(None)]]
    bold = [row[0].bold for row in with_best(rows, [0])]  # type: ignore[union-attr]
    assert bold == [True, True, False, False]
    assert with_best([rows[0], rows[0]], [0]) == [rows[0], rows[0]]  # none is better
    assert with_best(rows[:1], [0]) == [[Number(1.001)]]  # nothing beside it: no best


def test_markdown(tmp_path: Path) -> None:
    picture = _picture(tmp_path / "my picture.png")
    document = Document(
        "Is *this* better?",
        (
            Heading("Result"),
            Paragraph("1. of <all>"),
            Prose("As **written**."),
            TABLE,
            Items(("- one", "two_2")),
            Code("python run.py \\\n  --flag"),
            Link("in MLflow", "http://127.0.0.1:5000/#/experiments/1/runs/a b"),
            Figure(picture, "a [dot]"),
        ),
        made="by segtrack",
    )
    text = document_markdown(document, {picture: "figures/dot.png"})
    assert text == (
        "# Is \\*this\\* better?\n\n"
        "## Result\n\n"
        "1\\. of \\<all\\>\n\n"
        "As **written**.\n\n"
        "**Scores**\n\n"
        "| tracker | objects | HOTA | difference |\n"
        "| --- | ---: | ---: | ---: |\n"
        "| a_b\\|c | 1,200 | 67.64 ± 0.30 |  |\n"
        "| d | 7 | **68.00** | +0.36 (+0.10 to +0.62)\\* |\n\n"
        "of 7 sequences. \\* 0 lies outside of the interval\n\n"
        "- \\- one\n- two_2\n\n"
        "    python run.py \\\n      --flag\n\n"
        "[in MLflow](<http://127.0.0.1:5000/#/experiments/1/runs/a%20b>)\n\n"
        "![a \\[dot\\]](figures/dot.png)\n\n"
        "by segtrack\n"
    )


def test_latex() -> None:
    document = Document(
        "50% & more",
        (
            Heading("Result"),
            Heading("Part", level=2),
            TABLE,
            Code("  run --x"),
            Prose("A *b* `c_d` [e](https://example.org/f_g#h) [i](j.md)."),
            Prose("- k\n\n| l |\n| --: |\n| m |"),
        ),
    )
    text = document_latex(document, {})
    body = text[text.index("\\begin{document}") :]
    assert body == (
        "\\begin{document}\n\\section*{50\\% \\& more}\n\n"
        "\\section*{Result}\n\n"
        "\\subsection*{Part}\n\n"
        "\\begin{center}\n\\small\n\\textbf{Scores}\\par\\smallskip\n"
        "\\begin{fitted}\n\\begin{tabular}{@{}lrrr@{}}\n\\toprule\n"
        "tracker & objects & HOTA & difference \\\\\n\\midrule\n"
        "a\\_b\\textbar{}c & 1,200 & 67.64 \\ensuremath{\\pm} 0.30 &  \\\\\n"
        "d & 7 & \\textbf{68.00} & +0.36 (+0.10 to +0.62)\\textsuperscript{{*}} \\\\"
        "\n"
        "\\bottomrule\n\\end{tabular}\n\\end{fitted}\n"
        "\\par\\smallskip {\\footnotesize of 7 sequences. "
        "{*} 0 lies outside of the interval\\par}\n"
        "\\end{center}\n\n"
        "{\\raggedright\\ttfamily\\footnotesize\n\\hspace*{1em}run -{}-x\\par\n}\n\n"
        "A \\emph{b} \\texttt{c\\_d} \\href{https://example.org/f_g\\#h}{e} i.\n\n\n"
        "\\begin{itemize}\n\\item k\n\\end{itemize}\n\n"
        "\\begin{center}\n\\small\n\\begin{fitted}\n\\begin{tabular}{@{}r@{}}\n\\toprule\n"
        "l \\\\\n\\midrule\nm \\\\\n"
        "\\bottomrule\n\\end{tabular}\n\\end{fitted}\n\\end{center}\n\n\n"
        "\\end{document}\n"
    )
    assert "\\usepackage{booktabs}" in text and _sound(text)


def test_a_long_table_breaks_over_pages() -> None:
    rows = tuple((f"[{i}]", Number(float(i))) for i in range(31))
    text = document_latex(Document("t", (Table("all of them", ("name", "x"), rows, "so"),)), {})
    assert "\\begin{longtable}{@{}lr@{}}" in text and "\\endhead" in text
    assert "{[}30{]} & 30.00 \\\\\n\\bottomrule" in text and _sound(text)


def test_html_loads_nothing_and_has_its_pictures_inside(tmp_path: Path) -> None:
    picture = _picture(tmp_path / "dot.png")
    document = Document(
        "t",
        (
            *(Heading(one) for one in "abc"),
            TABLE,
            Figure(picture, "a dot"),
            Link("in MLflow", "http://127.0.0.1:5000/#/experiments/1/runs/x"),
            Prose("[here](other.md), [there](https://example.org), <script>alert(1)</script>"),
        ),
    )
    page = Page.of(document_html(document))
    assert page.sources == [f"data:image/png;base64,{base64.b64encode(DOT).decode()}"]
    assert page.links == [
        *("#section-1", "#section-2", "#section-3"),
        *("http://127.0.0.1:5000/#/experiments/1/runs/x", "https://example.org"),
    ]
    assert page.ids == ["section-1", "section-2", "section-3"]
    assert "script" not in page.tags and "link" not in page.tags
    assert page.cells == [
        *("tracker", "objects", "HOTA", "difference"),
        *("a_b|c", "1,200", "67.64 ± 0.30", "", "d", "7", "68.00", "+0.36 (+0.10 to +0.62)*"),
    ]
    assert page.strong == ["68.00"]


def test_a_picture_within_a_text_is_refused() -> None:
    check_prose("fine [a](b)", "study.yaml")
    with pytest.raises(DataError, match=r"study.yaml: a picture within a text \(x.png\)"):
        check_prose("see ![this](x.png)", "study.yaml")


def test_secrets_stay_out(monkeypatch: pytest.MonkeyPatch) -> None:
    from segtrack.base import secrets

    monkeypatch.setenv("REPORT_TEST_TOKEN", "abcd-efgh-ijkl")
    secrets._values.cache_clear()
    told = "x abcd-efgh-ijkl y"
    blocks = (Heading(told), Paragraph(told), Prose(told), Items((told,)), Code(told))
    document = Document(told, (*blocks, Table(told, (told,), ((told,),), told)), made=told)
    try:
        for text in (
            document_html(document),
            document_markdown(document, {}),
            document_latex(document, {}),
        ):
            assert (
                "abcd" not in text
                and text.count("***") + text.count("{*}{*}{*}") + text.count("\\*\\*\\*") >= 10
            )
    finally:
        monkeypatch.undo()
        secrets._values.cache_clear()


def test_files(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    within = _picture(tmp_path / "out" / "own.png")
    others = [_picture(tmp_path / name / "p 1.png") for name in "ab"]
    document = Document("t", tuple(Figure(path, path.stem) for path in (within, *others)))
    files = write_document(document, tmp_path / "out", ("html", "md", "tex"))
    assert [file.name for file in files] == ["report.html", "report.md", "report.tex"]
    text = files[1].read_text()
    assert re.findall(r"\]\((.*)\)", text) == [
        *("own.png", "figures/p_1.png", "figures/p_1_2.png"),
    ]
    assert {p.name for p in (tmp_path / "out" / "figures").iterdir()} == {"p_1.png", "p_1_2.png"}
    assert "{figures/p_1_2.png}" in files[2].read_text()


NAMES = st.text(st.characters(codec=None), max_size=30) | st.text(
    "\\`*_{}[]<>()#+-.!|~&$\"'^%,?: ;ab1\n", max_size=15
)


@given(NAMES, NAMES)
def test_any_name_survives_in_html(name: str, other: str) -> None:
    document = Document(
        name, (Paragraph(other), Items((name,)), Code(other), Table("", (name,), ((other,),)))
    )
    page = Page.of(document_html(document))
    assert page.cells == [one_line(name), one_line(other)]
    assert page.texts["h1"] == one_line(name) and page.texts["p"] == one_line(other)
    assert page.texts["li"] == one_line(name)
    assert page.tags <= {
        *("html", "head", "meta", "title", "style", "body", "h1", "p", "ul", "li", "pre", "code"),
        *("div", "table", "thead", "tbody", "tr", "th", "td"),
    }


@given(NAMES, NAMES)
def test_any_name_survives_in_markdown(name: str, other: str) -> None:
    table = Table("", (name, "x"), ((other, "y"), (name, "z")))
    document = Document(name, (Heading(other), Paragraph(name), table, Items((other,))))
    tokens = (
        MarkdownIt("commonmark")
        .enable(["table", "strikethrough"])
        .parse(document_markdown(document, {}))
    )
    kinds = [token.type for token in tokens if token.level == 0 and token.nesting >= 0]
    a, b = one_line(name).strip(), one_line(other).strip()
    paragraph = ["paragraph_open"] if a else []
    headings = ["heading_open", "heading_open"]
    assert kinds == [*headings, *paragraph, "table_open", "bullet_list_open"]
    texts = ["".join(c.content for c in t.children or []) for t in tokens if t.type == "inline"]
    assert all(c.type == "text" for t in tokens for c in t.children or [])
    expected = [a, b, *([a] if a else []), a, "x", b, "y", a, "z", *([b] if b else [])]
    assert texts == expected


@given(NAMES, NAMES)
def test_any_name_survives_in_latex(name: str, other: str) -> None:
    document = Document(name, (Table(other, (name, "x"), ((other, "y"),)), Paragraph(name)))
    text = document_latex(document, {})
    assert _sound(text)
    rows = text[text.index("\\toprule") : text.index("\\bottomrule")].splitlines()
    cells = [row.removesuffix(" \\\\").split(" & ") for row in (rows[1], rows[3])]
    assert [[_read_latex(cell) for cell in row] for row in cells] == [
        [one_line(name), "x"],
        [one_line(other), "y"],
    ]


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed")
def test_latex_compiles(tmp_path: Path) -> None:
    odd = "\\`*_{}[]<>()#+-.!|~&$\"'^%,?: ;-- ,, ±×≤≥→−µ²…é"
    rows = tuple((f"[{i}] {odd}", Number(float(i), bold=True)) for i in range(40))
    prose = f"**{odd.replace('*', '')}**\n\n1. a\n2. `b_c`\n\n| l | m |\n| --: | --- |\n| 1 | 2 |\n"
    blocks = (
        *(Heading(odd), TABLE, Table(odd, (odd, "x"), rows, odd), Table("", (odd,) * 9, ())),
        *(Prose(prose), Items((odd, "[x]")), Code(f"  {odd}\n\n{odd}"), Paragraph(odd)),
        *(
            Link(odd, "http://127.0.0.1:5000/#/a_b/%41 c"),
            Figure(_picture(tmp_path / "d.png"), odd),
        ),
    )
    document = Document(odd, blocks, made=odd)
    (path,) = write_document(document, tmp_path, ("tex",))
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", path.name]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout[-2000:]
    assert (tmp_path / "report.pdf").stat().st_size > 10_000


class Page(HTMLParser):
    """What a page has: its tags, what they load and link to, and their texts."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.sources: list[str] = []
        self.links: list[str] = []
        self.ids: list[str] = []
        self.cells: list[str] = []
        self.strong: list[str] = []
        self.texts: dict[str, str] = {}
        self._open: list[str] = []

    @classmethod
    def of(cls, text: str) -> Page:
        page = cls()
        page.feed(text)
        page.close()
        return page

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        given_ = dict(attrs)
        if "src" in given_:
            self.sources.append(given_["src"] or "")
        if "href" in given_:
            self.links.append(given_["href"] or "")
        if "id" in given_:
            self.ids.append(given_["id"] or "")
        if tag in ("td", "th"):
            self.cells.append("")
        if tag == "strong":
            self.strong.append("")
        if tag not in ("meta", "img", "br"):
            self._open.append(tag)
        self.texts.setdefault(tag, "")

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if {"td", "th"} & set(self._open):
            self.cells[-1] += data
        if "strong" in self._open:
            self.strong[-1] += data
        if self._open:
            self.texts[self._open[-1]] += data


def _read_latex(text: str) -> str:
    """The text that LaTeX would set."""
    back = {escape: c for c, escape in _SPECIAL.items()} | {"{}": ""}
    longest = sorted(back, key=len, reverse=True)
    return re.sub("|".join(map(re.escape, longest)), lambda found: back[found.group()], text)


def _sound(text: str) -> bool:
    """Whether braces and environments are balanced, and nothing special stands bare."""
    bare = re.sub(r"\\[\\{}$&#%_^~]", "", text)
    depth = 0
    for c in bare:
        depth += {"{": 1, "}": -1}.get(c, 0)
        assert depth >= 0
    assert depth == 0
    stack: list[str] = []
    body = bare[bare.index("\\begin{document}") :]
    for kind, name in re.findall(r"\\(begin|end)\{(\w+)\}", body):
        if kind == "begin":
            stack.append(name)
        else:
            assert stack.pop() == name
    assert not stack
    assert not re.search(r"[$#^~\"]|(?<!\\)%", body)
    return True


def _picture(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(DOT)
    return path


def test_units_that_do_not_differ_have_no_interval_of_no_width() -> None:
    assert shown_cell(Difference(0, 0, 0)).text == "0.00 (same in all units)"
    same = Interval(0, 0, 0, 0.0, 6, 7)
    assert shown_cell(Difference.of(same, 1)).text == "0.0 (same in all 7 units)"
    assert shown_cell(Difference(0, -0.001, 0.001, digits=1)).text == "0.0 (0.0 to 0.0)"
    columns = gap_columns(same, 0.95, "difference")
    assert columns["difference"] == 0
    assert math.isnan(columns["95% low"]) and math.isnan(columns["95% high"])
