"""What only the adapter on the SDK has to care for."""

from __future__ import annotations

import importlib
import json
import os
import re
import runpy
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from labellerr_loopback import Emulator
from segtrack.annotation.labellerr import EMULATOR_CREDENTIALS, make_platform
from segtrack.annotation.labellerr.http_platform import HttpPlatform
from segtrack.annotation.labellerr.sdk_platform import _NEEDED, SdkPlatform, sdk_problem
from segtrack.base.errors import PlatformError, SettingsError
from tests.annotation.labellerr.conftest import QUESTIONS, adapter, make_project, unique

URL = "http://127.0.0.1:8080"
ROOT = Path(__file__).parents[3]
SCRIPT = ROOT / "scripts" / "install_labellerr_sdk.py"


def test_without_the_sdk(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [n for n in sys.modules if n.split(".")[0] == "labellerr"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "labellerr", None)
    platform = make_platform(URL, EMULATOR_CREDENTIALS, "auto")
    assert type(platform) is HttpPlatform and platform.transport == "http"
    with pytest.raises(SettingsError, match=r"not installed.*scripts/install_labellerr_sdk\.py"):
        make_platform(URL, EMULATOR_CREDENTIALS, "sdk")


@pytest.mark.parametrize(
    ("modules", "problem"),
    [
        # 1.0.1 has a module labellerr.client, and no labellerr.core
        (("labellerr", "labellerr.client"), r"has no module labellerr\.core: it is older than .*"),
        (("labellerr", "labellerr.core"), r"has no module labellerr\.core\.client: it is older.*"),
        (None, r"labellerr-sdk lacks what it needs \(.*aiofiles.*\); install it anew with "),
    ],
)
def test_another_sdk(
    monkeypatch: pytest.MonkeyPatch, modules: tuple[str, ...] | None, problem: str
) -> None:
    for name in [n for n in sys.modules if n.split(".")[0] == "labellerr"]:
        monkeypatch.delitem(sys.modules, name)
    for name in modules or ():
        fake = ModuleType(name)
        fake.__path__ = []  # a package without files
        monkeypatch.setitem(sys.modules, name, fake)
    if modules is None:
        import_module = importlib.import_module

        def without(name: str) -> ModuleType:
            if name.startswith("labellerr"):
                raise ModuleNotFoundError("No module named 'aiofiles'", name="aiofiles")
            return import_module(name)

        monkeypatch.setattr(importlib, "import_module", without)
    hint = re.escape("python scripts/install_labellerr_sdk.py")
    assert re.fullmatch(f".*{problem}{hint}", sdk_problem() or "")
    assert make_platform(URL, EMULATOR_CREDENTIALS, "auto").transport == "http"


def test_unknown_transport() -> None:
    with pytest.raises(SettingsError, match="'soap': it must be one of auto, sdk, http"):
        make_platform(URL, EMULATOR_CREDENTIALS, "soap")


@pytest.fixture
def sdk(emulator: Emulator) -> SdkPlatform:
    made = adapter("sdk", emulator.url)
    assert isinstance(made, SdkPlatform)
    return made


def test_auto_takes_it_where_it_is_installed(sdk: SdkPlatform) -> None:
    platform = make_platform(URL, EMULATOR_CREDENTIALS, "auto")
    assert type(platform) is SdkPlatform and platform.transport == "sdk"


def test_too_old_or_broken(sdk: SdkPlatform, monkeypatch: pytest.MonkeyPatch) -> None:
    projects = importlib.import_module("labellerr.core.projects")
    monkeypatch.delattr(projects, "create_project")
    assert "has no create_project in labellerr.core.projects: it is older" in (sdk_problem() or "")


def test_the_sdk_makes_the_calls(
    sdk: SdkPlatform,
    images: Callable[[int], list[Path]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    client = importlib.import_module("labellerr.core.client").LabellerrClient
    calls: list[str] = []
    make_request = client.make_request

    def spy(self: Any, method: str, url: str, **options: Any) -> Any:
        calls.append(url.split("?")[0].removeprefix(sdk.http.url))
        return make_request(self, method, url, **options)

    monkeypatch.setattr(client, "make_request", spy)
    project_id = make_project(sdk, images(1), tmp_path / "ledger")
    files = [f.file_id for f in sdk.project_files(project_id)]
    sdk.set_status(project_id, files, "accepted")
    sdk.start_export(project_id, "spied", ["accepted"])
    creates = [c for c in calls if "create" in c or "assign" in c or "export" in c]
    assert creates == [
        "/datasets/create",
        "/annotations/create_template",
        "/projects/create",
        "/actions/files/bulk_assign",
        "/sdk/export/files",
    ]


def test_two_addresses_in_one_process(sdk: SdkPlatform) -> None:
    """The SDK has one address per process; each call sets its own."""
    make_platform("http://127.0.0.1:9", EMULATOR_CREDENTIALS, "sdk")
    assert sdk.ensure_template(unique("here"), QUESTIONS).questions[0].name == "car"


def test_export_of_the_newer_line(
    sdk: SdkPlatform,
    images: Callable[[int], list[Path]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """From 1.1 on, ``create_export`` takes its own object, with statuses of any kind."""
    project_id = make_project(sdk, images(1), tmp_path / "ledger")
    project = importlib.import_module("labellerr.core.projects").LabellerrProject
    seen: list[Any] = []

    class Made:
        report_id = "r1"

    def create_export(self: Any, config: Any) -> Made:
        seen.append(config)
        return Made()

    monkeypatch.setattr(project, "list_exports", lambda self: None, raising=False)
    monkeypatch.setattr(project, "create_export", create_export)
    assert sdk.start_export(project_id, "newer", ["rejected"]) == "r1"
    assert (seen[0].export_name, seen[0].statuses) == ("newer", ["rejected"])
    assert seen[0].export_format == "coco_json"


def test_pre_annotations_that_start_otherwise(
    sdk: SdkPlatform,
    images: Callable[[int], list[Path]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    project_id = make_project(sdk, images(1), tmp_path / "ledger")
    project = importlib.import_module("labellerr.core.projects").LabellerrProject
    monkeypatch.setattr(project, "upload_preannotations", lambda self, *a, **k: object())
    with pytest.raises(PlatformError, match=r"not known here.*transport=http"):
        sdk.send_preannotations(project_id, tmp_path / "x.json")


def test_errors_of_the_sdk_become_ours(sdk: SdkPlatform, monkeypatch: pytest.MonkeyPatch) -> None:
    errors = importlib.import_module("labellerr.core.exceptions")
    templates = importlib.import_module("labellerr.core.annotation_templates")
    for raised in (
        errors.LabellerrError({"error": "odd", "code": 418}),
        errors.InvalidAnnotationTemplateError("odd"),
        AssertionError("odd"),
        ValueError("odd"),
    ):

        def fail(*_: Any, error: Exception = raised) -> None:
            raise error

        monkeypatch.setattr(templates, "create_template", fail)
        with pytest.raises(
            PlatformError, match=f"creating template 'a': .*{type(raised).__name__}"
        ):
            sdk.ensure_template("a", QUESTIONS)


def test_the_installer_names_what_it_installs(tmp_path: Path) -> None:
    script = runpy.run_path(str(SCRIPT))
    address = script["REPOSITORY"], script["COMMIT"]
    assert script["requirement"](None, *address) == (
        "git+https://github.com/Labellerr/SDKPython@1cb8f26"
    )
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    (extra,) = project["optional-dependencies"]["labellerr"]
    assert extra == f"labellerr-sdk @ {script['requirement'](None, *address)}"
    with pytest.raises(SystemExit, match=r"no pyproject\.toml there"):
        script["requirement"](tmp_path, *address)
    (tmp_path / "pyproject.toml").write_text("")
    assert script["requirement"](tmp_path, *address) == str(tmp_path.resolve())


def test_the_installer_installs_a_commit_of_a_repository(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Into a folder of its own and without any index, from a repository that this test makes."""
    if not shutil.which("git") or find_spec("pip") is None:
        pytest.skip("git or pip is not installed")
    repository = tmp_path / "repository"
    older = commit(repository, {"labellerr.client": ("LabellerrClient",)})
    newer = commit(repository, _NEEDED)
    commit(repository, {"labellerr.client": ()})  # what is not asked for
    for wanted, problem in ((older, "has no module labellerr.core: it is older"), (newer, None)):
        target = tmp_path / wanted
        monkeypatch.setenv("PIP_TARGET", str(target))
        monkeypatch.setenv("PIP_NO_INDEX", "1")
        monkeypatch.setenv("PIP_DISABLE_PIP_VERSION_CHECK", "1")
        monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(target), str(ROOT / "src")]))
        command = [sys.executable, str(SCRIPT), "--repository", repository.as_uri()]
        done = subprocess.run([*command, "--commit", wanted], capture_output=True, text=True)
        assert done.returncode == (1 if problem else 0), done.stdout + done.stderr
        assert (problem or "ready") in done.stdout.splitlines()[-1]
        # pip notes where it came from.
        (facts,) = target.glob("labellerr_sdk-*.dist-info/direct_url.json")
        assert json.loads(facts.read_text())["vcs_info"]["commit_id"].startswith(wanted)
    command[-1] = (tmp_path / "nothing").as_uri()
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1
    assert "labellerr.transport=http" in done.stderr.splitlines()[-1]


def commit(repository: Path, modules: Mapping[str, tuple[str, ...]]) -> str:
    """Commit a project labellerr-sdk with these modules and members; returns its short hash."""
    shutil.rmtree(repository / "labellerr", ignore_errors=True)
    for name, members in modules.items():
        folder = repository.joinpath(*name.split("."))
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "__init__.py").write_text("".join(f"{member} = None\n" for member in members))
    (repository / "pyproject.toml").write_text(
        '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
        '[project]\nname = "labellerr-sdk"\nversion = "1.0.0"\n'
    )
    (repository / "backend.py").write_text(BACKEND)
    git = ["git", "-C", str(repository), "-c", "user.name=t", "-c", "user.email=t@example.org"]
    for words in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "modules"]):
        subprocess.run([*git, *words], check=True, capture_output=True)
    found = subprocess.run([*git, "rev-parse", "--short", "HEAD"], check=True, capture_output=True)
    return found.stdout.decode().strip()


BACKEND = """# Builds the wheel with the standard library alone, so that pip fetches nothing.
import pathlib
import zipfile

NAME = "labellerr_sdk-1.0.0"
FILES = {
    "METADATA": "Metadata-Version: 2.1\\nName: labellerr-sdk\\nVersion: 1.0.0\\n",
    "WHEEL": "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n",
    "RECORD": "",
}


def build_wheel(folder, config_settings=None, metadata_directory=None):
    wheel = f"{NAME}-py3-none-any.whl"
    with zipfile.ZipFile(pathlib.Path(folder) / wheel, "w") as target:
        for path in pathlib.Path("labellerr").rglob("*.py"):
            target.write(path)
        for name, text in FILES.items():
            target.writestr(f"{NAME}.dist-info/{name}", text)
    return wheel
"""
