"""Data sets that ultralytics knows by name: downloaded when asked for, read as YOLO folders."""

from __future__ import annotations

import difflib
import importlib.util
import shutil
import socket
import urllib.error
import urllib.parse
import urllib.request
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

from segtrack.base.atomic import settle
from segtrack.base.errors import DataError
from segtrack.base.processes import stop_if_asked
from segtrack.base.progress import doing
from segtrack.dataset.sources.ultralytics.settings import UltralyticsSettings
from segtrack.dataset.sources.yolo.config import YoloConfig, load_yaml, read_config
from segtrack.dataset.sources.yolo.names import read_names

PROBE_S = 5.0  # how long to wait for the server to answer at all
_STALL_S = 30.0  # how long a download may stand still
_PIECE = 1 << 20


def ultralytics_config(settings: UltralyticsSettings, cache: Path) -> YoloConfig:
    """The data set as a YOLO folder; downloads it where it is not there.

    A folder ``dataset.path`` that holds a data.yaml is used as it is, without internet.

    Args:
        cache: where downloads go unless ``dataset.path`` says.

    Raises:
        DataError: the name is not known, it has no masks, or it cannot be downloaded.
    """
    home = local_folder(settings, cache)
    if (home / "data.yaml").is_file():
        return read_config(home)
    preset = preset_file(settings.name)
    content = load_yaml(preset)
    folder = home / str(content.get("path", preset.stem))
    if not folder.is_dir():
        _download(settings.name, str(content.get("download", "")), home)
    inner = {**content, "path": "."}
    if not folder.is_dir():
        raise DataError(
            f"dataset.name: the download of {settings.name} did not make {folder}; unpack it "
            "yourself and use dataset=yolo dataset.path=FOLDER"
        )
    import yaml

    written = folder / "data.yaml"
    if not written.is_file():  # the folder is ours: it was downloaded
        inner.pop("download", None)
        text = yaml.safe_dump(inner, sort_keys=False, allow_unicode=True)
        written.write_text(text, encoding="utf-8")
    config = read_config(written)
    return replace(config, names=read_names(content.get("names"), preset)[0])


def local_folder(settings: UltralyticsSettings, cache: Path) -> Path:
    """Where the data set is, or will be."""
    return Path(settings.path).expanduser() if settings.path else cache / "ultralytics"


def preset_file(name: str) -> Path:
    """The YAML file of ultralytics that describes the data set.

    Raises:
        DataError: there is none of that name.
    """
    spec = importlib.util.find_spec("ultralytics")  # importing it would take seconds
    places = spec.submodule_search_locations if spec else None
    if not places:
        raise DataError("dataset=ultralytics needs the package ultralytics; install it")
    folder = Path(places[0]) / "cfg" / "datasets"
    file = folder / (name if name.endswith((".yaml", ".yml")) else f"{name}.yaml")
    if not file.is_file():
        known = sorted(p.name for p in folder.glob("*.yaml"))
        near = difflib.get_close_matches(file.name, known, n=1, cutoff=0.5)
        raise DataError(
            f"dataset.name is {name!r}, which ultralytics does not have"
            + (f" (nearest: {near[0]})" if near else "")
            + f"; it has {', '.join(k for k in known if '-seg' in k or k == 'coco.yaml')}"
        )
    return file


def _download(name: str, url: str, home: Path) -> None:
    if not url.startswith(("http://", "https://")) or not url.endswith(".zip"):
        raise DataError(
            f"dataset.name: {name} is not one archive (ultralytics fetches it by a script); "
            "download it with ultralytics, then use dataset=yolo dataset.path=FOLDER"
        )
    _probe(name, url)
    home.mkdir(parents=True, exist_ok=True)
    archive = home / (Path(urllib.parse.urlsplit(url).path).name + ".partial")
    try:
        with (
            urllib.request.urlopen(url, timeout=_STALL_S) as source,
            archive.open("wb") as target,
        ):
            _copy(source, target, name)
        _unpack(archive, home)
    except (OSError, zipfile.BadZipFile) as error:
        raise DataError(
            f"dataset.name: {name} could not be downloaded from {url} ({error}); run the same "
            f"command again, or unpack the archive into {home} yourself"
        ) from error
    finally:
        archive.unlink(missing_ok=True)


def _copy(source: Any, target: BinaryIO, name: str) -> None:
    size = source.headers.get("Content-Length")
    total = int(size) / 1e6 if size and size.isdigit() else None
    with doing(f"download {name}", total, "MB") as work:
        while piece := source.read(_PIECE):
            stop_if_asked()
            target.write(piece)
            work.advance(len(piece) / 1e6)


def _probe(name: str, url: str) -> None:
    """Fail at once without internet, instead of after the long time-outs of a download."""
    address = urllib.parse.urlsplit(url)
    proxies = urllib.request.getproxies()
    if address.scheme in proxies:  # then names need not resolve on this machine
        address = urllib.parse.urlsplit(proxies[address.scheme])
    port = address.port or (443 if address.scheme == "https" else 80)
    try:
        socket.create_connection((address.hostname or "", port), timeout=PROBE_S).close()
    except OSError as error:
        raise DataError(
            f"dataset.name: {name} has to be downloaded from {url}, and {address.hostname} does "
            f"not answer ({error}). Without internet use dataset=traffic_sim, or dataset=yolo "
            "dataset.path=FOLDER with a copy"
        ) from error


def _unpack(archive: Path, home: Path) -> None:
    """Unpack beside the place, then move: a broken download leaves no half folder."""
    scratch = home / "unpacking"
    shutil.rmtree(scratch, ignore_errors=True)
    with zipfile.ZipFile(archive) as box:
        box.extractall(scratch)  # zipfile keeps members inside of the folder
    parts = list(scratch.iterdir())
    whole = len(parts) == 1 and parts[0].is_dir()
    source = parts[0] if whole else scratch
    target = home / (parts[0].name if whole else Path(archive.stem).stem)
    if not target.exists():
        settle(source, target)
    shutil.rmtree(scratch, ignore_errors=True)
