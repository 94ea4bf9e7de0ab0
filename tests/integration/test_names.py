"""Classes of any name: each has its metric, and the originals are kept."""

import json
from collections.abc import Callable

from segtrack.base.names import level
from tests.integration.conftest import TINY, Outcome, Project

CLASSES = {"truck / van (a)": ["truck", "bus"], "..": ["car"], "Person": ["person"]}


def test_every_class_has_its_metric(project: Project, here: Callable[..., Outcome]) -> None:
    odd = project.folder / "conf" / "experiment" / "odd.yaml"
    odd.parent.mkdir(parents=True)
    text = json.dumps(CLASSES, ensure_ascii=False)
    odd.write_text(f"# @package _global_\ndataset:\n  classes: {text}\n", encoding="utf-8")
    words = [*TINY, "model.weights=shipped", "--config-dir", str(odd.parents[1]), "experiment=odd"]
    objective = "objective='test/class/truck / van (a)/mask_map50'"
    done = here(*words, "stages=[prepare,evaluate,track]", "render.enabled=false", objective)
    assert done.code == 0, done.err
    (run,) = project.runs()
    for name in CLASSES:
        assert f"test/class/{level(name)}/mask_map50" in run.data.metrics
    assert {k: v for k, v in run.data.tags.items() if k.startswith("class.")} == {
        f"class.{level(name)}": name for name in CLASSES if level(name) != name
    }
    kept = project.folder / "mlruns/artifacts/segtrack" / run.info.run_id / "artifacts"
    table = (kept / "names.csv").read_text(encoding="utf-8")
    for name in CLASSES:
        assert f"class,{name},{level(name)}\n" in table
