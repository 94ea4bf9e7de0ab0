"""What pyproject.toml says of the package is true."""

import ast
import re
import sys
import tomllib
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
OWN = {"segtrack", "trafficsim", "labellerr_loopback"}
# What runs without: the package that is imported, the extra and the distribution that it is in.
OPTIONAL = {
    "boto3": ("s3", "boto3"),
    "botocore": ("s3", "botocore"),
    "grimp": ("dev", "grimp"),
    "nncf": ("int8", "nncf"),
    "onnx": ("onnx", "onnx"),
    "onnxruntime": ("onnx", "onnxruntime"),
    "optuna": ("optuna", "optuna"),
    "pytorch_lightning": ("rfdetr", "pytorch-lightning"),
    "ray": ("scale", "ray"),
    "rfdetr": ("rfdetr", "rfdetr"),
    "supervision": ("dev", "supervision"),
}


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    content: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return content


@cache
def _imported() -> dict[str, str]:
    """Every package of other people that the source imports, with a file that does."""
    found: dict[str, str] = {}
    for path in sorted((ROOT / "src").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            names: list[str] = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                names = [node.module]
            for name in names:
                found.setdefault(name.partition(".")[0], path.relative_to(ROOT).as_posix())
    return {k: v for k, v in found.items() if k not in OWN | set(sys.stdlib_module_names)}


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _declared(rows: list[str]) -> set[str]:
    return {_normal(match.group()) for row in rows if (match := re.match(r"[\w.-]+", row))}


def test_every_imported_package_is_declared(project: dict[str, Any]) -> None:
    declared, homes = _declared(project["dependencies"]), packages_distributions()
    extras = project["optional-dependencies"]
    imported = _imported()
    assert {"torch", "yaml", "PIL", "scipy", "urllib3"} <= set(imported)  # the search finds them
    for package, path in imported.items():
        distributions = {_normal(name) for name in homes.get(package, [])}
        if package == "cv2":  # either build of OpenCV serves; one of them is what is asked for
            distributions.add("opencv-python")
        wanted = declared
        if package in OPTIONAL:  # which need not be installed
            extra, distribution = OPTIONAL[package]
            wanted, distributions = _declared(extras[extra]), {distribution}
        assert distributions & wanted, f"{path} imports {package}, which pyproject.toml lacks"


def test_every_declared_package_is_used(project: dict[str, Any]) -> None:
    homes = packages_distributions()
    imported = {_normal(name) for package in _imported() for name in homes.get(package, [])}
    # Used without being imported by us: FastAPI reads forms by the one, ultralytics' trackers
    # assign by the other.
    theirs = {"python-multipart", "lap"}
    assert _declared(project["dependencies"]) - imported - theirs - {"opencv-python"} == set()


def test_the_version_stands_once_and_the_changelog_has_it(project: dict[str, Any]) -> None:
    version = project["version"]
    assert version == "0.2.0"
    assert re.search(
        rf"^## \[{re.escape(version)}\] - \d{{4}}-\d\d-\d\d$", _text("CHANGELOG.md"), re.M
    )
    others = [p for p in sorted((ROOT / "src").rglob("*.py")) if f'"{version}"' in p.read_text()]
    assert others == []


INSTALLED = ("dev", "peers", "rfdetr", "s3", "postgres", "scale")
"""The extras of ``make install``."""


def test_constraints_name_what_is_declared(project: dict[str, Any]) -> None:
    pinned = _declared(_text("constraints.txt").splitlines())
    extras = project["optional-dependencies"]
    rows = [row for name in INSTALLED for row in extras[name]]
    assert _declared([*project["dependencies"], *rows]) - pinned - {"setuptools"} == set()


@pytest.mark.parametrize(
    ("file", "names"),
    [
        ("constraints-hydra-1.3.txt", ("joblib", "submitit")),
        ("constraints-hydra-1.4.txt", ("optuna", "joblib", "submitit", "ray")),
    ],
)
def test_the_plugins_of_hydra_are_pinned(file: str, names: tuple[str, ...], project: Any) -> None:
    own, common = (_text(name).splitlines() for name in (file, "constraints.txt"))
    extras = project["optional-dependencies"]
    rows = [row for name in names for row in extras[name]]
    assert _declared(rows) - _declared([*own, *common]) == set()
    # What is pinned in both is what the plugins need another version of.
    other = _declared(own) & _declared(common)
    assert other == ({"hydra-core", "omegaconf"} if "1.4" in file else set())


def _text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")
