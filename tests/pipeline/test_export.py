"""What is asked of an export in 8 bits, and what is said of it."""

from types import SimpleNamespace

import pytest

from segtrack import model
from segtrack.base.errors import SettingsError
from segtrack.pipeline.stages import export
from segtrack.settings import ExportSettings


def asked(name="yolov8n-seg", **knobs):
    settings = SimpleNamespace(
        model=model.model_settings(name),
        export=ExportSettings(**knobs),
        mlflow=SimpleNamespace(register=""),
        device="cpu",
    )
    return SimpleNamespace(settings=settings)


def test_which_format(monkeypatch):
    monkeypatch.setattr(export, "_installed", lambda name: name != "nncf")
    export._require(asked(format="openvino"))
    with pytest.raises(SettingsError, match=r"so with export\.format=openvino, not"):
        export._require(asked(format="onnx", precision="int8"))
    with pytest.raises(SettingsError, match="nncf is not installed; pip install nncf"):
        export._require(asked(format="openvino", precision="int8"))


@pytest.mark.parametrize(("there", "expected"), [(2, [0, 1]), (7, [0, 1, 3, 5])])
def test_calibration_takes_images_from_all_over(there, expected, monkeypatch):
    monkeypatch.setattr(export, "CALIBRATION", 4)
    monkeypatch.setattr(model, "read_image", lambda row: row)
    dataset = SimpleNamespace(iter_images=lambda split: iter(range(there)))
    assert export._calibration(dataset) == expected


def test_what_is_said():
    check = {"images": 9, "split": "test", "missing": 1, "detections": 20, "score": 0.25}
    assert "int8" not in export._sentence(check)
    few = export._sentence(check | {"calibration_images": 12})
    assert "int8, calibrated with 12 of 300 images of train asked for (fewer leave" in few
    assert export._sentence(check | {"calibration_images": 300}).endswith("train asked for")
