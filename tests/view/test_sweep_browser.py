"""The page of a sweep in a browser."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from segtrack import journal as journals
from segtrack.report import CLAIMS
from segtrack.settings import MlflowSettings
from segtrack.view import Library, start_view
from tests.browser import Person
from tests.journal.made import empty_mlflow
from tests.view import swept

SHIFT, UP, DOWN, ENTER, ESCAPE = "\ue008", "\ue013", "\ue015", "\ue007", "\ue00c"


class Reader(Person):
    """Someone in front of the page of a sweep. Places are px of the window."""

    def __init__(self, browser: Any, address: str) -> None:
        super().__init__(browser, 1, 1)
        self.address = address

    def on_screen(self, place: tuple[float, float]) -> tuple[float, float]:
        return place

    def see(self, sweep: str, cells: int) -> None:
        self.browser.get(f"{self.address}sweeps/{sweep}/")
        self.drawn(cells)

    def drawn(self, cells: int) -> None:
        self.wait(lambda: self.all(f"#sweep[data-drawn='{cells}']"))

    def rows(self) -> list[str]:
        """The settings that are shown, in order."""
        script = (
            "return [...document.querySelectorAll('#settings tr[data-setting]')]"
            ".filter((row) => row.offsetParent).map((row) => row.dataset.setting)"
        )
        return list(self.browser.execute_script(script))

    def lines(self) -> int:
        return len(self.all("#chart .line:not(.out)"))

    def axis(self, name: str, part: float) -> tuple[float, float]:
        """A place on an axis: 0 above, 1 below."""
        script = (
            "const b = document.querySelector(arguments[0]).getBoundingClientRect();"
            "return [b.left + b.width / 2, b.top + 12, b.height - 24]"
        )
        self.browser.execute_script("document.querySelector('#chart').scrollIntoView()")
        x, y, height = self.browser.execute_script(script, f"[data-axis='{name}']")
        return x, y + part * height

    def point(self, cell: str, axis: int) -> tuple[float, float]:
        """Where the line of a cell is in the middle between an axis and the next."""
        script = (
            "const p = document.querySelector(arguments[0]);"
            "const b = p.ownerSVGElement.getBoundingClientRect();"
            "const at = p.getAttribute('d').slice(1).split('L').map((w) => w.split(' '));"
            "const [x, y, u, v] = at.slice(arguments[1], arguments[1] + 2).flat().map(Number);"
            "return [b.left + (x + u) / 2, b.top + (y + v) / 2]"
        )
        x, y = self.browser.execute_script(script, f"[data-cell='{cell}']", axis)
        return x, y

    def window(self, width: int, height: int, mobile: bool = False) -> None:
        values = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": mobile}
        self.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", values)

    def picture(self, name: str) -> None:
        """For whoever wants to look: SEGTRACK_PICTURES names a folder."""
        if folder := os.environ.get("SEGTRACK_PICTURES"):
            self.browser.save_screenshot(f"{folder}/{name}.png")


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory, mlflow_template: Path) -> MlflowSettings:
    return empty_mlflow(tmp_path_factory.mktemp("sweeps"), mlflow_template)


@pytest.fixture(scope="module")
def whole(settings: MlflowSettings) -> str:
    """A sweep of 24 cells, 8 settings of 3 seeds, that has ended."""
    with journals.record(settings, "sweep track_thresh match_thresh seed", swept.tags()) as parent:
        parent.params({"cells": 24})
        swept.add(settings, parent, swept.grid())
        parent.text(swept.outcome().json(), CLAIMS)
    return parent.run_id


@pytest.fixture
def reader(browser: Any, settings: MlflowSettings, tmp_path: Path) -> Iterator[Reader]:
    """Whose console stays silent."""
    library = Library(settings, [], tmp_path)
    with start_view(library) as view:
        found = Reader(browser, view.address)
        yield found
        assert found.errors() == []
        browser.get("about:blank")
    library.close()


def test_groups_intervals_and_order(reader: Reader, whole: str) -> None:
    reader.see(whole, 24)
    assert reader.one("#status").text == "finished · 24 of 24 cells finished"
    assert len(reader.all("#chart .axis")) == 5 and reader.lines() == 24
    order = [f"track_thresh={t} match_thresh={m}" for t in ("0.4", "0.5") for m in ("0.8", "0.7")]
    claim = swept.outcome()
    like = [n for n, one in claim.settings.items() if one["HOTA"].place != "below it"]
    assert order[0] == claim.claims["HOTA"].setting and 1 < len(like) < 8
    shown = reader.rows()
    assert shown[0] == order[0] and sorted(shown[: len(like)]) == sorted(like)
    title = reader.one("#settings tbody.like .group").text
    others = f"{len(like) - 1} other{'' if len(like) == 2 else 's'}"
    assert title == f"Best: {order[0]}, and {others} that cannot be told from it"
    assert claim.claims["HOTA"].sentence in reader.one("#claims").text
    first = reader.one("#settings tr[data-setting]").text
    assert "57.40 ± 0.30" in first  # .55 + .02 + .004, and seeds .3 points apart
    assert len(reader.all("#settings .interval")) == 7
    heads = reader.texts("#settings thead button")
    assert heads.index("HOTA difference to the reference") == heads.index("track/hota") + 1
    assert len(reader.all("#settings .reference")) == 1
    reader.picture("sweep")
    reader.one("#grouped").click()
    assert reader.all("#settings .group") == []
    # By keys: the column of match_thresh, and once more for the other way round.
    reader.browser.execute_script(
        "document.querySelector(`[data-key='sort tracker.match_thresh']`).focus()"
    )
    reader.press(ENTER)
    assert [row[-3:] for row in reader.rows()] == ["0.7"] * 4 + ["0.8"] * 4
    reader.press(ENTER)
    assert [row[-3:] for row in reader.rows()] == ["0.8"] * 4 + ["0.7"] * 4
    head = reader.one("#settings th[aria-sort]")
    assert head.get_attribute("aria-sort") == "descending" and "match_thresh" in head.text


def test_brushes_filter_together(reader: Reader, whole: str) -> None:
    reader.see(whole, 24)
    thresh, hota = swept.THRESH, "track/hota"
    reader.drag(reader.axis(thresh, -0.02), reader.axis(thresh, 0.45))  # .6 and .5
    assert reader.lines() == 12 and len(reader.rows()) == 4
    assert reader.one("#shown").text == "12 of 24 cells, of 4 of 8 settings"
    reader.drag(reader.axis(swept.MATCH, -0.02), reader.axis(swept.MATCH, 0.4), "touch")
    assert sorted(reader.rows()) == [
        f"track_thresh={t} match_thresh=0.8" for t in ("0.5", "0.6")
    ]  # fmt: skip
    reader.drag(reader.axis(hota, -0.02), reader.axis(hota, 0.12))
    assert reader.rows() == ["track_thresh=0.5 match_thresh=0.8"]
    assert reader.lines() == 3
    reader.picture("brushed")
    reader.click(reader.axis(hota, 0.5))  # one goes by a click
    assert reader.lines() == 6
    reader.press(ESCAPE)  # all
    assert reader.lines() == 24 and not reader.one("#clear").is_displayed()
    reader.browser.execute_script(f"document.querySelector(`[data-axis='{thresh}']`).focus()")
    reader.press(*[UP] * 7)  # 7 of 20 steps from below: .3 is out, and .4 at a third
    assert {row[13:16] for row in reader.rows()} == {"0.5", "0.6"}
    reader.one("#clear").click()
    assert len(reader.rows()) == 8


def test_a_line_and_its_row(reader: Reader, whole: str) -> None:
    reader.see(whole, 24)
    reader.browser.execute_script("document.querySelector('#chart').scrollIntoView()")
    reader.one("#settings .more").click()
    best = reader.one("#settings tr.cell a")
    assert best.text == "seed=0"
    cell = reader.one("#settings tr.cell").get_attribute("data-cells")
    # Over a row its lines are lit, over a line its row.
    reader.browser.execute_script("arguments[0].focus({preventScroll: true})", best)
    assert [one.get_attribute("data-cell") for one in reader.all(".line.lit")] == [cell]
    assert reader.one("#lit").text.startswith("track_thresh=0.4 match_thresh=0.8 · seed=0 · fin")
    reader.browser.execute_script("document.querySelector('.lines').focus()")
    reader.press(DOWN, DOWN, DOWN)  # the third best
    third = reader.one(".line.lit").get_attribute("data-cell")
    assert reader.all(f"#settings tr.lit[data-cells*='{third}']")
    reader.browser.execute_script("document.querySelector('#chart').scrollIntoView()")
    place = reader.point(third, 3)
    reader.click(place)
    reader.wait(lambda: f"runs/{third}/" in reader.browser.current_url)
    assert "in MLflow" in reader.one("header").text
    reader.browser.back()
    reader.drawn(24)


def test_it_is_live(reader: Reader, settings: MlflowSettings) -> None:
    cells = swept.grid()
    with journals.record(settings, "sweep live", swept.tags()) as parent:
        parent.params({"cells": 24})
        reader.see(parent.run_id, 0)
        assert reader.one("#status").text == "running · 0 of 24 cells finished"
        assert reader.one("#none").is_displayed()
        swept.add(settings, parent, cells[:6])
        params = dict(zip((swept.THRESH, swept.MATCH, "seed"), cells[6], strict=True))
        swept.cell(settings, parent.run_id, params, {}, "no space left")
        reader.drawn(7)
        assert reader.one("#status").text == "running · 6 of 24 cells finished · 1 failed"
        assert not reader.one("#claims").is_displayed()
        reader.drag(reader.axis(swept.THRESH, -0.02), reader.axis(swept.THRESH, 0.3))
        assert reader.lines() == 1 and len(reader.rows()) == 1
        more = "open track_thresh=0.4 match_thresh=0.7"
        reader.browser.execute_script(f"document.querySelector(`[data-key='{more}']`).focus()")
        swept.add(settings, parent, cells[7:])
        parent.text(swept.outcome().json(), CLAIMS)
        reader.drawn(24)
        reader.picture("live")
        # The brush stands: what is above .37 or so; whoever was at the row is there still.
        assert {row[13:16] for row in reader.rows()} == {"0.4", "0.5", "0.6"}
        focus = "return document.activeElement.dataset.key"
        assert reader.browser.execute_script(focus) == more
    said = "finished · 23 of 24 cells finished · 1 failed"
    reader.wait(lambda: reader.one("#status").text == said)
    assert reader.one("#claims").is_displayed() and reader.all("#settings .interval")
    assert {row[13:16] for row in reader.rows()} == {"0.4", "0.5", "0.6"}


def test_on_a_phone_in_the_dark(reader: Reader, whole: str) -> None:
    media = {"features": [{"name": "prefers-color-scheme", "value": "dark"}]}
    reader.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
    reader.window(390, 844, mobile=True)
    try:
        reader.see(whole, 24)
        wide = "return document.documentElement.scrollWidth"
        assert reader.browser.execute_script(wide) == 390
        ground = "return getComputedStyle(document.body).backgroundColor"
        assert reader.browser.execute_script(ground) == "rgb(21, 24, 28)"
        reader.drag(reader.axis(swept.THRESH, -0.02), reader.axis(swept.THRESH, 0.45), "touch")
        assert len(reader.rows()) == 4
        reader.picture("phone")
        reader.window(1280, 900)
        reader.browser.execute_script("window.scrollTo(0, 0)")
        reader.picture("dark")
    finally:
        reader.browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
        reader.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def test_scores_that_tell_nothing_are_not_chosen(reader: Reader, settings: MlflowSettings) -> None:
    """Cells that share a training differ in what follows; long names stay apart."""
    with journals.record(settings, "sweep shared", swept.tags()) as parent:
        parent.params({"cells": 2})
        for thresh, hota in (("0.3", 0.5), ("0.4", 0.6)):
            scores = {"val/best/mask_map50_95": 0.45, "val/best/box_map50_95": 0.5}
            params = {swept.THRESH: thresh, swept.MATCH: "0.7", "seed": "0"}
            swept.cell(settings, parent.run_id, params, {**scores, "track/hota": hota})
    reader.see(parent.run_id, 2)
    assert reader.one("#score").get_attribute("value") == "track/hota"
    boxes = (
        "return [...document.querySelectorAll('#chart .axis .name')].map("
        "(n) => n.getBoundingClientRect()).map((b) => [b.left, b.right])"
    )
    for width in (1280, 900, 600):
        reader.window(width, 900)
        places = reader.browser.execute_script(boxes)
        assert len(places) == 4
        gaps = [b[0] - a[1] for a, b in pairwise(places)]
        assert min(gaps) > 3, (width, places)
    reader.window(1280, 900)
