"""Training gives weights and numbers, survives kills, and leaves what is the user's alone."""

import gc
import hashlib
import os
import signal
import socket
from pathlib import Path

import pytest
import torch

from segtrack.base.errors import DataError, SettingsError, StageError
from segtrack.base.files import file_digest
from segtrack.base.metrics import MetricsFile, read_metrics
from segtrack.model import Network, Training, train
from segtrack.model.devices import device_argument
from segtrack.model.ultralytics import library
from segtrack.model.ultralytics import train as module
from segtrack.model.ultralytics.settings import YoloSegSettings
from segtrack.model.ultralytics.weights import read_weights
from tests.integration.conftest import module_run
from tests.model.ultralytics.conftest import NAMES, smallest

MODEL = YoloSegSettings(name="yolov8n-seg")
PER_EPOCH = {
    *("train/box_loss", "train/seg_loss", "train/cls_loss", "train/dfl_loss", "train/lr"),
    *("train/sem_loss", "train/batch"),
    *("val/mask_map50_95", "val/mask_map50", "val/mask_precision", "val/mask_recall"),
    *("val/box_map50_95", "val/box_map50", "val/box_precision", "val/box_recall"),
    *("val/box_loss", "val/seg_loss", "val/cls_loss", "val/dfl_loss"),
}


def go(dataset, weights, folder, settings=None, device="cpu"):
    folder.mkdir(parents=True, exist_ok=True)
    settings = settings or smallest()
    train(dataset, Network(MODEL, weights, device), settings, 0, folder, MetricsFile(folder))
    return Training.load(folder)


def state(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def numbers(folder: Path) -> dict[str, dict[int, float]]:
    found: dict[str, dict[int, float]] = {}
    for metric in read_metrics(folder):
        assert metric.step not in found.get(metric.name, {})
        found.setdefault(metric.name, {})[metric.step] = metric.value
    return found


@pytest.mark.parametrize(
    ("amp", "capable", "expected"),
    [(True, True, torch.bfloat16), (True, False, torch.float32), (False, True, torch.float32)],
)
def test_amp_is_bfloat16_on_a_cpu_that_has_it(
    drawn, start_weights, tmp_path, monkeypatch, amp, capable, expected
):
    from segtrack.model.ultralytics import engine

    seen = set()
    criterion = engine.SegmentationTrainer.preprocess_batch

    def watch(self, batch):
        convolution = next(m for m in self.model.modules() if isinstance(m, torch.nn.Conv2d))
        if not seen:
            convolution.register_forward_hook(
                lambda module, _, output: seen.add(output.dtype) if module.training else None
            )
        return criterion(self, batch)

    monkeypatch.setattr(engine.SegmentationTrainer, "preprocess_batch", watch)
    monkeypatch.setattr(engine, "bfloat16_cpu", lambda: capable)
    result = go(drawn, start_weights, tmp_path / "r", smallest(amp=amp))
    assert seen == {expected}
    weights = library.read_content(result.weights.path)["model"]
    assert all(p.isfinite().all() for p in weights.parameters())


def test_training(drawn, start_weights, tmp_path, capfd):
    cut = drawn.folder / "images" / "train" / "3.jpg"
    cut.write_bytes(cut.read_bytes()[:-2])  # ultralytics would save this one again
    before = state(drawn.folder)
    folder = tmp_path / "a result, [2] (é)"
    result = go(drawn, start_weights, folder, smallest(epochs=2, cache=True))
    assert state(drawn.folder) == before
    assert result.epochs == 2 and result.best_epoch in (1, 2)
    assert sorted(path.name for path in folder.iterdir()) == [
        *("metrics.jsonl", "results.csv", "train.json", "weights"),
    ]
    found = numbers(folder)
    assert set(found) == PER_EPOCH
    assert all(set(steps) == {1, 2} for steps in found.values())
    assert found["train/lr"] == {1: 0.01, 2: pytest.approx(0.01 * (0.5 * 0.99 + 0.01))}
    weights = result.weights
    assert (weights.path, weights.origin) == (folder / "weights" / "best.pt", "trained")
    assert weights.sha256 == file_digest(weights.path)
    again = read_weights(weights.path, "path")
    assert (again.names, again.imgsz) == (NAMES, 64) == (weights.names, weights.imgsz)
    content = library.read_content(weights.path)
    assert next(content["model"].parameters()).dtype == torch.float16
    assert not {"optimizer", "ema", "git", "date"} & set(content)
    assert str(tmp_path).encode() not in weights.path.read_bytes()
    out, err = capfd.readouterr()
    (folder / "run").mkdir()  # as if killed while it tidied up
    assert go(drawn, start_weights, folder, smallest(epochs=2)) == result
    assert not (folder / "run").exists()
    assert out == ""
    assert [line.split("  ")[0] for line in err.splitlines()] == ["epoch 1/2", "epoch 2/2"]


@pytest.mark.parametrize("last", [1, 3])
def test_killed_training_goes_on(drawn, start_weights, tmp_path, monkeypatch, last):
    """Killed after epoch 1 of 3, and after epoch 3 but before its weights were put away."""
    folder = tmp_path / "result"
    folder.mkdir()
    words = [str(drawn.folder), str(folder), str(start_weights.path), str(last)]
    done = module_run("tests.model.ultralytics.killed", *words)
    assert done.code == -signal.SIGKILL, done.err
    before = numbers(folder)
    assert set(before["val/mask_map50"]) == set(range(1, last + 1))
    assert not (folder / "train.json").exists()

    epochs_run = []
    monkeypatch.setattr(library, "set_threads", lambda count=None: epochs_run.append(count))
    result = go(drawn, start_weights, folder, smallest(epochs=3))
    assert len(epochs_run) == 3 - last
    assert result.epochs == 3
    after = numbers(folder)
    assert set(after) == PER_EPOCH
    assert all(set(steps) == {1, 2, 3} for steps in after.values())
    assert all(after[name][1] == before[name][1] for name in PER_EPOCH)
    # The learning rate goes on where it was, and so does the optimizer's state.
    rates = [after["train/lr"][epoch] / 0.01 for epoch in (1, 2, 3)]
    assert rates == pytest.approx([1, 1 - 0.99 / 3, 1 - 2 * 0.99 / 3], abs=1e-4)
    rows = (folder / "results.csv").read_text().splitlines()[1:]
    assert [int(row.split(",")[0]) for row in rows] == [1, 2, 3]


def resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads /proc")
def test_four_trainings_do_not_grow(drawn, start_weights, tmp_path):
    """And the same settings give the same weights, byte by byte."""
    memory, digests = [], set()
    for i in range(4):
        result = go(drawn, start_weights, tmp_path / str(i), smallest(imgsz=32, batch=8))
        digests.add(result.weights.sha256)
        gc.collect()
        memory.append(resident_mb())
    assert len(digests) == 1
    assert memory[3] - memory[1] < 20, memory


def test_class_heads_are_carried_over_by_name(drawn, start_weights):
    """The weights know car and truck, the data set car and person."""
    arguments = module._arguments(start_weights, smallest(), 0)
    assert arguments["model"] == str(start_weights.path)
    assert library.get_cfg(overrides=arguments).cls_remap is True


def test_all_settings_reach_the_library(start_weights):
    settings = smallest(optimizer="AdamW", lr0=0.0007, extra={"dropout": 0.25, "cos_lr": True})
    arguments = module._arguments(start_weights, settings, 5)
    config = library.get_cfg(overrides=arguments)
    for name in module.SAME_NAME:
        expected = True if name == "cos_lr" else getattr(settings, name)
        assert getattr(config, name) == expected, name
    assert (config.seed, config.dropout, config.imgsz, config.plots) == (5, 0.25, 64, False)
    assert len(module.SAME_NAME) == 24


def test_imgsz_is_that_of_the_weights(start_weights):
    assert module._arguments(start_weights, smallest(imgsz=None), 0)["imgsz"] == 64


@pytest.mark.parametrize(
    ("optimizer", "rate"), [("AdamW", 0.0), ("RMSprop", 0.0), ("SGD", None), ("auto", None)]
)
def test_biases_begin_slowly_under_adaptive_steps(start_weights, optimizer, rate):
    arguments = module._arguments(start_weights, smallest(optimizer=optimizer), 0)
    assert arguments.get("warmup_bias_lr") == rate


def test_unknown_extra(drawn, start_weights, tmp_path):
    settings = smallest(extra={"moosaic": 1})
    with pytest.raises(SettingsError, match=r"trainer: ultralytics refuses .*moosaic"):
        go(drawn, start_weights, tmp_path / "r", settings)


def test_unknown_gpu(drawn, start_weights, tmp_path):
    with pytest.raises(SettingsError, match=r"device=\[70, 71\]: there is no GPU 70"):
        go(drawn, start_weights, tmp_path / "r", device=[70, 71])


def test_diverged_training(drawn, start_weights, tmp_path, monkeypatch):
    def nothing(*_):
        (tmp_path / "r" / "run").mkdir()

    monkeypatch.setattr(module, "_run", nothing)
    with pytest.raises(StageError, match=r"training gave no usable weights"):
        go(drawn, start_weights, tmp_path / "r")


def test_several_gpus_train_in_processes_of_their_own(tmp_path, monkeypatch):
    """device=[0,1] reaches ultralytics' DDP, which reports through results.csv."""
    from segtrack.model.ultralytics import engine
    from segtrack.model.ultralytics.epochs import EpochReporter

    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    seen = {}

    class Fake:
        def __init__(self, overrides, _callbacks):
            seen.update(overrides)
            self.callbacks = _callbacks

        def train(self):
            with socket.create_connection(("127.0.0.1", seen["ends_with"])):
                pass  # open meanwhile
            seen["called"] = {event for event, callbacks in self.callbacks.items() if callbacks}
            (tmp_path / "results.csv").write_text(
                "epoch,time,train/box_loss,metrics/mAP50(M)\n1,2.5,0.75,0.5\n2,5,0.5,0.6\n3,7"
            )

    monkeypatch.setattr(engine, "Trainer", Fake)
    reported = []
    reporter = EpochReporter(tmp_path / "results.csv", 3, lambda *args: reported.append(args))
    arguments = {"device": device_argument([0, 1]), "epochs": 3}
    module._run(arguments, smallest(), reporter)
    assert seen["device"] == "0,1"
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", seen["ends_with"]))
    assert [c for c in seen["called"] if c == "on_train_epoch_start"]
    assert reported == [
        ("train/box_loss", 0.75, 1),
        ("val/mask_map50", 0.5, 1),
        ("train/box_loss", 0.5, 2),
        ("val/mask_map50", 0.6, 2),
    ]


def test_trainer_can_be_sent_to_other_processes():
    """DDP pickles the trainer's class and its callbacks."""
    cloudpickle = pytest.importorskip("cloudpickle")
    from functools import partial

    from segtrack.model.ultralytics.engine import Trainer

    loaded, threads = cloudpickle.loads(
        cloudpickle.dumps((Trainer, partial(module._set_threads, 2)))
    )
    assert loaded is Trainer
    threads(None)
    assert torch.get_num_threads() == 2
    library.set_threads()


def test_no_finished_training(tmp_path):
    with pytest.raises(DataError, match=r"train.json: not readable as a finished training"):
        Training.load(tmp_path)
