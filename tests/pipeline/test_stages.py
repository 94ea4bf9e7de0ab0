"""Stages declared for a test: order, keys, what runs, what is planned, and what is refused."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from segtrack.base.errors import SettingsError
from segtrack.base.metrics import Report
from segtrack.base.registry import Registry, load_plugins
from segtrack.pipeline import (
    Ask,
    Given,
    Planner,
    Recipe,
    Result,
    Run,
    RunFacts,
    Runner,
    Stage,
    Visit,
    all_names,
    listed_names,
    platform_stages,
    stage,
)
from segtrack.store import Away, SharedStore
from segtrack.store.store import Store

FACTS = RunFacts("run", "hash", "commit", "now")


def sow(ask: Ask) -> Recipe:
    def build(folder: Path, report: Report) -> None:
        (folder / "seeds").write_text(str(ask.settings.seed))
        report("sow/seeds", 3)

    return Recipe(build)


def grow(ask: Ask, field: str) -> Recipe:
    sown = ask("sow")

    def build(folder: Path, report: Report) -> None:
        (folder / "plant").write_text(f"{field} {sown.value}")
        report("grow/height", 2.0)

    return Recipe(
        build,
        {"field": field},
        {"sown": sown.key},
        metric=lambda name: name.replace("/", f"/{field}/"),
    )


def reap(ask: Ask) -> Given:
    grown = ask.each("grow", [{"field": field} for field in ("north", "south")])
    return Given([one.value for one in grown], "2 fields")


def sell(ask: Ask) -> Visit:
    crop = ask("reap").value
    return Visit(f"{len(crop)} crops to market", lambda run: run.say("sold") or len(crop))


def _seeds(folder: Path) -> str:
    return (folder / "seeds").read_text()


def _plant(folder: Path) -> str:
    return (folder / "plant").read_text()


SOWN: list[str] = []
FARM = [
    Stage("sell", sell, inputs=("reap",), after="reap", platform=True),
    Stage("reap", reap, inputs=("grow",), after="sow"),
    Stage("grow", grow, version=1, inputs=("sow",), load=_plant, listed=False),
    Stage(
        "sow",
        sow,
        version=1,
        reads=("seed",),
        load=_seeds,
        publish=lambda run, made: SOWN.append(made.value),
        instead="buy plants",
    ),
]


@pytest.fixture(autouse=True)
def farm(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    load_plugins()  # before: what is imported now would register itself here
    registry: Registry[Stage] = Registry("stage", "stages")
    for module in ("stage", "walk", "runner", "checks"):
        monkeypatch.setattr(f"segtrack.pipeline.{module}.STAGES", registry)
    for one in FARM:
        registry.register(one.name, one)
    SOWN.clear()
    yield


def settings(*stages: str, seed: int = 0) -> Any:
    return SimpleNamespace(stages=list(stages), seed=seed)


def run(root: Path, *stages: str, seed: int = 0) -> Runner:
    runner = Runner(settings(*stages, seed=seed), Store(root), None, root, FACTS)
    runner.run()
    return runner


def plan(root: Path, *stages: str, seed: int = 0) -> list[str]:
    return Planner(settings(*stages, seed=seed), Store(root)).lines()


def test_a_damaged_result_is_made_anew_where_its_stage_is_listed_and_missing_elsewhere(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = run(tmp_path, "sow", "reap")
    sown, grown = first.get("sow", {}), first.get("grow", {"field": "north"})
    for made, name in ((sown, "seeds"), (grown, "plant")):
        path = made.folder / name
        path.write_text("?" * path.stat().st_size)
    capsys.readouterr()
    told = f"store: sow {sown.key[:6]}: seeds is damaged (its digest is another); the result is to "
    with pytest.raises(SettingsError, match="sow is not listed in stages, and the store has no"):
        Runner(settings("reap"), Store(tmp_path)).look()
    assert capsys.readouterr().out == f"{told}be made anew\n"
    again = run(tmp_path, "sow", "reap")
    assert again.builds == {"sow": 1, "grow": 1}
    assert again.get("reap", {}).value == ["north 0", "south 0"]
    assert run(tmp_path, "reap").builds == {"sow": 0, "grow": 0}


def test_the_order_follows_from_the_declarations() -> None:
    assert listed_names() == ["sow", "reap", "sell"]
    assert all_names() == ["sow", "grow", "reap", "sell"]
    assert platform_stages(["sow", "sell", "dance"]) == ["sell"]


def test_a_stage_of_others_stands_directly_behind_the_one_it_follows() -> None:
    stage.register(Stage("weed", reap, after="sow"))
    assert listed_names() == ["sow", "weed", "reap", "sell"]
    stage.register(Stage("dance", reap, after="rain"))
    with pytest.raises(ValueError, match="follow none that can be listed: dance after rain"):
        listed_names()


def test_a_plan_names_each_stage_once_and_says_where_a_branch_ends(tmp_path: Path) -> None:
    assert plan(tmp_path, "sow", "reap", "sell") == [
        "sow   build      no result of this stage yet",
        "grow  after sow  2 of 2",
        "reap  after sow",
        "sell  after sow",
    ]
    assert SOWN == [] and not (tmp_path / "results").exists()
    run(tmp_path, "sow")
    Store(tmp_path)
    assert [line.split(maxsplit=2) for line in plan(tmp_path, "reap", "sell")][1:] == [
        ["grow", "build", "2 of 2: no result of this stage yet"],
        ["reap", "after", "grow"],
        ["sell", "after", "grow"],
    ]


def test_a_run_builds_once_and_the_plan_then_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = run(tmp_path, "sow", "reap", "sell")
    assert first.builds == {"sow": 1, "grow": 2}
    assert "sell       sold" in capsys.readouterr().out
    again = run(tmp_path, "sow", "reap")
    assert again.builds == {"sow": 0, "grow": 0}
    assert SOWN == ["0", "0"]
    lines = [line.split() for line in plan(tmp_path, "sow", "reap", "sell")]
    assert [line[:2] for line in lines] == [
        ["sow", "hit"],
        ["grow", "hit"],
        ["reap", "hit"],
        ["sell", "platform"],
    ]
    assert lines[1][2:] == ["2", "of", "2"]
    assert lines[3][2:5] == ["2", "crops", "to"]


def test_what_is_read_decides_the_key(tmp_path: Path) -> None:
    run(tmp_path, "sow")
    assert run(tmp_path, "sow", seed=1).builds == {"sow": 1}
    (line,) = plan(tmp_path, "sow", seed=2)
    assert line.split(maxsplit=1)[1].startswith(
        "build  differs from the nearest result in settings.seed: "
    )


def test_a_stage_that_is_not_listed_has_to_be_there(tmp_path: Path) -> None:
    message = "stage sow is not listed in stages.*add sow to stages, or buy plants"
    with pytest.raises(SettingsError, match=message):
        run(tmp_path, "reap")
    assert plan(tmp_path, "reap")[0].startswith("sow   missing    stage sow is not listed")


def test_a_part_is_built_for_the_listed_stage_that_asks(tmp_path: Path) -> None:
    run(tmp_path, "sow")
    assert run(tmp_path, "reap").builds == {"sow": 0, "grow": 2}


def test_nothing_but_inputs_can_be_asked_for(tmp_path: Path) -> None:
    stage.register(Stage("steal", lambda ask: Given(ask("sow")), inputs=("grow",)))
    with pytest.raises(LookupError, match="steal asks for sow, which is not among its inputs"):
        run(tmp_path, "sow", "steal")


def test_a_result_whose_files_moved_is_built_for_the_new_place(tmp_path: Path) -> None:
    original = tmp_path / "field"
    original.mkdir()

    def make(ask: Ask) -> Recipe:
        def build(folder: Path, report: Report) -> None:
            (folder / "at").write_text(str(place[0]))

        def here(folder: Path) -> bool:
            return Path((folder / "at").read_text()).is_dir()

        return Recipe(build, inputs={"files": "same"}, here=here, place=str(place[0]))

    stage.register(Stage("map", make, version=1))
    place = [original]
    assert run(tmp_path, "map").builds == {"map": 1}
    copy = tmp_path / "copy"
    copy.mkdir()
    place[0] = copy
    assert run(tmp_path, "map").builds == {"map": 0}  # the same content, and the first still there
    original.rmdir()
    assert run(tmp_path, "map").builds == {"map": 1}
    assert run(tmp_path, "map").builds == {"map": 0}


def test_numbers_of_several_results_are_told_apart(tmp_path: Path) -> None:
    heard: list[str] = []

    class Journal:
        def metric(self, metric: Any) -> None:
            heard.append(metric.name)

        def tags(self, tags: Any) -> None:
            pass

    journal: Any = Journal()
    Runner(settings("sow", "reap"), Store(tmp_path), journal, tmp_path, FACTS).run()
    assert heard == [
        "sow/seeds",
        "grow/north/height",
        "grow/south/height",
        "builds/sow",
        "builds/grow",
    ]


def test_a_visit_is_made_by_its_owner_only(tmp_path: Path) -> None:
    def visit(ask: Ask) -> Visit:
        return Visit("a look", lambda run: "seen", known="remembered")

    stage.register(Stage("look", visit, listed=False, part_of="sow"))

    def tell(ask: Ask) -> Given:
        return Given(ask("look").value)

    told: list[Any] = []

    def publish(run: Run, made: Result) -> None:
        told.append(made.value)

    stage.register(Stage("tell", tell, inputs=("look",), publish=publish))
    run(tmp_path, "tell")
    run(tmp_path, "sow", "tell")
    assert told == ["remembered", "seen"]


def test_stages_that_ask_in_a_circle_or_for_nothing_are_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stages: Registry[Stage] = Registry("stage", "stages")
    monkeypatch.setattr(stage, "STAGES", stages)
    for name, needed in (("a", "b"), ("b", "c"), ("c", "b")):
        stages.register(name, Stage(name=name, make=lambda ask: Given(0), inputs=(needed,)))
    with pytest.raises(ValueError, match="inputs of stages: a > b > c > b: a circle"):
        stage.all_names()
    lost: Registry[Stage] = Registry("stage", "stages")
    monkeypatch.setattr(stage, "STAGES", lost)
    lost.register("a", Stage(name="a", make=lambda ask: Given(0), inputs=("z",)))
    with pytest.raises(ValueError, match="a > z: there is no stage z"):
        stage.all_names()


def test_looking_finds_what_is_wrong_and_leaves_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def seek(ask: Ask) -> Given:
        raise SettingsError("no such village")

    stage.register(Stage("seek", seek, listed=False))
    stage.register(Stage("ride", lambda ask: Given(ask("seek").value), inputs=("seek",)))
    with pytest.raises(SettingsError, match="no such village"):
        Runner(settings("sow", "reap", "ride"), Store(tmp_path / "store")).look()
    with pytest.raises(SettingsError, match="buy plants"):
        Runner(settings("reap"), Store(tmp_path / "store")).look()
    assert not (tmp_path / "store").exists()
    assert capsys.readouterr().out == "" and SOWN == []


def test_what_was_found_by_looking_is_not_looked_for_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[str] = []
    said: list[str] = []

    def map_(ask: Ask) -> Given:
        asked.append("map")
        return Given("here", warning="an old map")

    def dig(ask: Ask) -> Recipe:
        ask("map")
        asked.append("dig")
        return Recipe(lambda folder, report: None)

    said_map = Stage("map", map_, listed=False, publish=lambda run, made: said.append(made.value))
    stage.register(said_map)
    stage.register(Stage("dig", dig, version=1, inputs=("map",)))
    runner = Runner(settings("dig"), Store(tmp_path))
    runner.look()
    assert (asked, said, runner.must_build) == (["map", "dig"], [], True)
    assert capsys.readouterr().out == ""
    runner.run()
    assert (asked, said, runner.builds) == (["map", "dig"], ["here"], {"dig": 1})
    assert "warning: an old map\n" in capsys.readouterr().out
    again = Runner(settings("dig"), Store(tmp_path))
    again.look()
    assert not again.must_build
    assert plan(tmp_path, "dig")[-1] == "warning: an old map"


def test_a_disk_too_full_to_send_what_waits_ends_no_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def away(*_: Any) -> None:
        raise Away("the server is away")

    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    store = SharedStore(f"memory://{tmp_path.name}/x", tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(store.far, "has", away)
        patch.setattr(store.far, "fetch", away)
        patch.setattr(store.far, "send", away)
        Runner(settings("sow"), store, None, tmp_path, FACTS).run()
    capsys.readouterr()
    with monkeypatch.context() as patch:
        patch.setattr("segtrack.store.packs.pack", full)
        runner = Runner(settings("sow"), store, None, tmp_path, FACTS)
        runner.run()
    assert runner.builds == {"sow": 0}
    said = [line for line in capsys.readouterr().out.splitlines() if line.startswith("store:")]
    assert said == [
        f"store: what waits in {store.root} is not sent: No space left on device; the next run "
        "sends it, or `segtrack store push`"
    ]
    assert store.send_waiting() == (1, 0)
