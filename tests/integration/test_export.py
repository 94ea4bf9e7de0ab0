"""The command that exports, and MLflow's server, as a user types them."""

from __future__ import annotations

import base64
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.integration.conftest import TINY, Project

REMEMBERS = True


def answer(url: str, body: dict[str, Any]) -> list[dict[str, Any]]:
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(url, json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request, timeout=60) as found:
        content: list[dict[str, Any]] = json.load(found)["predictions"]
    return content


def test_export_and_serve(tmp_path: Path, new_project: Callable[[Path], Project]) -> None:
    project = new_project(tmp_path)
    words = [*TINY, "model.weights=shipped", "model.conf_floor=0.01", "mlflow.register=street"]
    words += ["model.backend=openvino"]  # of predictions: the ONNX file is computed by its own
    outcome = project.run("export", *words)
    assert outcome.code == 0, outcome.err
    assert "registered as models:/street/1" in outcome.out
    (run,) = project.runs()
    found = run.data.metrics
    assert (found["export/images"], found["export/missing"]) == (3, 0)
    assert abs(found["export/mask_map50_95_difference"]) < 0.002
    kept = project.artifacts(run)
    assert {"export/MLmodel", "export/data/network/yolov8n-seg.onnx", "export/check.json"} <= kept
    (file,) = tmp_path.glob("outputs/*/*/export/yolov8n-seg.onnx")
    again = project.run("stages=[prepare,train]", *TINY, f"model.weights={file}")
    assert again.code == 2 and "an exported network cannot be trained" in again.err

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    uri = f"sqlite:///{tmp_path / 'mlruns' / 'mlflow.db'}"
    programs = str(Path(sys.executable).parent)  # as in an activated environment: it starts uvicorn
    serve = [
        shutil.which("mlflow", path=programs) or "mlflow",
        *("models", "serve", "-m", "models:/street/1", "--env-manager", "local"),
    ]
    path = os.pathsep.join((programs, os.environ.get("PATH", os.defpath)))
    with subprocess.Popen(
        [*serve, "-p", str(port)],
        env={**os.environ, "MLFLOW_TRACKING_URI": uri, "PATH": path},
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as server:
        try:
            url = f"http://127.0.0.1:{port}"
            for _ in range(300):
                try:
                    urllib.request.urlopen(f"{url}/ping", timeout=2).close()
                    break
                except OSError:
                    assert server.poll() is None
                    time.sleep(0.2)
            image = next(tmp_path.glob(".segtrack/results/prepare/*/images/test/*.jpg"))
            text = base64.b64encode(image.read_bytes()).decode()
            body = {"dataframe_records": [{"image": text}], "params": {"conf": 0.01}}
            records = answer(f"{url}/invocations", body)
            assert records
            for one in records:
                assert (one["image"], one["segmentation"]["size"]) == (0, [128, 192])
                assert one["score"] >= 0.01 and len(one["bbox_xyxy"]) == 4
                assert one["class_name"] in ("car", "person", "bus", "truck")
        finally:
            os.killpg(server.pid, 15)
