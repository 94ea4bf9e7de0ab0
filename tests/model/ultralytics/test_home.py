"""OpenVINO's core of a process."""

import subprocess
import sys

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
