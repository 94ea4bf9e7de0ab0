"""``segtrack labellerr ...``: what it takes, what it refuses, what it shows."""

from __future__ import annotations

from pathlib import Path

import pytest

from labellerr_loopback import keep_up
from segtrack.command.app import main
from segtrack.command.subcommands import SUBCOMMANDS
from tests.annotation.labellerr.conftest import adapter, jpeg, make_project


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SEGTRACK_STORE", raising=False)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["dwn"], "labellerr: argument up|status|open|annotate: invalid choice: 'dwn'"),
        (["status", "--port", "1"], "--port only goes with up"),
        (["open", "--as-of", "2026-06"], "--as-of only goes with up"),
        (["up", "--port", "70000"], "--port 70000 is no port; give one of 1 to 65535, or 0 for"),
        (["up", "--port", "-1"], "--port -1 is no port"),
        (["up", "street"], "takes no project, it serves all"),
        (["up", "--as-of", "2024-01"], "--as-of 2024-01: must be one of 2025-11, 2026-06"),
        (["up", "labellerr=cloud"], "only a platform of this machine's own can be kept up"),
        (["up", "labellerr.url=http://127.0.0.1:9"], "labellerr.url=http://127.0.0.1:9: only a"),
        (["status", "stor=x"], "stor=x: no such setting; did you mean store?"),
        (["open"], "the platform is not up"),
        (["status", "nope"], "account, by id or name; it has none yet"),
        (["annotate"], "the platform has no project yet"),
    ],
)
def test_what_cannot_be_done_is_said(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["labellerr", *words]) == 2
    assert said in capsys.readouterr().err


def test_the_word_is_known(capsys: pytest.CaptureFixture[str]) -> None:
    assert "labellerr" in SUBCOMMANDS
    with pytest.raises(SystemExit) as end:
        main(["labellerr", "--help"])
    assert end.value.code == 0
    out = capsys.readouterr().out
    for word in ("up", "status", "open", "annotate"):
        assert f"segtrack labellerr {word}" in out


def test_status_open_and_a_second_up(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["labellerr", "status"]) == 0
    assert "not up: segtrack labellerr up\nno project yet" in capsys.readouterr().out
    folder = tmp_path / ".segtrack" / "labellerr" / "emulator"
    with keep_up(folder) as up:
        http = adapter("http", up.url)
        (tmp_path / "a.jpg").write_bytes(jpeg())
        project = make_project(http, [tmp_path / "a.jpg"], tmp_path / "ledger")
        name = http.project(project).name
        http.set_status(project, [f.file_id for f in http.project_files(project)], "skipped")
        assert main(["labellerr", "status"]) == 0
        out = capsys.readouterr().out
        assert f"up at {up.url}" in out
        assert out.splitlines()[-1].split() == [name, project, "1", "0", "1", "skipped"]
        for wanted in (project, name):
            assert main(["labellerr", "open", wanted, "--print"]) == 0
            assert capsys.readouterr().out == f"{up.page(project)}\n"
        assert main(["labellerr", "up"]) == 0  # no second one: it says where the first is
        assert f"is up already at {up.url}" in capsys.readouterr().out
    assert main(["labellerr", "status"]) == 0  # what it holds is seen without it, too
    out = capsys.readouterr().out
    assert "not up" in out and project in out


def test_labels_of_classes_that_nobody_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The simulated annotator has no question for them; the message says which to choose."""
    folder = tmp_path / "truth"
    for part in ("images", "labels"):
        (folder / part).mkdir(parents=True)
    (folder / "images" / "a.jpg").write_bytes(jpeg())
    ring = ".1 .1 .9 .1 .9 .9 .1 .9"
    (folder / "labels" / "a.txt").write_text(f"0 {ring}\n1 {ring}\n")
    (folder / "data.yaml").write_text("train: images\nnames: [car, tram]\n")
    with keep_up(tmp_path / ".segtrack" / "labellerr" / "emulator") as up:
        http = adapter("http", up.url)
        project = make_project(http, [folder / "images" / "a.jpg"], tmp_path / "ledger")
        words = ["labellerr", "annotate", project, "dataset=yolo", f"dataset.path={folder}"]
        assert main(words) == 2
        said = capsys.readouterr().err
        assert "'tram' is no question. The template asks for 'car', 'bus'" in said
        assert "Its classes alone: 'dataset.classes=[car,bus]'" in said
        assert main([*words, "dataset.classes=[car]"]) == 0
        assert f"1 image of {http.project(project).name}" in capsys.readouterr().out
        (file,) = http.project_files(project)
        assert file.status == "accepted"
