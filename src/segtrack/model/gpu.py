"""What GPU a run used, by torch, and how busy it was: ``nvidia-smi``, asked once a second.

The load counts all that the card does, of the processes of a training on several GPUs too.
A record alone: whatever fails here leaves it out, and the run goes on.
"""

from __future__ import annotations

import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import IO, Any

from segtrack.base.processes import deaf_children
from segtrack.model.devices import device_argument

Facts = Mapping[str, str]
_EVERY = 1000  # ms between two looks
_TIMEOUT = 20.0  # s, for the tool's first answer
_PATIENCE = 5.0  # s, for its end


@contextmanager
def gpu_record(
    device: Any, tags: Callable[[Facts], None], number: Callable[[str, float], None]
) -> Iterator[None]:
    """Record the GPUs that ``device`` means, and their load while the block works.

    Nothing where they are none of NVIDIA's; no load where their driver does not answer.

    Args:
        tags: gets name, driver, CUDA and memory at the start.
        number: gets ``speed/gpu_load_percent`` (mean) and ``speed/gpu_memory_mb`` (peak) at the
            end.
    """
    tool = shutil.which("nvidia-smi")
    if device in ("cpu", "mps") or (device == "auto" and not tool):
        yield  # without torch, whose import takes seconds
        return
    facts, cards = _known(device)
    driver = _driver(tool, cards) if tool and cards else ""
    if facts:
        tags(facts | ({"gpu.driver": driver} if driver else {}))
    if not tool or not driver:
        yield
        return
    words = [*_words(tool, cards, "utilization.gpu,memory.used"), "-lms", str(_EVERY)]
    seen = _Seen()
    try:
        with deaf_children():
            child = subprocess.Popen(
                words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
            )
    except OSError:
        yield
        return
    assert child.stdout is not None
    reader = threading.Thread(target=seen.read, args=(child.stdout,), daemon=True)
    reader.start()
    try:
        yield
    finally:
        child.terminate()
        try:
            child.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            child.kill()
            with suppress(subprocess.TimeoutExpired):  # a driver that hangs keeps it
                child.wait(_PATIENCE)
        reader.join(_PATIENCE)
        if seen.count:
            number("speed/gpu_load_percent", seen.load / seen.count)
            number("speed/gpu_memory_mb", seen.peak)


def _known(device: Any) -> tuple[dict[str, str], list[str]]:
    """What torch knows of the cards, and their identities, since the driver may number them in
    another way."""
    import torch

    try:
        places = [place for place in device_argument(device).split(",") if place.isdigit()]
        cards = [torch.cuda.get_device_properties(int(place)) for place in places]
        known = {
            "gpu.name": ", ".join(card.name for card in cards),
            "gpu.memory_mb": ", ".join(str(card.total_memory >> 20) for card in cards),
            "gpu.cuda": str(torch.version.cuda),
        }
        return (known if cards else {}), [f"GPU-{card.uuid}" for card in cards]
    except (RuntimeError, AssertionError, AttributeError):  # torch's, of cards that do not work
        return {}, []


def _driver(tool: str, cards: list[str]) -> str:
    """The driver's version; empty where the tool does not answer."""
    try:
        text = subprocess.run(
            _words(tool, cards, "driver_version"),
            capture_output=True,
            text=True,
            check=True,
            timeout=_TIMEOUT,
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return ""
    return ", ".join(text.split())


def _words(tool: str, cards: list[str], fields: str) -> list[str]:
    return [tool, f"--query-gpu={fields}", "--format=csv,noheader,nounits", "-i", ",".join(cards)]


class _Seen:
    """Sums over the lines that the tool writes, one for each card and look: percent, MB."""

    def __init__(self) -> None:
        self.count, self.load, self.peak = 0, 0.0, 0.0

    def read(self, lines: IO[str]) -> None:
        with lines:
            for line in lines:
                try:
                    load, memory = (float(cell) for cell in line.split(","))
                except ValueError:  # [N/A], as on cards that are divided
                    continue
                self.count += 1
                self.load += load
                self.peak = max(self.peak, memory)
