"""The wheel, installed beside the environment, does what a checkout does."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.integration.conftest import ROOT, TINY


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that the wheel is installed in, without what it depends on."""
    work = tmp_path_factory.mktemp("wheel")
    source = work / "source"
    source.mkdir()
    for name in ("src", "conf"):
        shutil.copytree(
            ROOT / name, source / name, ignore=shutil.ignore_patterns("*.egg-info", "__pycache__")
        )
    for name in ("pyproject.toml", "setup.py", "MANIFEST.in", "README.md", "LICENSE"):
        shutil.copy2(ROOT / name, source / name)
    (source / "conf" / "local").mkdir(exist_ok=True)
    (source / "conf" / "local" / "default.yaml").write_text("seed: 99\n")  # a developer's own
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    wheels = work / "wheels"
    _done(
        [*pip, "wheel", "--no-deps", "--no-build-isolation", "-w", str(wheels), str(source)], work
    )
    (wheel,) = wheels.glob("segtrack-*.whl")
    _done([*pip, "install", "--no-deps", "--target", str(work / "site"), str(wheel)], work)
    _compiled(ROOT / "src", work / "site")
    return work / "site"


def _compiled(source: Path, site: Path) -> None:
    """Loops that numba has compiled out of the same text, and that it knows by a file's time."""
    for path in source.rglob("__pycache__/*.nb[ic]"):
        name = path.relative_to(source).parent.parent / f"{path.name.partition('.')[0]}.py"
        if not (site / name).is_file():
            continue
        stat = (source / name).stat()
        os.utime(site / name, ns=(stat.st_atime_ns, stat.st_mtime_ns))
        shutil.copy2(path, site / path.relative_to(source))


def test_what_it_holds(site: Path) -> None:
    package = site / "segtrack"
    conf = {p.relative_to(ROOT / "conf") for p in (ROOT / "conf").rglob("*.yaml")}
    conf = {p for p in conf if p.parts[0] != "local"}
    assert len(conf) >= 10
    assert {p.relative_to(package / "conf") for p in (package / "conf").rglob("*.yaml")} == conf
    for name in ("segtrack", "trafficsim", "labellerr_loopback"):
        assert (site / name / "py.typed").is_file()
    source = ROOT / "src" / "segtrack"
    for pattern in ("*.pyi", "*.pt", "*.json", "*.html"):
        there = {p.relative_to(package) for p in package.rglob(pattern)}
        assert there == {p.relative_to(source) for p in source.rglob(pattern)} != set()


def test_the_command_from_an_empty_folder(site: Path, tmp_path: Path) -> None:
    folder = tmp_path / "a new folder"
    folder.mkdir()
    command = str(site / "bin" / "segtrack")
    shown = _run([sys.executable, command, "--cfg", "job"], site, folder)
    assert "track_thresh: 0.5" in shown and "seed: 0" in shown
    assert _run([sys.executable, "-m", "segtrack", "--cfg", "job"], site, folder) == shown
    number = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert number in _run([sys.executable, command, "--version"], site, folder).split()
    assert list(folder.iterdir()) == []  # looking leaves nothing
    out = _run([sys.executable, command, "stages=[prepare,train,evaluate]", *TINY], site, folder)
    assert "test/mask_map50_95" in out
    made = {p.name for p in folder.iterdir()}
    assert made == {".segtrack", "mlruns", "outputs"}


def _run(command: list[str], site: Path, folder: Path) -> str:
    """What a command prints whose segtrack is the installed one."""
    environment = {**os.environ, "PYTHONPATH": str(site)}
    code = "import segtrack; print(segtrack.__file__)"
    where = _done([sys.executable, "-c", code], folder, environment)
    assert Path(where.strip()).is_relative_to(site)
    return _done(command, folder, environment)


def _done(command: list[str], folder: Path, environment: dict[str, str] | None = None) -> str:
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=280
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout
