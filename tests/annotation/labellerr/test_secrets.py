"""Credentials appear in no log, no output and no file."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from labellerr_loopback import Credentials as Accepted
from labellerr_loopback import start_emulator
from segtrack.annotation.labellerr import Credentials
from segtrack.annotation.labellerr.coco import AnnotatedImage, Preannotation
from segtrack.annotation.labellerr.preannotations import preannotate
from segtrack.base.errors import PlatformError
from tests.annotation.labellerr.conftest import QUICK, adapter, make_project

PLANTED = ("key-f00dfeed", "secret-0badcafe", "client-4711")
SQUARE = np.array([[2.0, 3.0], [12.0, 3.0], [12.0, 13.0], [2.0, 13.0]])


@pytest.mark.parametrize("transport", ["http", "sdk"])
def test_a_whole_push_shows_no_credentials(
    transport: str,
    images: Callable[[int], list[Path]],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, "urllib3.connectionpool")  # which the journal hushes
    with start_emulator(tmp_path / "emulator", credentials=Accepted(*PLANTED)) as emulator:
        platform = adapter(transport, emulator.url, credentials=Credentials(*PLANTED))
        project_id = make_project(platform, images(2), tmp_path / "here" / "ledger")
        car = AnnotatedImage("000.jpg", 40, 30, (Preannotation("car", (SQUARE,), 0.9),))
        preannotate(
            platform,
            project_id,
            [car],
            ["car"],
            tmp_path / "here" / "out",
            tmp_path / "here" / "ledger",
        )
        tracebacks = []
        for fault in ({"kind": "status", "status": 500}, {"kind": "cut"}, {"kind": "delay"}):
            emulator.faults.clear()
            emulator.fault(path="projects/project", seconds=1.0, times=-1, **fault)
            platform.http.patience = replace(QUICK, read=0.2, tries=2)
            with pytest.raises(PlatformError):
                platform._attach(project_id, ["x"]) if transport == "sdk" else platform.project("p")
            try:
                platform.project("p")
            except PlatformError:
                tracebacks.append(traceback.format_exc())
        emulator.faults.clear()
        shown = f"{platform!r} {platform.http!r} {vars(platform.http)!r}"
    output = capfd.readouterr()
    assert "urllib3.connectionpool" in caplog.text and "client_id=***" in caplog.text
    assert len(tracebacks) == 3
    everything = [caplog.text, output.out, output.err, shown, *tracebacks]
    files = [p for p in (tmp_path / "here").rglob("*") if p.is_file()]
    assert {p.name for p in files} >= {"ledger.db", "preannotations-001.json"}
    everything += [p.read_bytes().decode("latin-1") for p in files]
    for secret in PLANTED:
        assert not any(secret in text for text in everything)
