"""What is filled with an earlier result is, to a run, a build like any other."""

from __future__ import annotations

from pathlib import Path

import pytest

from segtrack.base.metrics import Metric, Report
from segtrack.base.saying import say
from segtrack.store import StageCall, Store
from tests.integration.quick import REMEMBERED

CALL = StageCall("train", 1, {"epochs": 2}, {})


@pytest.fixture(autouse=True)
def _remembers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(REMEMBERED, str(tmp_path / "remembered"))


def test_it_says_reports_and_leaves_the_same(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    built = []

    def build(folder: Path, report: Report) -> None:
        built.append(folder)
        say("epoch 1/1")
        say("warning: few images", error=True)
        report("loss", 0.5, 1)
        (folder / "weights").mkdir()
        (folder / "weights" / "best.pt").write_text("7")
        (folder / "link").symlink_to("weights/best.pt")

    left = []
    for name in ("one", "other"):
        told: list[Metric] = []
        result = Store(tmp_path / name).run(CALL, build, told.append)
        files = {p.relative_to(result.folder).as_posix() for p in result.folder.rglob("*")}
        link = (result.folder / "link").readlink(), (result.folder / "link").read_text()
        metrics = (result.folder / "metrics.jsonl").read_text()
        left.append((result.hit, told, files, link, metrics, capsys.readouterr()))
        assert Store(tmp_path / name).find(CALL)  # whole, by its digests
    assert left[0] == left[1] and len(built) == 1
    assert left[0][:2] == (False, [Metric("loss", 0.5, 1)])
    (tmp_path / "other" / "results" / "train" / CALL.key / "weights" / "best.pt").write_text("8")
    assert Store(tmp_path / "one").find(CALL)
    third = Store(tmp_path / "third").run(CALL, build)
    assert (third.folder / "link").read_text() == "7" and len(built) == 1


def test_what_leads_out_of_its_folder_or_fails_is_made_each_time(tmp_path: Path) -> None:
    built = []

    def build(folder: Path, report: Report) -> None:
        built.append(folder)
        (folder / "image").symlink_to(tmp_path / "mine.jpg")
        if len(built) < 2:
            raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        Store(tmp_path / "0").run(CALL, build)
    for name in "12":
        Store(tmp_path / name).run(CALL, build)
    assert len(built) == 3
