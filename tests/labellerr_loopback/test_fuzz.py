"""Whatever is sent to any endpoint: never a 5xx, and what is refused changes nothing."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from labellerr_loopback.app import create_app
from labellerr_loopback.behaviour import Behaviour
from labellerr_loopback.control_token import REVIEW
from labellerr_loopback.faults import Faults
from labellerr_loopback.guard import CONTROL
from labellerr_loopback.state import State
from tests.labellerr_loopback.world import JSON, TOKEN, World, span


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    made = World(tmp_path_factory.mktemp("world"))
    yield made
    made.close()


NUMBERS = st.sampled_from(
    [0, 1, 2, -1, 2**31, 2**63, -(2**70), 10**400, 0.5, -0.0, 1e308, float("nan"), float("inf")]
)
TEXTS = st.sampled_from(["", " ", ".", "../up", "x" * 300, "\x00", "\ud800", "é", "%", "(", "1"])
OWN = "http://127.0.0.1:8080"
FOREIGN = ["null", "", "http://[", "https://evil.example", "http://127.0.0.1.evil.example:8080"]
OTHER_TYPES = ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "x"]
LEAVES = st.none() | st.booleans() | NUMBERS | TEXTS | st.text(max_size=5)
JUNK = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)


def values(world: World, name: str, schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    """What a parameter takes, mostly; sometimes anything."""
    good = _good(world, name, schema)
    return st.integers(0, 9).flatmap(lambda n: JUNK if n == 0 else good)


def _good(world: World, name: str, schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    if "$ref" in schema:
        return _good(world, name, world.schemas[schema["$ref"].rsplit("/", 1)[1]])
    if "anyOf" in schema:
        return st.one_of([_good(world, name, option) for option in schema["anyOf"]])
    if "enum" in schema or "const" in schema:
        return st.sampled_from(schema.get("enum") or [schema["const"]])
    kind, known = schema.get("type"), world.known.get(name)
    if kind == "array":
        size = {
            "min_size": schema.get("minItems", 0),
            "max_size": max(3, schema.get("minItems", 0)),
        }
        size["max_size"] = min(size["max_size"], schema.get("maxItems", 3))
        return st.lists(values(world, name, schema.get("items", {})), **size)
    if kind == "object" and "properties" in schema:
        need = schema.get("required", [])
        fields = {key: values(world, key, one) for key, one in schema["properties"].items()}
        return st.fixed_dictionaries(
            {key: fields[key] for key in need},
            optional={key: one for key, one in fields.items() if key not in need},
        )
    if known:
        return st.sampled_from(known)
    simple = {
        "string": TEXTS | st.text(max_size=5),
        "integer": st.integers(0, 5) | NUMBERS,
        "number": st.floats(0, 64) | NUMBERS,
        "boolean": st.booleans(),
        "null": st.none(),
    }
    return simple.get(str(kind), JUNK)


def answer_files(world: World) -> st.SearchStrategy[bytes]:
    """Files of answers: COCO and video_json, nearly right, and anything else."""
    ring = st.lists(st.integers(0, 64) | NUMBERS, min_size=5, max_size=8)
    names = st.sampled_from(["a.jpg", "b.JPG", "c.mp4", "\ud800", "z.jpg"])
    image = st.fixed_dictionaries({"id": st.integers(0, 2) | LEAVES, "file_name": names | LEAVES})
    category = st.fixed_dictionaries(
        {"id": st.integers(0, 1) | LEAVES, "name": st.sampled_from(["car", "\ud800"]) | LEAVES}
    )
    annotation = st.fixed_dictionaries(
        {"image_id": st.integers(0, 2) | LEAVES, "category_id": st.integers(0, 1) | LEAVES},
        optional={
            "segmentation": st.lists(ring | JUNK, max_size=2) | JUNK,
            "bbox": ring | JUNK,
            "score": LEAVES,
        },
    )
    files = st.fixed_dictionaries(
        {"images": st.lists(image, max_size=3)},
        optional={
            "annotations": st.lists(annotation, max_size=3) | JUNK,
            "categories": st.lists(category, max_size=2) | JUNK,
        },
    )
    track = st.fixed_dictionaries(
        {
            "frames": st.dictionaries(
                st.sampled_from(["0", "1", "²", "x"]), JUNK | st.just({"answer": []})
            )
        }
    )
    answer = st.fixed_dictionaries(
        {
            "question_name": st.sampled_from(["car", "\ud800"]) | LEAVES,
            "question_type": st.sampled_from(["polygon"]) | LEAVES,
            "answer": st.lists(track | JUNK, max_size=2),
        }
    )
    video = st.fixed_dictionaries(
        {"file_name": names | LEAVES, "annotations": st.lists(answer | JUNK, max_size=2)}
    )
    return (files | st.lists(video | JUNK, max_size=2) | JUNK).map(encoded) | st.binary(max_size=9)


def tokens(right: str) -> st.SearchStrategy[str | None]:
    """The right one, mostly; none, another one, one that is nearly right."""
    wrong = [None, "", "x", "é", right[:-1], right + "=", right.upper(), "0" * 100_000]
    return st.integers(0, 2).flatmap(lambda n: st.sampled_from(wrong) if n == 0 else st.just(right))


def encoded(value: Any) -> bytes:
    return json.dumps(value).encode()


def endpoints() -> list[tuple[str, str]]:
    """Method and path of everything; the application tells them without being served."""
    with tempfile.TemporaryDirectory() as folder:
        state = State(Path(folder))
        paths = create_app(state, Behaviour(), Faults(), lambda client: None).openapi()["paths"]
        state.close()
    return [(method.upper(), path) for path, methods in paths.items() for method in methods]


def test_every_endpoint_is_described(world: World) -> None:
    described = json.loads(world.call("GET", "/openapi.json")[1])["paths"]
    calls = {
        (m.upper(), path): call for path, all_ in described.items() for m, call in all_.items()
    }
    assert sorted(calls) == sorted(endpoints())
    summaries = {call["summary"] for call in calls.values()}
    assert len(summaries) == len(calls) == 52
    for where, call in calls.items():
        assert call["description"].startswith(call["summary"]) and " " in call["summary"], where
    assert calls["GET", "/datasets/{dataset_id}"]["summary"] == "A data set's record"
    assert calls["POST", "/_emulator/projects/{project_id}/files"]["summary"] == (
        "Sets answers and statuses of files, named by id or name: all of them, or none"
    )


@pytest.mark.parametrize(("method", "path"), endpoints())
@settings(
    max_examples=20,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
@given(data=st.data())
def test_anything(world: World, method: str, path: str, data: st.DataObject) -> None:
    about = world.paths[path][method.lower()]
    draw = data.draw
    query = []
    for one in about.get("parameters", []):
        name = one["name"]
        value = draw(values(world, name, one["schema"]))
        if one["in"] == "path":
            text = str(value).replace("/", "") or "x"
            path = path.replace(f"{{{name}}}", text.encode("utf-8", "replace").decode())
        elif value is not None and (one.get("required") or draw(st.booleans())):
            query.append((name, str(value).encode("utf-8", "replace")))
    if path.startswith("/storage/") and draw(st.integers(0, 5)):
        expires = int(time.time()) + 3600
        query += [("expires", str(expires)), ("signature", world.state.sign(path, expires))]
    headers: dict[str, str | None] = {}
    body = b""
    content = about.get("requestBody", {}).get("content", {})
    if "application/json" in content:
        headers |= JSON
        if not draw(st.integers(0, 9)):
            headers["content-type"] = draw(st.sampled_from(OTHER_TYPES))
        schema = content["application/json"]["schema"]
        body = draw(values(world, "", schema).map(encoded) | st.binary(max_size=9))
    elif "multipart/form-data" in content and draw(st.integers(0, 5)):
        headers["content-type"] = "multipart/form-data; boundary=XX"
        head = b'--XX\r\nContent-Disposition: form-data; name="file"; filename="x"\r\n\r\n'
        body = head + draw(answer_files(world)) + b"\r\n--XX--\r\n"
    elif path.startswith("/storage/"):
        body = draw(st.binary(max_size=60))
        if draw(st.booleans()):
            headers["x-goog-resumable"] = "start"
        ranges = [
            "bytes */9",
            "bytes 5-2/9",
            "bytes 0-" + "9" * 400 + "/1",
            "x",
            *span(body).values(),
        ]
        if draw(st.booleans()):
            headers["content-range"] = draw(st.sampled_from(ranges))
    allowed = True
    if path.startswith(CONTROL):
        headers[TOKEN] = token = draw(tokens(world.token))
        headers["origin"] = origin = draw(st.sampled_from([None, OWN, OWN, *FOREIGN]))
        allowed = token == world.token and origin in (None, OWN)
    elif path.startswith(REVIEW):
        headers["origin"] = origin = draw(st.sampled_from([None, OWN, OWN, *FOREIGN]))
        token = path.removeprefix(REVIEW).split("/")[0]
        allowed = token == world.token and origin in (None, OWN)
    status, text = world.call(method, path, query, body, headers)
    try:
        assert status < 500, text
        assert (status == 403) == (not allowed) or path.startswith("/storage/"), text
        if path == "/actions/upload_answers" and status == 200:
            job = {**dict(query), "job_id": json.loads(text)["response"]["job_id"]}
            world.ask("GET", "/actions/upload_answers_status", job)
        if status == 200 and method != "GET":
            world.faults.clear()
            world.look()
    finally:
        changed = world.changed()
    assert not (changed and status >= 400), (status, text)
