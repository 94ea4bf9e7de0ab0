"""Which device is meant, whether it is there, and what is recorded of it."""

import time
import types

import pytest
import torch

from segtrack.base.errors import SettingsError
from segtrack.command.app import main
from segtrack.model import first_device, gpu_record
from segtrack.model.devices import device_argument
from segtrack.settings import gpu_indices

SMI = """#!/bin/sh
case "$*" in
  *driver_version*) {driver}; exit;;
esac
echo "$*" > {here}/asked
echo "40, 1000"; echo "[N/A], 10"; echo "60, 3000"
exec sleep 60
"""


@pytest.fixture
def cards(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    known = {
        i: types.SimpleNamespace(uuid=f"u{i}", name="H200", total_memory=i << 30) for i in (0, 1)
    }
    monkeypatch.setattr(torch.cuda, "get_device_properties", known.__getitem__)


@pytest.mark.parametrize(
    ("given", "argument", "first"),
    [
        ("auto", "0", "cuda:0"),
        ("cpu", "cpu", "cpu"),
        ("cuda", "0", "cuda:0"),
        ("cuda:1", "1", "cuda:1"),
        (1, "1", "cuda:1"),
        ("0", "0", "cuda:0"),
        ("0,1", "0,1", "cuda:0"),
        ([1, 0], "1,0", "cuda:1"),
        (["cuda:0", "1"], "0,1", "cuda:0"),
    ],
)
def test_device_argument(cards, given, argument, first):
    assert (device_argument(given), first_device(given)) == (argument, first)


@pytest.mark.parametrize(
    "given", [True, [], "", [0, 0], [0, -1], 1.0, "gpu", "cuda:", "cuda:0:1", None, {}, [[0]]]
)
def test_what_means_no_device(given):
    assert gpu_indices(given) is None


def test_a_card_that_is_not_there(cards, monkeypatch):
    with pytest.raises(SettingsError, match=r"device=\[0, 2\]: there is no GPU 2; torch sees 2"):
        device_argument([0, 2])
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert device_argument("auto") == "cpu"


def test_apple(monkeypatch):
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert device_argument("mps") == "mps"
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(SettingsError, match="device=mps: torch finds no Apple GPU"):
        device_argument("mps")


@pytest.mark.parametrize("words", [(), ("plan=true",), ("-m", "seed=0,1")])
def test_it_is_said_before_the_run_begins(cards, words, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["device=cuda:7", "stages=[prepare]", *words]) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: device=cuda:7: there is no GPU 7; torch sees 2.")
    assert said.count("\n") == 1
    assert not list(tmp_path.iterdir())


def driver_that(says, folder, monkeypatch):
    tool = folder / "nvidia-smi"
    tool.write_text(SMI.format(here=folder, driver=says))
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")


def test_what_is_recorded_of_a_gpu(cards, tmp_path, monkeypatch):
    driver_that('echo "580.1"', tmp_path, monkeypatch)
    tags, numbers = {}, {}
    with gpu_record([1, 0], tags.update, numbers.__setitem__):
        until = time.monotonic() + 10
        while not (tmp_path / "asked").exists() and time.monotonic() < until:
            time.sleep(0.01)
        time.sleep(0.1)
    assert tags.pop("gpu.cuda") == str(torch.version.cuda)
    assert tags == {"gpu.name": "H200, H200", "gpu.driver": "580.1", "gpu.memory_mb": "1024, 0"}
    assert numbers == {"speed/gpu_load_percent": 50.0, "speed/gpu_memory_mb": 3000.0}
    assert "-i GPU-u1,GPU-u0 -lms 1000" in (tmp_path / "asked").read_text()


@pytest.mark.parametrize("says", ["exit 9", "exec sleep 60"])
def test_a_driver_that_does_not_answer_is_not_asked_again(cards, says, tmp_path, monkeypatch):
    driver_that(says, tmp_path, monkeypatch)
    monkeypatch.setattr("segtrack.model.gpu._TIMEOUT", 0.2)
    tags, numbers = {}, {}
    with gpu_record([1], tags.update, numbers.__setitem__):
        time.sleep(0.1)
    cuda = str(torch.version.cuda)
    assert tags == {"gpu.name": "H200", "gpu.memory_mb": "1024", "gpu.cuda": cuda}
    assert numbers == {}
    assert not (tmp_path / "asked").exists()


@pytest.mark.parametrize("error", [RuntimeError, AssertionError, AttributeError])
def test_a_card_that_does_not_work_breaks_no_run(cards, error, monkeypatch):
    def broken(_):
        raise error("CUDA error: unknown error")

    monkeypatch.setattr(torch.cuda, "get_device_properties", broken)
    seen = []
    with gpu_record([1], seen.append, lambda *number: seen.append(number)):
        seen.append("work")
    assert seen == ["work"]


def test_without_a_gpu_nothing_is_recorded(monkeypatch):
    seen = []
    with gpu_record("cpu", seen.append, lambda *number: seen.append(number)):
        pass
    monkeypatch.setenv("PATH", "/nowhere")
    with gpu_record("auto", seen.append, lambda *number: seen.append(number)):
        pass
    assert seen == []
