"""Checkpoints read as data: whatever a file asks for, no code of its choice runs.

``torch.save`` writes a zip of one pickle and its tensors' numbers, and a pickle may call anything.
So it is read into stand-ins of what it names, and those become networks afterwards: layers and the
few things around them, made without calling their classes, whose attributes are numbers, text,
tensors, containers and other layers. Importing this module imports ultralytics.
"""

from __future__ import annotations

import io
import math
import pickle
import sys
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import nn
from ultralytics.utils import IterableSimpleNamespace

LAYERS = ("torch.nn.modules", "ultralytics.nn.modules")  # and the modules directly below them
NETWORKS = "ultralytics.nn.tasks"
LOSSES = ("ultralytics.utils.loss", "ultralytics.utils.tal")  # a training makes its own
TRANSFORMS = "torchvision.transforms.transforms"  # of the picture, for networks that classify
MODE = "torchvision.transforms.functional.InterpolationMode"
CLASSES = {  # beside layers; and what moved since
    "ultralytics.utils.IterableSimpleNamespace": IterableSimpleNamespace,
    "ultralytics.yolo.utils.IterableSimpleNamespace": IterableSimpleNamespace,
    "ultralytics.nn.modules.block.Silence": nn.Identity,
}
MOST_LAYERS = 100_000  # counting one that is shared as often as it is met
SHARING = 4  # all tensors may be this much larger than the file in which they share numbers
_DTYPES = {  # of a storage's class, by its name
    **{f"{name.capitalize()}Storage": name for name in ("float", "double", "half", "long", "int")},
    **{"ShortStorage": "short", "CharStorage": "int8", "ByteStorage": "uint8"},
    **{"BoolStorage": "bool", "BFloat16Storage": "bfloat16"},
}
DATA = (bool, int, float, str, bytes, type(None), np.generic)
TENSORS = (torch.Tensor, torch.Size, torch.dtype, torch.device)
# Those that torch.save writes; none of the others is needed, and some reserve memory on a word.
OPCODES = (
    *(pickle.PROTO, pickle.STOP, pickle.MARK, pickle.GLOBAL, pickle.REDUCE, pickle.BUILD),
    *(pickle.NEWOBJ, pickle.BINPERSID, pickle.NONE, pickle.NEWTRUE, pickle.NEWFALSE, pickle.LONG1),
    *(pickle.BININT, pickle.BININT1, pickle.BININT2, pickle.BINFLOAT, pickle.BINUNICODE),
    *(pickle.EMPTY_TUPLE, pickle.TUPLE, pickle.TUPLE1, pickle.TUPLE2, pickle.TUPLE3),
    *(pickle.EMPTY_LIST, pickle.APPEND, pickle.APPENDS, pickle.EMPTY_DICT, pickle.SETITEM),
    *(pickle.SETITEMS, pickle.BINGET, pickle.LONG_BINGET, pickle.BINPUT, pickle.LONG_BINPUT),
)


class Refused(Exception):
    """The file asks for something that a network does not need; nothing was executed."""

    def __str__(self) -> str:
        return f"{super().__str__()}, which no network needs; nothing was executed"


def read_checkpoint(path: Path) -> Any:
    """What ``torch.save`` wrote, for the CPU, with networks as they were.

    Raises:
        Refused: it asks for more than a network needs; nothing was executed.
        Exception: of any other kind, where it is no whole file that ``torch.save`` wrote.
    """
    with zipfile.ZipFile(path) as archive:
        entries = {entry.filename: entry.file_size for entry in archive.infolist()}
        pickles = [name for name in entries if name.endswith("/data.pkl")]
        if len(pickles) != 1 or any(name.endswith("/constants.pkl") for name in entries):
            raise ValueError("a zip file, but not one of torch.save")
        if sum(entries.values()) > path.stat().st_size:
            raise Refused("it would unpack to more than its own size")
        root = pickles[0].removesuffix("data.pkl")
        order = f"{root}byteorder"
        if order in entries and archive.read(order) != b"little":
            raise ValueError("its numbers are big-endian")
        found = _Reader(archive.read(pickles[0]), archive, root).load()
    return _Thaw().value(found)


class _StandIn:
    """In place of an object: the ``name`` of its class, or of what makes it, and of what."""

    name: str
    given: tuple[Any, ...] = ()
    state: Any = None

    def __init__(self, *given: Any) -> None:
        self.given = given

    def __setstate__(self, state: Any) -> None:
        self.state = state


# The one in Python: the one in C cannot leave opcodes out, and reserves memory on a word.
_Unpickler: Any = pickle._Unpickler


class _Reader(_Unpickler):  # type: ignore[misc]
    """Makes stand-ins, tensors, and the containers of the language."""

    dispatch: ClassVar[dict[int, Any]] = {code[0]: _Unpickler.dispatch[code[0]] for code in OPCODES}

    def __init__(self, code: bytes, archive: zipfile.ZipFile, root: str) -> None:
        super().__init__(io.BytesIO(code))
        self._archive, self._root = archive, root
        self._storages: dict[str, tuple[torch.UntypedStorage, torch.dtype]] = {}
        self._room = SHARING * sum(entry.file_size for entry in archive.infolist())
        self._functions: dict[str, Callable[..., Any]] = {
            "collections.OrderedDict": lambda: OrderedDict(),
            "builtins.set": lambda items=(): set(_keys(items)),
            "torch.Size": torch.Size,
            "torch.device": torch.device,
            "torch._utils._rebuild_tensor_v2": lambda *given: self._tensor(*given),
            "torch._utils._rebuild_parameter": lambda data, grad, hooks: nn.Parameter(data, grad),
            "_codecs.encode": lambda text, coding: text.encode("latin1"),
            "builtins.getattr": _attribute,
        }

    def find_class(self, module: str, name: str) -> Any:
        path = f"{'builtins' if module == '__builtin__' else module}.{name}"
        if path in self._functions:
            return self._functions[path]
        if module == "torch" and isinstance(
            dtype := getattr(torch, _DTYPES.get(name, name), 0), torch.dtype
        ):
            return dtype
        if path in _VALUES or module in LOSSES or _class(path):
            return type("StandIn", (_StandIn,), {"name": path})
        raise Refused(f"it asks for {path}")

    def load_build(self) -> None:
        if not isinstance(self.stack[-2], _StandIn | OrderedDict):
            raise Refused("it changes what is no object of its own")
        super().load_build()

    def load_setitem(self) -> None:
        _keys(self.stack[-2:-1])
        super().load_setitem()

    def load_setitems(self) -> None:
        _keys(self.stack[::2])
        super().load_setitems()

    dispatch |= {
        pickle.BUILD[0]: load_build,
        pickle.SETITEM[0]: load_setitem,
        pickle.SETITEMS[0]: load_setitems,
    }

    def persistent_load(self, pid: Any) -> tuple[torch.UntypedStorage, torch.dtype]:
        kind, dtype, key, _, count = pid
        shape = tuple(map(type, (kind, dtype, key, count)))
        if kind != "storage" or shape != (str, torch.dtype, str, int):
            raise Refused("it refers to something else than numbers")
        if key not in self._storages:
            entry = self._archive.getinfo(f"{self._root}data/{key}")
            if entry.file_size != count * dtype.itemsize:
                raise Refused(f"{entry.file_size} bytes stand for {count} numbers of {dtype}")
            numbers = torch.empty(entry.file_size, dtype=torch.uint8)
            numbers.numpy()[:] = np.frombuffer(self._archive.read(entry), np.uint8)
            self._storages[key] = (numbers.untyped_storage(), dtype)
        return self._storages[key]

    def _tensor(
        self, stored: Any, offset: int, size: Any, stride: Any, grad: bool, *_: Any
    ) -> torch.Tensor:
        storage, dtype = stored
        if not all(type(one) is int for one in (offset, *size, *stride)):
            raise Refused("a tensor has no size")
        bytes_ = math.prod(size) * dtype.itemsize
        end = offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True)) + 1
        self._room -= bytes_
        if self._room < 0 or min(offset, *size, *stride, 0) < 0:
            raise Refused("its tensors are larger than the file")
        if bytes_ and end * dtype.itemsize > storage.nbytes():
            raise Refused("a tensor is larger than its numbers")
        made = torch.empty(0, dtype=dtype).set_(storage, offset, tuple(size), tuple(stride))
        return made.requires_grad_(grad) if grad else made


class _Thaw:
    """Makes of stand-ins what they stand for, each once, and refuses what is no data."""

    def __init__(self) -> None:
        self._made: dict[int, tuple[Any, Any]] = {}  # the original too, so that its id stays its
        self._layers: dict[int, int] = {}

    def value(self, found: Any) -> Any:
        """``found`` with all that it holds; containers are changed in place."""
        if isinstance(found, DATA + TENSORS):
            return found
        if id(found) not in self._made:
            self._made[id(found)] = (found, found)
            self._made[id(found)] = (found, self._fresh(found))
        return self._made[id(found)][1]

    def _fresh(self, found: Any) -> Any:
        if isinstance(found, _StandIn):
            return self._object(found)
        if type(found) is tuple:
            made = tuple(map(self.value, found))
            return found if all(map(_is, made, found)) else made
        if type(found) is list:
            found[:] = map(self.value, found)
        elif type(found) in (dict, OrderedDict):
            for key, value in found.items():
                found[key] = self.value(value)
            self.value(list(vars(found).values()) if type(found) is OrderedDict else None)
        elif type(found) is not set:
            raise Refused(f"it holds {getattr(found, 'name', type(found).__name__)} as data")
        return found

    def _object(self, found: _StandIn) -> Any:
        if found.name in _VALUES:
            given = list(map(self.value, found.given))
            if not all(isinstance(one, (*DATA, np.dtype)) for one in given):
                raise Refused(f"it makes {found.name} of what is no data")
            return _VALUES[found.name](*given)
        kind = _class(found.name)
        if kind is None:  # of a loss
            return None
        if found.given:
            raise Refused(f"it calls {found.name}")
        made = kind.__new__(kind)
        self._made[id(found)] = (found, made)  # what it holds may point back to it
        state = self.value(found.state or {})
        for key, value in state.items():
            # What hides a method would be called in its place, and hooks beside it.
            if (callable(value) and hasattr(kind, key)) or (key.endswith("_hooks") and value):
                raise Refused(f"it replaces {found.name}.{key}")
        if issubclass(kind, nn.Module):
            made.__setstate__(state)
            parts = (state.get("_modules") or {}).values()
            count = self._layers[id(made)] = 1 + sum(self._layers.get(id(one), 0) for one in parts)
            if count > MOST_LAYERS:
                raise Refused(f"it has more than {MOST_LAYERS} layers")
        else:
            vars(made).update((sys.intern(key), value) for key, value in state.items())
        return made


def _keys(found: Any) -> Any:
    """``found``, which are all plain: those of others may take for ever to compare."""
    if not all(isinstance(one, DATA) for one in found):
        raise Refused("it has keys that are no data")
    return found


def _is(one: Any, other: Any) -> bool:
    return one is other


def _class(path: str) -> Any:
    """The class of that name, if it is one that a checkpoint's objects may be of, else None."""
    if path in CLASSES:
        return CLASSES[path]
    module, _, name = path.rpartition(".")
    layer = module in (*LAYERS, NETWORKS) or module.rpartition(".")[0] in LAYERS
    if not layer and module != TRANSFORMS:
        return None
    try:
        found = getattr(import_module(module), name, None)
    except ImportError:
        return None
    if not isinstance(found, type):
        return None
    mine = issubclass(found, nn.Module) if layer else found.__module__ == TRANSFORMS
    return found if mine else None


def _attribute(owner: Any, name: str) -> Any:
    """``getattr`` as checkpoints write it."""
    path = getattr(owner, "name", None)
    if path == MODE:
        return owner(name.lower())
    if name == "forward" and path:
        return None  # Segment.detect of years ago, which nothing calls any more
    raise Refused("it asks for builtins.getattr")


def _mode(value: str) -> Any:
    from torchvision.transforms.functional import InterpolationMode

    return InterpolationMode(value)


def _dtype(name: str, *_: Any) -> np.dtype[Any]:
    found = np.dtype(name)
    if found.kind not in "biuf":
        raise Refused(f"it has numbers of type {name}")
    return found


def _scalar(dtype: np.dtype[Any], raw: bytes) -> Any:
    return np.frombuffer(raw, dtype)[0]


_VALUES: dict[str, Callable[..., Any]] = {
    "numpy.dtype": _dtype,
    "numpy.core.multiarray.scalar": _scalar,
    "numpy._core.multiarray.scalar": _scalar,
    MODE: _mode,
    **{f"{m}.{n}Path": Path for m in ("pathlib", "pathlib._local") for n in ("Posix", "Windows")},
}
