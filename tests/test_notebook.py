"""The notebook for Colab runs from its first cell to its last."""

import ast
import json
import os
from pathlib import Path
from typing import Any

import pytest

NOTEBOOK = Path(__file__).resolve().parents[1] / "notebooks" / "colab.ipynb"


@pytest.fixture(scope="module")
def cells() -> list[dict[str, Any]]:
    content = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    return [cell for cell in content["cells"] if cell["cell_type"] == "code"]


def test_no_outputs_are_kept(cells: list[dict[str, Any]]) -> None:
    assert len(cells) > 10
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in cells)


def test_it_is_python_whose_settings_exist(cells: list[dict[str, Any]]) -> None:
    """Also where nothing is there to run it."""
    import segtrack

    called = set()
    for cell in cells:
        lines = [line for line in cell["source"] if not line.lstrip().startswith("%")]
        source = "".join(lines)
        for node in ast.walk(
            ast.parse(source + "\n    pass" if source.endswith(":\n") else source)
        ):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                called |= {node.attr} if node.value.id == "segtrack" else set()
    assert (
        {"prepare", "train", "evaluate", "track", "compare"}
        <= called
        <= set(dir(segtrack)) | {"__version__"}
    )


def test_it_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mlflow_template: Path) -> None:
    """At settings of seconds, on the platform that comes along; every figure is one."""
    nbclient = pytest.importorskip(
        "nbclient", reason="nbclient runs notebooks: pip install nbclient"
    )
    pytest.importorskip("ipykernel", reason="a notebook needs a kernel: pip install ipykernel")
    nbformat = pytest.importorskip("nbformat")
    for name in ("LABELLERR_API_KEY", "LABELLERR_API_SECRET", "LABELLERR_CLIENT_ID"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SEGTRACK_SMOKE", "1")
    source = str(NOTEBOOK.parents[1] / "src")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([source, os.environ.get("PYTHONPATH", "")]))
    (tmp_path / "mlruns").mkdir()
    (tmp_path / "mlruns" / "mlflow.db").write_bytes(mlflow_template.read_bytes())
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    resources = {"metadata": {"path": str(tmp_path)}}
    nbclient.NotebookClient(notebook, timeout=500, resources=resources).execute()
    shown = [
        output.data
        for cell in notebook.cells
        if cell.cell_type == "code"
        for output in cell.outputs
        if output.output_type in ("display_data", "execute_result")
    ]
    pictures = [one for one in shown if "image/png" in one or "image/jpeg" in one]
    assert len(pictures) >= 8
    assert any("FINISHED" in one.get("text/html", "") for one in shown)
    assert any("review/" in one.get("text/plain", "") for one in shown)
