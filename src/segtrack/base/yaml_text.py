"""YAML that somebody else wrote. A file of a few lines may stand for gigabytes: aliases of lists of
aliases, which no loader minds and which never end once they are compared, copied or printed.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import yaml

LARGEST = 1_000_000  # characters, aliases written out; PyYAML reads 400,000 in a second
DEEPEST = 50  # nestings
LONGEST_NUMBER = 1000  # characters; those in base 60 take quadratic time


class Document(NamedTuple):
    """The nodes of a YAML text, None of an empty one, and what they mean."""

    node: yaml.Node | None
    value: Any


def read_yaml(path: Path) -> Document:
    """The one document of a file, by the safe loader.

    Raises:
        OSError: it cannot be read.
        ValueError: it is no such YAML, or is too large or nested too deeply once its aliases are
            written out; the reason in one line.
    """
    import yaml

    if path.exists() and not path.is_file():
        raise ValueError("it is no file but a folder, a pipe or a device")
    if path.stat().st_size > LARGEST:
        raise ValueError(f"it has {path.stat().st_size} bytes, more than {LARGEST}")
    text = path.read_text(encoding="utf-8-sig")
    try:
        node = yaml.compose(text, yaml.SafeLoader)
        if node is None:
            return Document(None, None)
        _weigh(node, (), {})
        return Document(node, yaml.SafeLoader("").construct_document(node))
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    except MemoryError:
        raise
    except Exception as error:  # the constructors of dates, numbers, tags raise nearly anything
        raise ValueError(" ".join(str(error).split()) or type(error).__name__) from error


def _weigh(node: yaml.Node, above: tuple[yaml.Node, ...], known: dict[int, int]) -> int:
    """Characters of a node with all aliases written out."""
    import yaml

    if len(above) > DEEPEST or node in above:
        raise ValueError("an alias in itself" if node in above else "it is nested too deeply")
    if id(node) in known:
        return known[id(node)]
    weight = 1
    if isinstance(node, yaml.ScalarNode):
        weight += len(node.value)
        if len(node.value) > LONGEST_NUMBER and node.tag.endswith((":int", ":float")):
            raise ValueError(f"a number of {len(node.value)} characters")
    else:
        for part in node.value:
            for inner in part if isinstance(part, tuple) else (part,):
                weight += _weigh(inner, (*above, node), known)
    if weight > LARGEST:
        raise ValueError(f"its aliases stand for more than {LARGEST} characters")
    known[id(node)] = weight
    return weight
