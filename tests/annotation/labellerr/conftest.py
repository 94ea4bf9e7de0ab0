"""A loopback Labellerr, and both adapters to it."""

from __future__ import annotations

import io
import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image

from labellerr_loopback import Delays, Emulator, Quirks, start_emulator
from segtrack.annotation.labellerr import EMULATOR_CREDENTIALS, Credentials, make_platform
from segtrack.annotation.labellerr.files import check_files
from segtrack.annotation.labellerr.http_platform import HttpPlatform
from segtrack.annotation.labellerr.port import Question
from segtrack.annotation.labellerr.sdk_platform import sdk_problem
from segtrack.annotation.labellerr.transport import Patience, Transport
from segtrack.annotation.labellerr.uploader import upload

# Retries as in earnest, without the waiting.
QUICK = Patience(tries=4, first=0.01, longest=0.05, retry_after=2.0, connect=2.0, read=5.0)
QUESTIONS = (Question("car", "#E69F00"), Question("bus", "#56B4E9"))
_numbers = itertools.count()


def unique(name: str) -> str:
    """A name that no other test uses."""
    return f"{name}-{next(_numbers)}"


def jpeg(width: int = 40, height: int = 30) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (width, height), (90, 120, 150)).save(buffer, "JPEG")
    return buffer.getvalue()


@pytest.fixture(scope="session")
def _served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    with start_emulator(tmp_path_factory.mktemp("emulator")) as emulator:
        yield emulator


@pytest.fixture
def emulator(_served: Emulator) -> Iterator[Emulator]:
    _served.faults.clear()
    _served.faults.calls.clear()
    yield _served
    _served.faults.clear()


@pytest.fixture(params=["http", "sdk"])
def platform(request: pytest.FixtureRequest, emulator: Emulator) -> HttpPlatform:
    """Each adapter in turn; the SDK's half is skipped where it is not installed."""
    return adapter(request.param, emulator.url)


def adapter(
    transport: str,
    url: str,
    timeout: float = 20.0,
    credentials: Credentials = EMULATOR_CREDENTIALS,
) -> HttpPlatform:
    problem = sdk_problem() if transport == "sdk" else None
    if problem:
        pytest.skip(problem)
    made = make_platform(url, credentials, transport, timeout, patience=QUICK)
    assert isinstance(made, HttpPlatform)
    return made


@pytest.fixture
def http(emulator: Emulator) -> HttpPlatform:
    return HttpPlatform(Transport(emulator.url, EMULATOR_CREDENTIALS, QUICK), 20.0)


@pytest.fixture
def images(tmp_path: Path) -> Callable[[int], list[Path]]:
    """Makes small images ``000.jpg``, ``001.jpg`` and so on, 40 x 30 px."""
    data = jpeg()

    def make(count: int) -> list[Path]:
        folder = tmp_path / "images"
        folder.mkdir(exist_ok=True)
        paths = [folder / f"{i:03d}.jpg" for i in range(count)]
        for path in paths:
            path.write_bytes(data)
        return paths

    return make


def make_project(platform: HttpPlatform, paths: list[Path], ledger: Path) -> str:
    """A project of these images that asks for ``QUESTIONS``; returns its id."""
    name = unique("project")
    done = upload(platform, check_files(paths), name, ledger, say=_quiet)
    template = platform.ensure_template(name, QUESTIONS)
    ids = [d.dataset_id for d in done.datasets]
    return platform.ensure_project(name, ids, template.template_id).project_id


def _quiet(text: str) -> None:
    pass


__all__ = ["QUESTIONS", "QUICK", "Delays", "Quirks", "adapter", "jpeg", "make_project", "unique"]
