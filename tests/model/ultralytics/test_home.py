"""OpenVINO's core of a process, and its temporary files."""

import os
import subprocess
import sys
from pathlib import Path

_THREADS = """
import sys, threading
from segtrack.model.ultralytics.home import import_openvino, openvino_core

openvino_core()
sys.setswitchinterval(1e-6)
barrier = threading.Barrier(4)

def first() -> None:
    barrier.wait()
    import_openvino().Type.f32.to_dtype()  # what each inference asks of its inputs

threads = [threading.Thread(target=first, daemon=True) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print("done")
"""


def test_several_threads_compute_from_the_beginning() -> None:
    """OpenVINO's first inferences, in two threads at once, waited for each other for ever."""
    begun = [
        subprocess.Popen([sys.executable, "-c", _THREADS], stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    try:
        assert [process.communicate(timeout=60)[0] for process in begun] == ["done\n"] * 4
    finally:
        for process in begun:
            process.kill()


_FAILING = """
from types import SimpleNamespace
from segtrack.base.errors import StageError
from segtrack.model.ultralytics import exporting

def export(network, form, folder):
    (folder / "half").write_text("")
    raise StageError(f"no room in {folder}")

exporting.export_network, exporting.require = export, lambda *_: None
parts = {"settings": SimpleNamespace(name="n"), "weights": SimpleNamespace(sha256="0")}
try:
    exporting.converted(SimpleNamespace(device="cpu", **parts), "onnx")
except StageError as error:
    print(error)
"""


def test_a_conversion_that_fails_leaves_no_temporary_folder(tmp_path: Path) -> None:
    for name in ("home", "tmp"):
        (tmp_path / name).mkdir()
    places = {"SEGTRACK_HOME": str(tmp_path / "home"), "TMPDIR": str(tmp_path / "tmp")}
    command = [sys.executable, "-c", _FAILING]
    said = subprocess.check_output(command, env={**os.environ, **places}, text=True, timeout=60)
    assert said.startswith(f"no room in {tmp_path / 'tmp' / 'segtrack-'}")
    assert list((tmp_path / "tmp").iterdir()) == []
