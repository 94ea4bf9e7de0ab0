"""The listing of the store."""

from pathlib import Path

import pytest

from segtrack.command.app import main
from segtrack.store.store import StageCall, Store


def ask(root: Path, *words: str) -> int:
    return main(["store", "--root", str(root), *words])


def test_results_are_listed_in_the_order_of_the_stages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    store = Store(tmp_path)
    for name in ("associate", "forgotten", "train", "evaluate", "prepare"):
        store.run(StageCall(name, 1, {}, {}), lambda folder, report: None)
    assert ask(tmp_path, "ls") == 0
    lines = capsys.readouterr().out.splitlines()
    listed = [line.split()[0] for line in lines[:-1]]
    assert listed == ["prepare", "train", "evaluate", "associate", "forgotten"]
    assert lines[-1].endswith(f"MB in {tmp_path}")


def test_a_store_that_is_not_there_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ask(tmp_path / "none", "ls") == 2
    assert f"--root {tmp_path / 'none'}: no such folder" in capsys.readouterr().err


@pytest.mark.parametrize(("root", "told"), [("s3://", "no bucket"), ("s3:/b", "two slashes")])
def test_an_address_that_is_none_is_said(
    root: str, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["store", "verify", "--root", root]) == 2
    assert told in capsys.readouterr().err


@pytest.mark.parametrize("command", ["ls", "verify"])
def test_where_nothing_is_nothing_is_whole(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ask(tmp_path, command) == 0
    assert capsys.readouterr().out == f"no results in {tmp_path}\n"


def test_what_is_damaged_is_named_with_its_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    call = StageCall("score", 1, {}, {})
    made = Store(tmp_path).run(call, lambda folder, _: (folder / "scores.json").write_bytes(b"{}"))
    assert ask(tmp_path, "verify") == 0
    assert capsys.readouterr().out == f"all 1 results are whole in {tmp_path}\n"
    (made.folder / "scores.json").write_text("[]")
    assert ask(tmp_path, "verify") == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines == [
        f"score      {call.key}  scores.json is damaged (its digest is another)",
        f"1 damaged in {tmp_path}; the command that needs one makes it anew",
    ]


@pytest.mark.parametrize("days", ["-1", "abc", "nan", "inf", ""])
def test_days_are_a_number_from_0_on(
    days: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ask(tmp_path, "gc", f"--days={days}") == 2
    assert f"argument --days: {days!r} is no number of days" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["ls", "verify", "gc"])
def test_an_odd_store_is_no_traceback(
    command: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "results" / "train").mkdir(parents=True)
    for odd in ("file", "train/file"):
        (tmp_path / "results" / odd).touch()
    (tmp_path / "results" / "train" / "loop").symlink_to("loop")
    assert ask(tmp_path, command) == (command == "verify")
    out, err = capsys.readouterr()
    assert err == "" and ("2 damaged" in out) == (command == "verify")

    def refuse(self: Path) -> None:
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "iterdir", refuse)
    assert ask(tmp_path, command) == 2
    told = f"error: cannot read or write {tmp_path / 'results'}: Permission denied\n"
    assert capsys.readouterr().err == told
