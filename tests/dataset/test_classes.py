"""``dataset.classes``: choosing, merging, and what cannot be meant."""

from typing import Any

import pytest

from segtrack.base.errors import SettingsError
from segtrack.dataset.classes import class_map, parse_classes

SOURCE = ("person", "bicycle", "car", "bus", "truck")


@pytest.mark.parametrize(
    ("classes", "names", "ids"),
    [
        (None, SOURCE, [0, 1, 2, 3, 4]),
        (["car", "person"], ("car", "person"), [1, -1, 0, -1, -1]),
        ("car", ("car",), [-1, -1, 0, -1, -1]),
        (
            {"vehicle": ["car", "truck", "bus"], "person": ["person"]},
            ("vehicle", "person"),
            [1, -1, 0, 0, 0],
        ),
        ({"pedestrian": "person"}, ("pedestrian",), [0, -1, -1, -1, -1]),
    ],
)
def test_class_ids(classes: Any, names: tuple[str, ...], ids: list[int]) -> None:
    found = class_map(SOURCE, classes)
    assert found.names == names
    assert found.ids().tolist() == ids


def test_mapping_is_from_source_to_output_name() -> None:
    found = class_map(SOURCE, {"vehicle": ["car", "bus"]})
    assert found.mapping == {"car": "vehicle", "bus": "vehicle"}


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        (["persn"], r"'persn' is not a class of the data set \(nearest: 'person'\).*has: person"),
        ({"v": ["Car"]}, "nearest: 'car'"),
        ({"a": ["car"], "b": ["car"]}, "'car' is used for 'a' and for 'b'"),
        (["car", "car"], "there twice"),
        ({"v": []}, r"no class is named for \['v'\]"),
        ([], "no class is named for anything"),
        (3, "dataset.classes is 3; allowed is null"),
        ([["car"]], "allowed is null"),
    ],
)
def test_what_cannot_be_meant(classes: Any, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        class_map(SOURCE, classes)


def test_names_that_yaml_read_in_halves() -> None:
    """``yaml.safe_load(json.dumps("🚗"))`` gives two characters that no file takes."""
    assert parse_classes(["\ud83d\ude97"]) == {"🚗": ["🚗"]}
    assert parse_classes({"\ud83d\ude97": ["car", "\ud83d\ude95"]}) == {"🚗": ["car", "🚕"]}
