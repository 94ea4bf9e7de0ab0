"""What is asked of an export in 8 bits, and what is said of it."""

from types import SimpleNamespace

import pytest

from segtrack import model
from segtrack.base.errors import SettingsError
from segtrack.pipeline.stages import export
from segtrack.settings import ExportSettings


def asked(name="yolov8n-seg", device="cpu", **knobs):
    settings = SimpleNamespace(
        model=model.model_settings(name),
        export=ExportSettings(**knobs),
        mlflow=SimpleNamespace(register=""),
        device=device,
    )
    return SimpleNamespace(settings=settings)


def test_which_format(monkeypatch):
    monkeypatch.setattr(export, "_installed", lambda name: name != "nncf")
    export._require(asked(format="openvino"))
    with pytest.raises(SettingsError, match=r"so with export\.format=openvino, not"):
        export._require(asked(format="onnx", precision="int8"))
    with pytest.raises(
        SettingsError,
        match=r"int8: nncf is not installed; pip install 'segtrack\[int8\]', or use export.preci",
    ):
        export._require(asked(format="openvino", precision="int8"))


def test_an_engine_is_refused_before_any_work_where_the_run_has_no_gpu(monkeypatch):
    monkeypatch.setattr(export, "_installed", lambda name: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 1)
    for there, device in ((False, "auto"), (False, "cpu"), (True, "cpu")):
        monkeypatch.setattr("torch.cuda.is_available", lambda there=there: there)
        with pytest.raises(SettingsError, match=rf"format=tensorrt device={device}: .*GPU"):
            export._require(asked(format="tensorrt", device=device))
    for device in ("auto", 0):
        export._require(asked(format="tensorrt", device=device))


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
