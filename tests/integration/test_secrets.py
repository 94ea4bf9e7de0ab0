"""A secret of the environment is used, and is found in nothing that a run leaves or prints."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.integration.conftest import TINY, Outcome, Project

PLANTED = {
    "MY_TOKEN": "tok-q7Rt4x9v",
    "CAM_PASSWORD": 'it\'s "quoted" & spaced',
    "AWS_SECRET_ACCESS_KEY": "wJalr/XUtnFEMI+bPx",
    "LABELLERR_API_KEY": "labellerr-key-77",
    "LABELLERR_API_SECRET": "labellerr-secret-77",
    "LABELLERR_CLIENT_ID": "labellerr-client-77",
}
PARTS = ("q7Rt4x9v", "quoted", "UtnFEMI", "labellerr-key-77", "labellerr-secret", "labellerr-clien")


def assert_clean(project: Project, outcome: Outcome) -> None:
    texts = {"stdout": outcome.out.encode(), "stderr": outcome.err.encode()}
    for path in project.folder.rglob("*"):
        texts[f"the name of {path}"] = str(path.relative_to(project.folder)).encode()
        if path.is_file():
            texts[str(path)] = path.read_bytes()
    assert len(texts) > 20
    for part in PARTS:
        assert [name for name, text in texts.items() if part.encode() in text] == []


def test_a_secret_is_nowhere(
    project: Project, here: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in PLANTED.items():
        monkeypatch.setenv(name, value)
    words = [
        *("stages=[prepare]", "labellerr=off", *TINY),
        "mlflow.run_name='of ${oc.env:MY_TOKEN}'",
        f"mlflow.experiment={PLANTED['MY_TOKEN']}",  # as the shell puts it there
        "labellerr.name='${oc.env:CAM_PASSWORD}'",
        "video='rtsp://me:${oc.env:AWS_SECRET_ACCESS_KEY}@127.0.0.1:9/cam'",
    ]
    done = here(*words)
    assert (done.code, done.err) == (0, "")
    assert_clean(project, done)
    (run,) = project.runs("***")
    assert run.info.run_name == "of ***"
    assert run.data.params["labellerr.name"] == "'***'"
    assert "mlflow.experiment=***" in run.data.tags["command"]
    (hydra,) = project.folder.glob("outputs/*/*/.hydra")
    assert "- mlflow.experiment=***" in (hydra / "overrides.yaml").read_text()
    assert "run_name: of ${oc.env:MY_TOKEN}" in (hydra / "config.yaml").read_text()

    swept = here("-m", *words, "seed=0,1")
    assert swept.code == 0
    assert_clean(project, swept)

    failed = here("stages=[track]", "video='/nowhere/${oc.env:MY_TOKEN}.mp4'")
    assert failed.code == 2
    assert "/nowhere/***.mp4" in failed.err
    assert_clean(project, failed)
