"""Reading JSON in pieces equals reading it whole, however it is cut."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from segtrack.base import json_stream
from segtrack.base.json_stream import elements

plain = st.none() | st.booleans() | st.integers() | st.text(max_size=8)
value = st.recursive(
    plain,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=6,
)
document = st.dictionaries(st.text(max_size=5), value | st.lists(value, max_size=5), max_size=5)


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=50
)
@given(document, st.integers(1, 40), st.sampled_from([None, 1]))
def test_equals_reading_it_whole(
    tmp_path: Path, content: dict[str, Any], chunk: int, indent: int | None
) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps(content, indent=indent, ensure_ascii=False), encoding="utf-8")
    before, json_stream._CHUNK = json_stream._CHUNK, chunk
    try:
        found = list(elements(path))
    finally:
        json_stream._CHUNK = before
    read: dict[str, Any] = {}
    for element in found:
        if element.listed:
            read[element.key].append(element.value)
        else:
            read[element.key] = element.value
    assert read == content


def test_lines_are_those_of_the_elements(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(
        '\ufeff{"info": 1,\n "images": [\n  {"id": 1},\n\n  {"id":\n 2}\n ]}\n', "utf-8"
    )
    assert [(e.key, e.line) for e in elements(path) if e.listed] == [("images", 3), ("images", 5)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1: begins with ''"),
        ("[1]", r"line 1: begins with '\['"),
        ('{"a": [1, 2', "the end of the file stands where"),
        ('{"a": [1 2]}', "'2' stands where ',' or ']' belongs"),
        ('{"a": 1,\n "b": nothing}', "line 2: Expecting value"),
        ('{"a" 1}', "'1' stands where ':' belongs"),
        ("{1: 2}", "1 stands where a key belongs"),
        (b'{"a": "\xff"}', r"line 1: not UTF-8 text \(invalid start byte\); save it as UTF-8"),
        (b"\xff\xfe{", "not UTF-16 text"),
        ('{"a": 1}\n{"b": 2}', "line 2: '{' follows after the end"),
        ('{"a": ' + "[" * 200000, "line 1: nested too deeply"),
    ],
)
def test_errors_say_the_line(tmp_path: Path, text: str | bytes, message: str) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ValueError, match=message):
        list(elements(path))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
def test_encodings(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "a.json"
    path.write_text('{"images": ["ä"]}\n', encoding)
    assert [e.value for e in elements(path) if e.listed] == ["ä"]
