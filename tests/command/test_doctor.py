"""``segtrack doctor`` on machines that have this and lack that."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from segtrack.command import hardware, machine
from segtrack.command.app import main
from segtrack.command.composition import compose_settings
from segtrack.command.machine import NOTE, OK, PROBLEM, Finding
from segtrack.settings import Settings


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    from segtrack.command.app import CONF

    monkeypatch.chdir(tmp_path)
    for name in (*machine.VARIABLES, "SEGTRACK_STORE", "SEGTRACK_WEIGHTS", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)
    return compose_settings(CONF, [])


def test_this_machine(
    settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every line says what and what was found; nothing is left behind."""
    code = main(["doctor"])
    out, err = capsys.readouterr()
    assert err == "" and list(tmp_path.iterdir()) == []
    lines = out.splitlines()
    names = [line[2:17].strip() for line in lines if line[:2] in ("  ", "! ", "- ")]
    for name in ("Python", "packages", "memory", "backends", "video", "store", "weights", "PDF"):
        assert name in names
    assert all(len(line) <= 100 for line in lines)
    assert code == any(line.startswith("! ") for line in lines)
    assert re.fullmatch(r"(no problems|1 problem|\d+ problems); (1 note|\d+ notes)", lines[-1])


def test_for_programs(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = [Finding("a", OK, "there"), Finding("b", PROBLEM, "ftp://me:pass1234@x", "mend it")]
    monkeypatch.setattr(machine, "findings", lambda *_: iter(found))
    assert main(["doctor", "--json"]) == 1
    rows = json.loads(capsys.readouterr().out)
    assert rows[0] == {"what": "a", "state": "ok", "found": "there", "do": ""}
    assert rows[1]["state"] == "problem" and "pass1234" not in json.dumps(rows)
    monkeypatch.setattr(machine, "findings", lambda *_: iter(found[:1]))
    assert main(["doctor"]) == 0
    assert capsys.readouterr().out == "  a              there\n\nno problems; 0 notes\n"


def test_wrong_settings_are_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "trainer=standart"]) == 2
    assert "did you mean standard?" in capsys.readouterr().err


def test_packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    needed = ["numpy>=2", "av>=99", "nowhere-to-be-found>=1", 'dev-tool>=1; extra == "dev"']
    monkeypatch.setattr(machine, "_required", lambda: needed)
    have = {"numpy": "2.1.0", "av": "15.0.0"}
    monkeypatch.setattr(machine, "installed", have.get)
    constraints = tmp_path / "constraints.txt"
    constraints.write_text("# tested\nnumpy==2.2.0\nav==15.0.0\n")
    wrong, other = machine.packages(constraints)
    assert wrong.state == PROBLEM
    assert wrong.found == "av 15.0.0 is not >=99; nowhere-to-be-found is missing"
    assert (other.state, other.found) == (NOTE, "numpy 2.1.0 (tested: 2.2.0)")
    constraints.write_text("numpy==2.2.0\nav==100\n")
    have |= {"av": "100", "nowhere-to-be-found": "1.5", "numpy": "2.2.0+local"}
    fine, same = machine.packages(constraints)
    assert (fine.state, fine.found) == (OK, "all 3 that segtrack needs")
    assert (same.state, same.found) == (OK, "those that were tested")
    assert len(list(machine.packages(tmp_path / "none"))) == 1


def test_what_a_container_leaves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cpu.max").write_text("150000 100000\n")
    (tmp_path / "memory.max").write_text(f"{2 * 2**30}\n")
    assert hardware.cpu_share(tmp_path) == 1.5
    assert hardware.memory_limit(tmp_path) == 2 * 2**30
    (tmp_path / "cpu.max").write_text("max 100000\n")
    (tmp_path / "memory.max").write_text("max\n")
    assert hardware.cpu_share(tmp_path) is None and hardware.memory_limit(tmp_path) is None
    old = tmp_path / "v1"
    for name, text in (
        ("cpu/cpu.cfs_quota_us", "400000"),
        ("cpu/cpu.cfs_period_us", "100000"),
        ("memory/memory.limit_in_bytes", "9223372036854771712"),
    ):
        (old / name).parent.mkdir(parents=True, exist_ok=True)
        (old / name).write_text(text)
    assert hardware.cpu_share(old) == 4.0 and hardware.memory_limit(old) is None
    monkeypatch.setattr(hardware, "cpu_share", lambda: 0.5)
    found = machine.cores()
    assert found.state == NOTE and "the container has 0.5" in found.found
    assert found.do.startswith("OMP_NUM_THREADS=1 ")
    monkeypatch.setattr(hardware, "memory_bytes", lambda: 64 * 2**30)
    monkeypatch.setattr(hardware, "memory_limit", lambda: 3 * 2**30)
    found = machine.memory()
    assert (found.state, found.found) == (NOTE, "3.0 GiB of 64.0 GiB")
    monkeypatch.setattr(hardware, "memory_limit", lambda: None)
    assert (machine.memory().state, machine.memory().found) == (OK, "64.0 GiB")


@pytest.mark.parametrize(
    ("flags", "state", "found"),
    [
        (
            "fpu avx2 avx512f avx512_vnni amx_bf16",
            OK,
            "AVX2, AVX-512, VNNI (8 bits), AMX (bfloat16)",
        ),
        ("fpu sse4_2", NOTE, "neither AVX2 nor NEON"),
        ("fp asimd", OK, "NEON"),
    ],
)
def test_instructions(
    flags: str, state: str, found: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "cpuinfo"
    path.write_text(f"processor\t: 0\nflags\t\t: {flags}\nbugs\t: spectre\n")
    assert hardware.cpu_flags(path) == set(flags.split())
    assert hardware.cpu_flags(tmp_path / "none") == set()
    monkeypatch.setattr(hardware, "cpu_flags", lambda: set(flags.split()))
    assert (machine.instructions().state, machine.instructions().found) == (state, found)


SMI = """#!/bin/sh
case "$1" in
  -L) printf 'GPU 0: NVIDIA H200 (UUID: GPU-1)\\n  MIG 1g.18gb     Device  0: (UUID: MIG-2)\\n' ;;
  *) echo 'NVIDIA H200, 143771 MiB, 570.86.15' ;;
esac
"""


def test_a_gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    (tmp_path / "nvidia-smi").write_text(SMI)
    (tmp_path / "nvidia-smi").chmod(0o755)
    monkeypatch.setattr(machine, "torch_cuda", lambda: ("2.9.0 (CUDA 12.8)", True, ""))
    card, cuda = machine.gpu()
    assert card.found == "NVIDIA H200, 143771 MiB, driver 570.86.15; MIG 1g.18gb"
    assert (cuda.state, cuda.found) == (OK, "torch 2.9.0 (CUDA 12.8)")
    monkeypatch.setattr(machine, "torch_cuda", lambda: ("2.9.0+cpu", False, "built for CPUs"))
    _, cuda = machine.gpu()
    assert cuda.state == PROBLEM and "does not use it: built for CPUs" in cuda.found
    (tmp_path / "nvidia-smi").write_text("#!/bin/sh\necho 'driver mismatch' >&2\nexit 9\n")
    (broken,) = machine.gpu()
    assert (broken.state, broken.found) == (PROBLEM, "a driver, but no card")
    (tmp_path / "nvidia-smi").unlink()
    monkeypatch.setenv("PATH", str(tmp_path))
    (none,) = machine.gpu()
    assert none.state == NOTE and none.found.startswith("none")


def test_torch_says_why_it_uses_no_card() -> None:
    import torch

    build, usable, why = machine.torch_cuda()
    assert build.startswith(torch.__version__.partition("+")[0])
    assert usable == torch.cuda.is_available() and bool(why) != usable


def test_backends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "installed", {"openvino": "2026.1"}.get)
    found = machine.backends()
    assert (found.state, found.found) == (NOTE, "openvino 2026.1")
    assert "segtrack[onnx]" in found.do and "segtrack[int8]" in found.do
    monkeypatch.setattr(machine, "installed", {}.get)
    assert machine.backends().state == PROBLEM


def test_video_needs_an_encoder(monkeypatch: pytest.MonkeyPatch) -> None:
    assert machine.video().state == OK and "libx264" in machine.video().found
    import av.codec

    def none(name: str, mode: str) -> Any:
        raise ValueError(f"no codec {name}")

    monkeypatch.setattr(av.codec, "Codec", none)
    assert machine.video().state == PROBLEM and "no codec libx264" in machine.video().found


def test_places(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert machine.store(settings).state == OK
    assert machine.mlflow(settings).state == OK
    monkeypatch.setattr(hardware, "free_bytes", lambda _: 2**30)
    found = machine.store(settings)
    assert (found.state, found.found) == (NOTE, ".segtrack, 1.0 GiB free")
    assert "store gc" in found.do
    monkeypatch.setattr(machine, "writable", lambda _: False)
    assert machine.store(settings).state == PROBLEM
    assert machine.compiled_cache().state == PROBLEM
    monkeypatch.undo()
    settings.store = "memory://doctor/team"
    found = machine.store(settings)
    assert found.state == OK and found.found.startswith("memory://doctor/team answers; cache ")
    settings.store = "nosuch://bucket/x"
    found = machine.store(settings)
    assert found.state == PROBLEM and "Protocol not known" in found.do
    assert hardware.free_bytes(tmp_path / "not" / "yet") > 0
    assert machine.writable(tmp_path) and not machine.writable(Path("/proc"))


def test_a_server_that_does_not_answer(settings: Settings) -> None:
    from segtrack.command.app import CONF

    words = ["mlflow=server", "mlflow.uri=http://127.0.0.1:9", "mlflow.timeout=1"]
    found = machine.mlflow(compose_settings(CONF, words))
    assert found.state == PROBLEM and "no MLflow server answers" in found.do


def test_weights(settings: Settings, tmp_path: Path) -> None:
    from segtrack.command.app import CONF

    assert machine.weights(settings).found == "shipped: yolov8n-seg-sim.pt"
    folder = tmp_path / "weights"
    given = compose_settings(CONF, [f"model.weights_folder={folder}"])
    assert machine.weights(given).state == PROBLEM
    folder.mkdir()
    for name in ("yolov8s-seg.pt", "notes.txt"):
        (folder / name).touch()
    assert machine.weights(given).found.endswith(f"in {folder}: yolov8s-seg.pt")


def test_credentials_are_named_and_never_shown(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = machine.labellerr(settings)
    assert found.state == OK and found.found.startswith("no credentials")
    monkeypatch.setenv("LABELLERR_API_KEY", "geheim-1234")
    found = machine.labellerr(settings)
    assert found.state == PROBLEM and "geheim" not in found.found + found.do
    assert found.found.endswith("without LABELLERR_API_SECRET, LABELLERR_CLIENT_ID")
    for name in machine.VARIABLES:
        monkeypatch.setenv(name, "geheim-1234")
    assert (machine.labellerr(settings).state, machine.labellerr(settings).do) == (OK, "")


def test_internet_only_where_it_is_asked_for(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def answers(address: tuple[str, int]) -> bool:
        asked.append(address[0])
        return address[0] == "github.com"

    monkeypatch.setattr(machine, "reachable", answers)
    assert not any(one.what == "internet" for one in machine.findings(settings, tmp_path, False))
    assert asked == []
    found = [one for one in machine.findings(settings, tmp_path, True) if one.what == "internet"]
    assert [one.state for one in found] == [OK, NOTE] and len(asked) == 2
