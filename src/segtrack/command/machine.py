"""What a machine has of what segtrack uses: a finding for each thing, and what to do about it."""

from __future__ import annotations

import dataclasses
import os
import platform
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from importlib.util import find_spec
from pathlib import Path

from segtrack.base.environment import read_variables
from segtrack.base.errors import SegtrackError
from segtrack.base.labellerr_api import API_KEYS, VARIABLES
from segtrack.base.reachable import reachable
from segtrack.command import hardware
from segtrack.command.folders import require_writable
from segtrack.settings import LabellerrMode, Settings

OK, NOTE, PROBLEM = "ok", "note", "problem"
_LITTLE = 4 * 2**30  # bytes of memory or disk below which a training or its results may not fit


@dataclass(frozen=True)
class Finding:
    """One thing.

    Attributes:
        what: its name. state: ``ok``; ``note``: it works without; ``problem``: something does not.
        found: what there is. do: about what is missing; empty where nothing is.
    """

    what: str
    state: str
    found: str
    do: str = ""


def findings(settings: Settings, checkout: Path, online: bool) -> Iterator[Finding]:
    """All of them, in the order in which they are read.

    Args:
        settings: of the command, which say where store, weights and the like are.
        checkout: folder of the sources, where constraints.txt is; need not be one.
        online: look whether the internet is there, too.
    """
    yield python()
    yield from packages(checkout / "constraints.txt")
    yield cores()
    yield memory()
    yield instructions()
    yield from gpu()
    yield backends()
    yield video()
    yield compiled_cache()
    yield store(settings)
    yield mlflow(settings)
    yield weights(settings)
    yield labellerr(settings)
    yield sdk()
    yield ray()
    yield chromium()
    if online:
        yield from internet()


def python() -> Finding:
    """The interpreter."""
    return Finding("Python", OK, f"{platform.python_version()} at {sys.executable}")


def packages(constraints: Path) -> Iterator[Finding]:
    """Whether what segtrack needs is installed, and whether in the versions that were tested."""
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name as canonical

    needed = [Requirement(text) for text in _required()]
    needed = [one for one in needed if one.marker is None or one.marker.evaluate({"extra": ""})]
    wrong, there = [], {}
    for one in needed:
        found = installed(one.name)
        if found is None:
            wrong.append(f"{one.name} is missing")
        elif not one.specifier.contains(found, prereleases=True):
            wrong.append(f"{one.name} {found} is not {one.specifier}")
        else:
            there[canonical(one.name)] = found
    if wrong:
        do = "pip install segtrack anew, or make install in a checkout"
        yield Finding("packages", PROBLEM, "; ".join(wrong), do)
    else:
        yield Finding("packages", OK, f"all {len(needed)} that segtrack needs")
    if not constraints.is_file():
        return
    pinned = re.findall(r"^([\w.-]+)==(\S+)", constraints.read_text(encoding="utf-8"), re.MULTILINE)
    tested = {canonical(name): number for name, number in pinned}
    other = [
        f"{name} {found} (tested: {tested[name]})"
        for name, found in there.items()
        if name in tested and found.partition("+")[0] != tested[name].partition("+")[0]
    ]
    if other:
        yield Finding("versions", NOTE, "; ".join(other), "make install has the tested ones")
    else:
        yield Finding("versions", OK, "those that were tested")


def _required() -> list[str]:
    try:
        return requires("segtrack") or []
    except PackageNotFoundError:  # its sources alone, on the path
        return []


def installed(name: str) -> str | None:
    """The version of a distribution; OpenCV's counts under whichever name it is installed."""
    names = [name]
    if name == "opencv-python":
        names += [
            "opencv-python-headless",
            "opencv-contrib-python",
            "opencv-contrib-python-headless",
        ]
    for one in names:
        try:
            return version(one)
        except PackageNotFoundError:
            continue
    return None


def cores() -> Finding:
    """Cores that this process may use, and what a container leaves of them."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    text, share = f"{usable} of {os.cpu_count()} may be used", hardware.cpu_share()
    if share is not None and share < (usable or 1):
        threads = max(1, round(share))
        do = f"OMP_NUM_THREADS={threads} keeps threads from waiting for each other"
        return Finding("CPU cores", NOTE, f"{text}, of which the container has {share:g}", do)
    return Finding("CPU cores", OK, text)


def memory() -> Finding:
    """Memory of the machine, or of the container where that is less."""
    total, limit = hardware.memory_bytes(), hardware.memory_limit()
    least = min(one for one in (total, limit) if one is not None) if total or limit else None
    if least is None:
        return Finding("memory", OK, "not known on this system")
    of = "" if limit is None or total is None or limit >= total else f" of {_size(total)}"
    text = f"{_size(least)}{of}"
    if least < _LITTLE:
        do = "train with a small trainer.batch and trainer.imgsz, and dataset.workers=1"
        return Finding("memory", NOTE, text, do)
    return Finding("memory", OK, text)


def instructions() -> Finding:
    """What of the CPU makes networks fast."""
    flags = hardware.cpu_flags()
    known = {
        "avx2": "AVX2",
        "avx512f": "AVX-512",
        "avx512_vnni": "VNNI (8 bits)",
        "avx_vnni": "VNNI (8 bits)",
        "amx_int8": "AMX (8 bits)",
        "amx_bf16": "AMX (bfloat16)",
        "asimd": "NEON",
    }
    there = list(dict.fromkeys(text for flag, text in known.items() if flag in flags))
    if not flags:
        return Finding("instructions", OK, f"not listed on this system ({platform.machine()})")
    if not there:
        do = "networks will be slow; a smaller model.imgsz helps"
        return Finding("instructions", NOTE, "neither AVX2 nor NEON", do)
    return Finding("instructions", OK, ", ".join(there))


def gpu() -> Iterator[Finding]:
    """NVIDIA's cards: what the driver says, and whether torch can use them."""
    listed = hardware.driver_list()
    if listed is None:
        yield Finding("GPU", NOTE, "none (no NVIDIA driver)", "training on a CPU takes hours")
        return
    if not listed:
        do = "nvidia-smi says why: the driver is broken, or none is given to this container"
        yield Finding("GPU", PROBLEM, "a driver, but no card", do)
        return
    yield Finding("GPU", OK, "; ".join(listed))
    build, usable, why = torch_cuda()
    if usable:
        yield Finding("CUDA", OK, f"torch {build}")
    else:
        do = "install the torch build for this driver's CUDA (its site has a chooser)"
        yield Finding("CUDA", PROBLEM, f"torch {build} does not use it: {why}", do)


def torch_cuda() -> tuple[str, bool, str]:
    """torch's version, whether it can use a card, and why not. Importing it takes seconds."""
    try:
        import torch

        if torch.cuda.is_available():
            return f"{torch.__version__} (CUDA {torch.version.cuda})", True, ""
        built = torch.version.cuda
        why = f"built for CUDA {built}, the driver may be older" if built else "built for CPUs"
        return torch.__version__, False, why
    except (ImportError, OSError, RuntimeError) as error:
        return installed("torch") or "?", False, str(error).splitlines()[0]


def backends() -> Finding:
    """What computes networks on a CPU."""
    names = ("openvino", "onnxruntime", "onnx", "nncf")
    there = {name: found for name in names if (found := installed(name))}
    text = ", ".join(f"{name} {found}" for name, found in there.items()) or "torch alone"
    lacking = [name for name in ("onnxruntime", "onnx") if name not in there]
    todo = ["pip install 'segtrack[onnx]' for model.backend=onnx"] if lacking else []
    todo += [] if "nncf" in there else ["pip install 'segtrack[int8]' for networks of 8 bits"]
    if "openvino" not in there:
        return Finding("backends", PROBLEM, text, "pip install openvino")
    return Finding("backends", NOTE if todo else OK, text, "; ".join(todo))


def video() -> Finding:
    """FFmpeg as PyAV brings it, and its encoder."""
    try:
        import av
        from av.codec import Codec

        Codec("libx264", "w")
        text = f"PyAV {av.__version__} with FFmpeg {av.ffmpeg_version_info} and libx264"
        return Finding("video", OK, text)
    except Exception as error:  # av's own, or a library that is not there
        do = "pip install --force-reinstall av, whose wheels have FFmpeg with libx264"
        return Finding("video", PROBLEM, f"no H.264 can be written: {error}", do)


def compiled_cache() -> Finding:
    """Where numba keeps compiled loops: beside the sources, else in a folder of the user's."""
    folder = Path(os.environ.get("NUMBA_CACHE_DIR") or Path(__file__).parents[1] / "base")
    if writable(folder):
        return Finding("compiled loops", OK, f"are kept below {folder}")
    own = Path("~/.cache").expanduser()
    if writable(own):
        return Finding("compiled loops", OK, f"are kept below {own}")
    do = "set NUMBA_CACHE_DIR to a folder that can be written; else each run compiles anew"
    return Finding("compiled loops", PROBLEM, f"cannot be kept in {folder} or {own}", do)


def writable(folder: Path) -> bool:
    """Whether files can be made there."""
    try:
        require_writable(folder, "", "")
    except SegtrackError:
        return False
    return True


def store(settings: Settings) -> Finding:
    """Where results are kept."""
    from segtrack.store import Away, Far, is_address, store_folder

    folder = store_folder(settings)
    if not is_address(settings.store):
        return _place("store", folder, "store=FOLDER")
    try:
        Far(settings.store).reach(write=True)
    except Away as error:
        return Finding("store", PROBLEM, str(error), "runs use the cache, and send results later")
    except SegtrackError as error:
        return Finding("store", PROBLEM, f"{settings.store} cannot be used", str(error))
    cache = _place("store", folder, "store_cache=FOLDER")
    return dataclasses.replace(cache, found=f"{settings.store} answers; cache {cache.found}")


def mlflow(settings: Settings) -> Finding:
    """Where runs are recorded."""
    from segtrack.journal import require_tracking

    uri = settings.mlflow.uri
    try:
        require_tracking(settings.mlflow)
    except SegtrackError as error:
        return Finding("MLflow", PROBLEM, f"{uri} cannot be used", str(error))
    if uri.startswith("sqlite:///"):
        return _place("MLflow", Path(uri.removeprefix("sqlite:///")).parent, "mlflow.uri=...")
    return Finding("MLflow", OK, f"{uri} answers")


def _place(what: str, folder: Path, key: str) -> Finding:
    if not writable(folder):
        return Finding(what, PROBLEM, f"{folder} cannot be written", f"choose another: {key}")
    free = hardware.free_bytes(folder)
    text = f"{folder}, {_size(free)} free"
    if free < _LITTLE:
        do = f"segtrack store gc removes what was not used; or choose another disk: {key}"
        return Finding(what, NOTE, text, do)
    return Finding(what, OK, text)


def weights(settings: Settings) -> Finding:
    """The shipped ones, and those in ``model.weights_folder``."""
    from segtrack.model import FAMILIES

    families = [FAMILIES.get(name) for name in FAMILIES]
    shipped = sorted(p.name for one in families for p in one.shipped.values() if p.is_file())
    endings = {one.suffix for one in families}
    text = f"shipped: {', '.join(shipped) or 'none'}"
    given = settings.model.weights_folder
    if not given:
        do = "published ones without internet: model.weights_folder=FOLDER, or $SEGTRACK_WEIGHTS"
        return Finding("weights", OK if shipped else PROBLEM, text, do)
    folder = Path(given).expanduser()
    if not folder.is_dir():
        do = "mend model.weights_folder, or $SEGTRACK_WEIGHTS"
        return Finding("weights", PROBLEM, f"{text}; {folder} is no folder", do)
    files = sorted(p.name for p in folder.iterdir() if p.suffix in endings)
    return Finding("weights", OK, f"{text}; in {folder}: {', '.join(files) or 'none'}")


def labellerr(settings: Settings) -> Finding:
    """Whether credentials are there; never their values."""
    found = read_variables(VARIABLES)
    there, lacking = [n for n in VARIABLES if found[n]], [n for n in VARIABLES if not found[n]]
    if not lacking:
        return Finding("Labellerr", OK, "credentials are set")
    text = f"{', '.join(there) or 'no credentials'} set, without {', '.join(lacking)}"
    do = f"for labellerr=cloud set them; they are at {API_KEYS}"
    if settings.labellerr.mode is LabellerrMode.cloud or there:
        return Finding("Labellerr", PROBLEM, text, do)
    return Finding("Labellerr", OK, "no credentials: labellerr=emulator needs none", do)


def sdk() -> Finding:
    """Labellerr's own package."""
    if find_spec("labellerr") is not None:
        return Finding("Labellerr SDK", OK, installed("labellerr-sdk") or "installed")
    do = "not needed, as the same HTTP API is spoken directly: pip install 'segtrack[labellerr]'"
    return Finding("Labellerr SDK", OK, "not installed", do)


def ray() -> Finding:
    """What computes `segtrack predict` in several processes."""
    if found := installed("ray"):
        return Finding("Ray", OK, f"{found}, for segtrack predict scale.ray=local")
    do = "needed for scale.ray alone: pip install 'segtrack[scale]'"
    return Finding("Ray", OK, "not installed", do)


def chromium() -> Finding:
    """What prints reports as PDF."""
    from segtrack.report import find_browser

    if found := find_browser():
        return Finding("PDF", OK, f"{found} prints it")
    return Finding("PDF", NOTE, "no Chromium to print it", "install one, or take HTML")


def internet() -> Iterator[Finding]:
    """The hosts of published weights."""
    for host, what in hosts():
        if reachable(host):
            yield Finding("internet", OK, f"{host[0]} answers ({what})")
        else:
            do = "weights then come from model.weights_folder; shipped ones need no internet"
            yield Finding("internet", NOTE, f"{host[0]} does not answer ({what})", do)


def hosts() -> list[tuple[tuple[str, int], str]]:
    """Where the families' libraries fetch from."""
    from segtrack.model import DOWNLOAD_HOSTS

    return [(host, f"{what}'s published weights") for what, host in DOWNLOAD_HOSTS.items()]


def _size(count: int) -> str:
    return f"{count / 2**30:.1f} GiB"
