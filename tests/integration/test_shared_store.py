"""A store on S3 by the command line: two machines are two caches."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from segtrack.store import server as servers
from tests.integration.conftest import TINY, Outcome, Project
from tests.store.s3 import SECRET, Server, running, variables

WORDS = [*TINY, "stages=[prepare,evaluate]", "model.weights=shipped", "dataset.video_count=0"]


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr(servers, "PAUSE", 0.01)
    monkeypatch.setattr(servers, "REQUESTS", 1)
    with running() as server:
        for name, value in variables(server).items():
            monkeypatch.setenv(name, value)
        yield server


def lines(outcome: Outcome, word: str) -> list[str]:
    return [line for line in outcome.out.splitlines() if word in line]


def test_what_one_machine_built_another_one_uses(
    s3: Server, here: Callable[..., Outcome], project: Project
) -> None:
    address = s3.make("team")
    words = [*WORDS, f"store={address}"]
    one = here(*words, "store_cache=one")
    assert one.code == 0, one.err
    assert len(lines(one, "built in")) >= 3 and not lines(one, "reused")
    two = here(*words, "store_cache=two")
    assert two.code == 0, two.err
    assert len(lines(two, "reused")) == len(lines(one, "built in")) and not lines(two, "built in")
    first, second = project.runs()
    scores = [n for n in first.data.metrics if n.startswith("test/")]
    assert scores and all(second.data.metrics[n] == first.data.metrics[n] for n in scores)
    assert first.data.tags["store.address"] == address
    assert not (project.folder / ".segtrack").exists()
    assert not any(SECRET in str(run.data) for run in (first, second))

    # Whoever looks at a run of another machine fetches what its page needs.
    from segtrack.runs import find
    from segtrack.settings import MlflowSettings

    uri = f"sqlite:///{project.folder / 'mlruns' / 'mlflow.db'}"
    Path("one").rename("gone")
    (run,) = find(MlflowSettings(uri=uri), [first.info.run_id], Path("scratch"))
    assert run.dataset is not None and list(Path(".segtrack/cache").glob("team-*"))  # type: ignore[union-attr]

    for word, told in (("ls", "MB in s3://team/segtrack"), ("verify", "results are whole in s3:")):
        done = here("store", word, "--root", address)
        assert done.code == 0 and told in done.out
    assert "removed 0 results and 0 files" in here("store", "gc", "--root", address).out


def test_a_server_that_is_away_and_comes_back(
    s3: Server,
    here: Callable[..., Outcome],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(servers, "REST", 0.0)  # the same process asks again at once
    address = s3.make("team")
    words = [*TINY, "stages=[prepare]", f"store={address}"]
    s3.fault = lambda method, path: 503
    away = here(*words)
    assert away.code == 0, away.err
    assert len(lines(away, "It cannot be reached: results of")) == 1
    assert lines(away, "built in")
    push = here("store", "push", "--root", address)
    assert push.code == 1 and "1 result still to be sent" in push.out
    s3.fault = lambda method, path: None
    push = here("store", "push", "--root", address)
    assert push.code == 0 and f"sent 1 result to {address}" in push.out
    back = here(*words, "store_cache=two")
    assert back.code == 0 and lines(back, "reused") and not lines(back, "built in")


@pytest.mark.parametrize(
    ("store", "told"),
    [
        ("s3://none/x", "store=s3://none/x: there is no such bucket"),
        ("'ftp://me:secret@host/x'", "a name or password in the address would be kept in every"),
        ("nosuch://x", "Protocol not known: nosuch"),
    ],
)
def test_an_address_that_cannot_be_used_leaves_nothing(
    store: str, told: str, s3: Server, here: Callable[..., Outcome], project: Project
) -> None:
    outcome = here(*TINY, "stages=[prepare]", f"store={store}")
    assert outcome.code == 2 and told in outcome.err and "secret" not in outcome.err
    assert project.runs() == [] and not (project.folder / "outputs").exists()
    plan = here(*TINY, "stages=[prepare]", f"store={store}", "plan=true")
    assert plan.code == 2 and told in plan.err and "build" not in plan.out
