"""Classes that a data set has and the weights do not know."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from segtrack.model import Weights
from segtrack.pipeline.stages import evaluate


class Run:
    """A run of which ``evaluate`` sees these inputs."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self.tags: dict[str, str] = {}
        self.inputs: dict[str, Any] = {
            "prepare": SimpleNamespace(names=names, class_map={}),
            "weights": Weights(Path("w.pt"), "", "path", ("car", "person"), 640),
        }

    def __call__(self, stage: str) -> Any:
        return SimpleNamespace(value=self.inputs[stage])

    def tag(self, tags: dict[str, str]) -> None:
        self.tags |= tags

    def named(self, kind: str, names: tuple[str, ...]) -> None:
        assert (kind, names) == ("class", self.inputs["prepare"].names)

    def keep(self, *_: Any) -> None:
        pass


@pytest.mark.parametrize(("names", "lacking"), [(("car", "tram"), "tram"), (("person",), "")])
def test_means_over_classes_that_cannot_be_found_are_said(
    names: tuple[str, ...], lacking: str, capsys: pytest.CaptureFixture[str]
) -> None:
    run: Any = Run(names)
    evaluate._publish(run, SimpleNamespace(folder=Path()))  # type: ignore[arg-type]
    said = "".join(capsys.readouterr())
    assert (f"warning: the weights have no class {lacking}: its AP is 0" in said) == bool(lacking)
    assert run.tags == ({"classes.lacking": lacking} if lacking else {})
