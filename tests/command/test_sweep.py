"""What a sweep's table says of its cells, beside their scores."""

from types import SimpleNamespace
from typing import Any

from segtrack.command.sweep import _starts


def cell(**tags: str) -> Any:
    return SimpleNamespace(data=SimpleNamespace(tags=tags))


def test_a_network_that_starts_from_scratch_is_told_from_pretrained_ones() -> None:
    n, s, failed = (
        cell(**{"model.pretrained": "true"}),
        cell(**{"model.pretrained": "false"}),
        cell(),
    )
    assert [_starts(one, [n, s, failed]) for one in (n, s, failed)] == [
        {"model.pretrained": "true"},
        {"model.pretrained": "false"},
        {"model.pretrained": ""},
    ]
    assert _starts(n, [n, n, failed]) == {}
