"""A training suits the machine: batches, loading, mixed precision; and memory that runs out."""

import types

import pytest
import torch

from segtrack.base.errors import StageError
from segtrack.base.metrics import MetricsFile
from segtrack.model import Network, train
from segtrack.model.ultralytics import engine, library
from segtrack.model.ultralytics import train as module
from tests.model.ultralytics.conftest import smallest
from tests.model.ultralytics.test_train import MODEL, go, numbers


@pytest.mark.parametrize(
    ("settings", "device", "expected"),
    [
        ({}, "cpu", (4, 0, False)),
        ({"batch": "auto", "cache": None}, "cpu", (16, 0, False)),
        ({"batch": "auto", "cache": None}, "0", (-1, 12, True)),
        ({}, "0", (4, 12, False)),
        ({"batch": "auto", "workers": 3}, "0,1", (32, 3, False)),
        ({"cache": None}, "0,1", (4, 12, False)),
        ({"cache": True, "workers": 0}, "1", (4, 0, True)),
    ],
)
def test_what_the_machine_chooses(settings, device, expected, monkeypatch):
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(12)), raising=False)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    found = module._of_machine(smallest(**settings), device)
    assert (found["batch"], found["workers"], found["cache"]) == expected


@pytest.mark.parametrize(
    ("fits", "waits", "batch"), [(1024, 64, 64), (50, 64, 32), (1, 64, 1), (40, 16, 16)]
)
def test_auto_is_what_fits_and_what_a_step_waits_for(monkeypatch, fits, waits, batch):
    monkeypatch.setattr(engine.SegmentationTrainer, "auto_batch", lambda self: fits)
    trainer = object.__new__(engine.Trainer)
    trainer.args = types.SimpleNamespace(nbs=waits)
    assert trainer.auto_batch() == batch


@pytest.mark.parametrize(
    ("card", "works"),
    [("NVIDIA H200", True), ("NVIDIA GeForce GTX 1660 Ti", False), ("Quadro T1000", False)],
)
def test_mixed_precision_is_not_downloaded_for(monkeypatch, card, works):
    from ultralytics.engine import trainer

    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: card)
    parameter = types.SimpleNamespace(device=torch.device("cuda", 0))
    network = types.SimpleNamespace(parameters=lambda: iter([parameter]))
    assert trainer.check_amp(network) is works
    assert not trainer.check_amp(torch.nn.Linear(1, 1))


@pytest.mark.filterwarnings("ignore:This DataLoader will create")
@pytest.mark.parametrize(
    ("workers", "batch", "cores", "expected"),
    [
        (4, 64, 16, (5, 2)),  # ten of the images fit into a batch: halves, each by a process
        (4, 2, 16, (2, 4)),  # several batches already
        (0, 64, 16, (10, 0)),
        (16, 64, 1, (5, 1)),
    ],
)
def test_validation_is_loaded_beside_the_training(
    start_weights, tmp_path, monkeypatch, workers, batch, cores, expected
):
    """As for a GPU, whose trainer has ``workers``; with one batch the library takes none."""
    trainer = object.__new__(engine.Trainer)
    trainer.args = types.SimpleNamespace(workers=workers)

    def theirs(self, path, batch_size, rank, mode):
        from ultralytics.data.build import build_dataloader

        return build_dataloader(list(range(10)), batch_size, workers, shuffle=False, device="cpu")

    monkeypatch.setattr("os.cpu_count", lambda: cores)
    monkeypatch.setattr(engine.SegmentationTrainer, "get_dataloader", theirs)
    loader = trainer.get_dataloader("images", batch, -1, "val")
    assert (loader.batch_size, loader.num_workers) == expected
    assert trainer.get_dataloader("images", batch, -1, "train").batch_size == min(batch, 10)


def test_compile_reaches_the_library(start_weights):
    assert module._arguments(start_weights, smallest(compile=True), 0)["compile"] is True


def out_of_memory_when(monkeypatch, full):
    """Let a step raise as CUDA does where ``full`` says so, of the trainer and its batch."""
    theirs = engine.SegmentationTrainer.preprocess_batch

    def preprocess(self, batch):
        if full(self, len(batch["img"])):
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB")
        return theirs(self, batch)

    monkeypatch.setattr(engine.SegmentationTrainer, "preprocess_batch", preprocess)


def test_out_of_memory_in_the_first_epoch_halves_the_batch(
    drawn, start_weights, tmp_path, monkeypatch
):
    """The library's three halvings end at 4; ours is the fourth."""
    out_of_memory_when(monkeypatch, lambda trainer, images: images > 2)
    freed = []
    monkeypatch.setattr("segtrack.model.training.free", lambda: freed.append(True))
    go(drawn, start_weights, tmp_path / "r", smallest(batch=32))
    assert freed == [True]
    assert numbers(tmp_path / "r")["train/batch"] == {1: 2}


def test_out_of_memory_later_goes_on_from_the_last_epoch(
    drawn, start_weights, tmp_path, monkeypatch, capsys
):
    epochs = []

    def full(trainer, images):
        epochs.append(trainer.epoch)
        return trainer.epoch == 1 and images > 2

    out_of_memory_when(monkeypatch, full)
    result = go(drawn, start_weights, tmp_path / "r", smallest(epochs=3))
    assert (result.epochs, set(epochs)) == (3, {0, 1, 2})
    assert epochs.count(0) == 2  # two steps of four images, and never again
    assert numbers(tmp_path / "r")["train/batch"] == {1: 4, 2: 2, 3: 2}
    assert "out of memory; the training goes on with batches of 2" in capsys.readouterr().out


def test_no_memory_for_a_single_image(drawn, start_weights, tmp_path, monkeypatch):
    out_of_memory_when(monkeypatch, lambda trainer, images: True)
    (tmp_path / "r").mkdir()
    network = Network(MODEL, start_weights, "cpu")
    with pytest.raises(StageError, match="training failed: CUDA out of memory"):
        train(drawn, network, smallest(batch=2), 0, tmp_path / "r", MetricsFile(tmp_path / "r"))


def test_processes_of_several_gpus_find_the_trainer(drawn, start_weights, tmp_path, monkeypatch):
    """What the library writes for them is read as they read it, with all arguments."""
    pytest.importorskip("cloudpickle")
    from ultralytics.utils import DEFAULT_CFG_DICT, dist
    from ultralytics.utils.patches import torch_load

    from segtrack.model.ultralytics.data import link_tree

    monkeypatch.setattr(dist, "USER_CONFIG_DIR", tmp_path)
    arguments = module._arguments(start_weights, smallest(), 0) | {
        **module._of_machine(smallest(), "cpu"),
        "device": "cpu",
        "data": str(link_tree(drawn, tmp_path / "tree")),
        "save_dir": str(tmp_path / "run"),
        "paste_occluders": 0.25,
        "ends_with": 4321,
    }
    ended = []
    monkeypatch.setattr(engine, "end_with", ended.append)
    callbacks = library.get_default_callbacks()
    callbacks["on_train_batch_end"].append(module._stop_if_asked)
    first = engine.Trainer(overrides=arguments, _callbacks=callbacks)
    first.args.paste_occluders = first.paste_occluders  # as where there are several
    first.args.ends_with = 4321
    assert not ended  # the command itself
    file = dist.generate_ddp_file(first)
    state = torch_load(file.replace(".py", ".pt"), map_location="cpu")
    assert state["trainer"] is engine.Trainer
    config = {**DEFAULT_CFG_DICT, "save_dir": ""}
    monkeypatch.setenv("LOCAL_RANK", "1")
    again = state["trainer"](cfg=config, overrides=state["args"], _callbacks=state["callbacks"])
    assert ended == [4321]
    assert again.paste_occluders == 0.25
    assert again.args.batch == 4
    assert again.callbacks["on_train_batch_end"][-1] is module._stop_if_asked
