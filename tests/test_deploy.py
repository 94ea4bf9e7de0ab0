"""deploy/compose.yaml: what can be said of it without Docker."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]
COMPOSE = (ROOT / "deploy" / "compose.yaml").read_text()


def test_versions_are_those_that_are_tested() -> None:
    pinned = dict(re.findall(r"^([\w-]+)==(\S+)", (ROOT / "constraints.txt").read_text(), re.M))
    found = dict(re.findall(r'"?(mlflow|psycopg|boto3)(?:\[binary\])?==([\d.]+)', COMPOSE))
    assert found == {name: pinned[name] for name in ("mlflow", "psycopg", "boto3")}
    images = [
        one["image"] for one in yaml.safe_load(COMPOSE)["services"].values() if "image" in one
    ]
    assert len(images) == 3 and all(re.search(r":[^:]*\d", image) for image in images)


def test_every_variable_is_in_the_example() -> None:
    there = re.findall(r"^(\w+)=", (ROOT / "deploy" / "example.env").read_text(), re.M)
    assert set(re.findall(r"\$\{(\w+)", COMPOSE)) == set(there)


def test_no_password_is_in_a_command() -> None:
    for service in yaml.safe_load(COMPOSE)["services"].values():
        words = " ".join([*service.get("command", []), *service.get("entrypoint", [])])
        assert "PASSWORD" not in words and "$" not in words
