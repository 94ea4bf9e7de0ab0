"""All runs, and one that goes on, in a browser: what a person finds, ticks and sees arrive."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from segtrack import journal as journals
from segtrack.base.metrics import Metric
from segtrack.settings import MlflowSettings
from segtrack.view import Library, start_view
from segtrack.view import library as libraries
from tests.browser import Person
from tests.journal.made import MadeRun, empty_mlflow, fill
from tests.view.conftest import as_b
from tests.view.made import write_run

SWEPT = {journals.SWEEP_KEYS: "[]"}
ENTER = "\ue007"
PLACE = "/home/" + "a" * 150


@dataclass(frozen=True)
class Place:
    """Runs A and B tracked in the same video; 60 others did not."""

    settings: MlflowSettings
    address: str
    folder: Path


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, mlflow_template: Path) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("all")
    settings = empty_mlflow(folder, mlflow_template)
    fill(
        settings,
        [
            *(MadeRun(f"old {n}", n, tags={"stage.prepare": "reused 1"}) for n in range(60)),
            MadeRun("over seeds", 80, tags=SWEPT, params={"cells": "3"}),
            MadeRun("too large", 90, "FAILED", {"error": f"{PLACE}: not enough memory"}),
        ],
    )
    for name, change, hota in (("A", None, 0.61), ("B", as_b, 0.58)):
        made = write_run(folder / name, change)
        tags = {"stage.associate": "reused 1", "videos": "1", "command": f"segtrack seed={name}"}
        with journals.record(settings, f"run {name}", tags) as journal:
            journal.artifact(made / "tracking", "tracking")
            journal.artifact(made / "tracking.json")
            journal.metric(Metric("track/hota", hota, 0))
            journal.metric(Metric("test/mask_map50_95", hota / 2, 0))
    library = Library(settings, [], folder / "scratch")
    with start_view(library) as view:
        yield Place(settings, view.address, folder)
    library.close()


class Visitor(Person):
    def __init__(self, browser: Any) -> None:
        super().__init__(browser, 1, 1)

    def window(self, width: int, height: int, mobile: bool = False) -> None:
        values = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": mobile}
        self.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", values)

    def dark(self, on: bool) -> None:
        value = "dark" if on else "light"
        features = [{"name": "prefers-color-scheme", "value": value}]
        self.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})

    def away(self) -> None:
        """The pointer, from whatever it is on."""
        self._chain().move_to_element(self.one("h1")).perform()

    def wide(self) -> bool:
        """Whether the page is wider than the window."""
        script = "return document.documentElement.scrollWidth > innerWidth"
        return bool(self.browser.execute_script(script))

    def link(self, text: str) -> Any:
        (found,) = [one for one in self.all("a") if one.text == text]
        return found


@pytest.fixture
def visitor(browser: Any, place: Place) -> Iterator[Visitor]:
    """Whose console stays silent."""
    found = Visitor(browser)
    browser.get(place.address)
    yield found
    assert found.errors() == []
    found.dark(False)
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    browser.get("about:blank")


def names(visitor: Visitor) -> list[str]:
    return visitor.texts(".runs th[scope=row]")


class TestAllRuns:
    def test_search_and_open(self, visitor: Visitor) -> None:
        assert names(visitor)[:4] == ["run B", "run A", "too large", "over seeds"]
        visitor.one("[name=text]").send_keys("SEED=a", ENTER)
        visitor.wait(lambda: names(visitor) == ["run A"])
        visitor.link("run A").click()
        visitor.wait(lambda: visitor.texts(".grid .name") == ["clip"])
        visitor.browser.back()
        visitor.link("All").click()
        visitor.wait(lambda: len(names(visitor)) == 50)

    def test_further_pages_and_another_order(self, visitor: Visitor) -> None:
        visitor.link("Older").click()
        visitor.wait(lambda: names(visitor)[-1] == "old 0")
        visitor.link("Newest").click()
        visitor.wait(lambda: names(visitor)[0] == "run B")
        visitor.one(".runs th.figure a").click()
        visitor.wait(lambda: names(visitor) == ["run A", "run B"])

    def test_an_error_without_spaces_hides_no_score(self, visitor: Visitor, place: Place) -> None:
        visitor.window(900, 800)
        visitor.browser.get(f"{place.address}?text=large")
        assert names(visitor) == ["too large"]
        hidden = "const l = document.getElementById('list'); return l.scrollWidth - l.clientWidth"
        assert visitor.browser.execute_script(hidden) == 0

    def test_by_state(self, visitor: Visitor) -> None:
        (one,) = [o for o in visitor.all("[name=status] option") if o.text == "failed"]
        one.click()
        visitor.wait(lambda: names(visitor) == ["too large"])

    def test_two_that_are_ticked(self, visitor: Visitor) -> None:
        boxes = visitor.all(".tick input")
        assert len(boxes) == 2 and not visitor.one("#both").is_displayed()
        boxes[0].click()
        assert "tick another" in visitor.one("#both").text
        boxes[1].click()
        assert "run B and run A" in visitor.one("#both").text
        visitor.link("Beside each other").click()
        visitor.wait(lambda: "/compare/" in visitor.browser.current_url)
        assert [one.text for one in visitor.all("h1 a")] == ["run B", "run A"]
        assert visitor.texts(".grid .name") == ["clip"]

    def test_one_that_begins_appears(self, visitor: Visitor, place: Place) -> None:
        visitor.all(".tick input")[1].click()
        visitor.away()
        with journals.record(place.settings, "just now", {}):
            visitor.wait(lambda: names(visitor)[0] == "just now")
            assert visitor.texts(".runs tr:nth-child(1) .state") == ["running"]
            box = visitor.one(".runs tr:nth-child(3) .tick input")
            assert box.is_selected() and box == visitor.browser.switch_to.active_element
        visitor.wait(lambda: visitor.texts(".runs tr:nth-child(1) .state") == ["finished"])
        visitor.one("#both button").click()
        assert not visitor.one("#both").is_displayed()

    @pytest.mark.parametrize("dark", [False, True])
    def test_on_a_phone(self, visitor: Visitor, dark: bool) -> None:
        visitor.window(390, 800, mobile=True)
        visitor.dark(dark)
        assert not visitor.wide() and visitor.link("run A").is_displayed()


@contextlib.contextmanager
def going(place: Place, **tags: str) -> Iterator[tuple[journals.Journal, Path]]:
    """A run that goes on, and its log."""
    output = place.folder / f"outputs {time.time()}"
    output.mkdir()
    with journals.record(place.settings, "a run", {"output": str(output), **tags}) as journal:
        journal.params({"stages": ["prepare", "train", "track"]})
        yield journal, output / "segtrack.log"


def said(log: Path, *lines: str) -> None:
    with log.open("a") as file:
        file.writelines(f"2026-11-29 10:00:00 {line}\n" for line in lines)


def epoch(journal: journals.Journal, number: int) -> None:
    for name in ("train/box_loss", "val/box_loss", "val/mask_map50", "val/mask_map50_95"):
        journal.metric(Metric(name, 1 / (1 + number), number))
    journal.flush()


class TestOneThatGoesOn:
    def test_from_its_begin_to_its_results(
        self, visitor: Visitor, place: Place, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(libraries, "_AGAIN", 0.2)
        with going(place) as (journal, log):
            said(log, "run a run (1)", "prepare    built in 2.0 s")
            visitor.browser.get(f"{place.address}runs/{journal.run_id}/")
            visitor.wait(lambda: visitor.texts("#stages .now b") == ["prepare"])
            assert "prepare    built" in visitor.one("#log pre").text
            assert not visitor.one("#curves").is_displayed()
            journal.tags({"stage.prepare": "built in 2.0 s 12"})
            for number in (1, 2, 3):
                epoch(journal, number)
            said(log, "epoch 3/9  loss box 0.25, 40 s left")
            visitor.wait(lambda: visitor.texts("#stages .now b") == ["train"])
            visitor.wait(lambda: "40 s left" in visitor.one("#said").text)
            visitor.wait(lambda: len(visitor.all(".charts polyline")) == 4)
            assert visitor.texts("#stages .done span") == ["built in 2.0 s"]
            points = visitor.one(".charts polyline").get_attribute("points").split()
            assert len(points) == 3 and visitor.texts(".charts .note") == ["epoch 3", "epoch 3"]
            epoch(journal, 4)
            visitor.wait(lambda: visitor.texts(".charts .note")[0] == "epoch 4")
            assert visitor.texts(".charts figcaption")[0].split("\n")[1] == "train 0.2"
            made = place.folder / "A"
            journal.artifact(made / "tracking", "tracking")
            journal.artifact(made / "tracking.json")
            journal.metric(Metric("track/hota", 0.5, 0))
            assert visitor.one("#state").text == "running"
        visitor.wait(lambda: visitor.texts(".grid .name") == ["clip"])
        assert visitor.one("#state").text == "finished"
        assert visitor.texts(".scores dd") == ["50.0", "20.0"]
        visitor.wait(lambda: visitor.all("#live[data-ready]"))
        assert set(visitor.texts("#stages span")) == {"built in 2.0 s", "done"}
        assert not visitor.one("#log pre").is_displayed()
        for name in ("#log", "#curves"):
            visitor.one(f"{name} summary").click()
        assert "epoch 3/9" in visitor.one("#log pre").text
        visitor.wait(lambda: len(visitor.all(".charts polyline")) == 4)

    def test_one_that_fails(
        self, visitor: Visitor, place: Place, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(libraries, "_AGAIN", 0.2)
        with contextlib.suppress(RuntimeError), going(place) as (journal, log):
            visitor.browser.get(f"{place.address}runs/{journal.run_id}/")
            visitor.wait(lambda: visitor.texts("#stages .now b") == ["prepare"])
            said(log, "prepare    reading 9 images", "error: it broke")
            raise RuntimeError("it broke")
        visitor.wait(lambda: visitor.texts(".ending") == ["It failed: RuntimeError: it broke"])
        visitor.wait(lambda: visitor.texts("#stages .stopped b") == ["prepare"])
        visitor.wait(lambda: visitor.all("#live[data-ready]"))
        assert visitor.one("#said").text == "Said last: prepare reading 9 images"
        assert visitor.texts("#stages .ahead span") == ["not begun"] * 2

    @pytest.mark.parametrize("dark", [False, True])
    def test_on_a_phone(self, visitor: Visitor, place: Place, dark: bool) -> None:
        visitor.window(390, 800, mobile=True)
        visitor.dark(dark)
        with going(place) as (journal, log):
            said(log, *(f"detect a_long_name_of_a_video {n} of 99 frames" for n in range(90)))
            for number in range(1, 40):
                epoch(journal, number)
            visitor.browser.get(f"{place.address}runs/{journal.run_id}/")
            visitor.wait(lambda: len(visitor.all(".charts polyline")) == 4)
            assert not visitor.wide()
            bottom = "const p = document.querySelector('pre');"
            bottom += "return p.scrollHeight - p.scrollTop - p.clientHeight"
            assert visitor.browser.execute_script(bottom) < 4
