"""What a shell completes, asked of segtrack and, for bash, through bash itself."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from segtrack.command.app import main
from segtrack.command.completion import CHOICES, candidates
from segtrack.command.subcommands import words_there


@pytest.mark.parametrize(
    ("typed", "there", "not_there"),
    [
        (["sto"], ["store"], ["score"]),
        (["tr"], ["trainer=", "trainer.", "tracker="], ["train"]),
        (["run", "trainer="], ["trainer=quick", "trainer=standard"], ["trainer=base"]),
        (["run", "trainer=smoke", "trainer.ep"], ["trainer.epochs="], ["trainer.imgsz="]),
        (["tracker=bytetrack", "tracker.mat"], ["tracker.match_thresh="], []),
        (["export", "export.for"], ["export.format="], ["compare"]),
        (["store", ""], ["ls", "verify", "gc"], ["trainer="]),
        (["store", "v"], ["verify"], ["ls"]),
        (["labellerr", "st"], ["status"], ["stages="]),
        (["labellerr", "status", "labellerr=cl"], ["labellerr=cloud"], []),
        (["completion", ""], list(CHOICES), []),
        (["hydra.jo"], ["hydra.job.", "hydra.job_logging."], []),
        (["seed=1", "no_such_thing"], [], ["seed="]),
        (["store", "ls", ""], [], ["ls", "seed="]),
    ],
)
def test_candidates(typed: list[str], there: list[str], not_there: list[str]) -> None:
    found = candidates(typed)
    assert set(there) <= set(found), found
    assert not set(not_there) & set(found)
    assert all(one.startswith(typed[-1]) for one in found)


def test_nothing_typed_offers_every_word_and_group() -> None:
    found = candidates([""])
    assert {*words_there(), "trainer=", "seed="} <= set(found)
    assert not any(one.startswith("hydra") for one in found)


def test_another_shell_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", "tcsh"]) == 2
    assert "completion: tcsh: must be one of bash, zsh, fish" in capsys.readouterr().err


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which ``segtrack`` is this checkout's."""
    folder = tmp_path_factory.mktemp("bin")
    file = folder / "segtrack"
    file.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m segtrack "$@"\n')
    file.chmod(0o755)
    return folder


def script(shell: str, capsys: pytest.CaptureFixture[str]) -> str:
    assert main(["completion", shell]) == 0
    return capsys.readouterr().out


def asked(shell: list[str], code: str, program: Path) -> list[str]:
    path = f"{program}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        [*shell, code],
        env={**os.environ, "PATH": path, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0 and done.stderr == "", done.stderr
    return done.stdout.splitlines()


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash")
def test_bash(program: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As bash calls it: = ends a word there, so that what stands before it is not repeated."""
    code = (
        script("bash", capsys)
        + """
    complete -p segtrack | grep -q -- '-F _segtrack segtrack' || exit 1
    ask() {
        COMP_LINE="$1" COMP_POINT=${#1} COMPREPLY=()
        _segtrack
        printf '%s|' "${COMPREPLY[@]}"; echo
    }
    ask "segtrack stor"
    ask "segtrack run trainer=st"
    ask "segtrack run seed=1 trainer.epo"
    ask "segtrack store "
    """
    )
    one, two, three, four = asked(["bash", "--norc", "-c"], code, program)
    assert one == "store |"  # the only one: then comes the next word
    assert two == "standard |"
    assert three == "trainer.epochs=|"
    assert four == "ls|verify|gc|push|"


@pytest.mark.skipif(shutil.which("zsh") is None, reason="no zsh")
def test_zsh(program: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = "compdef() { : }; compadd() { print -l -- ${@[4,-1]} }\n" + script("zsh", capsys)
    code += "words=(segtrack run trainer=st); CURRENT=3; _segtrack\n"
    assert asked(["zsh", "-f", "-c"], code, program) == ["trainer=standard"]


@pytest.mark.skipif(shutil.which("fish") is None, reason="no fish")
def test_fish(program: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = script("fish", capsys) + "\ncomplete -C 'segtrack run trainer=st'"
    assert "trainer=standard" in asked(["fish", "-N", "-c"], code, program)
