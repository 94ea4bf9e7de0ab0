"""A store at an address: two machines are two caches, and the server is one of fsspec's."""

from __future__ import annotations

import bz2
import errno
import gzip
import json
import lzma
import os
import random
import signal
import tarfile
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as effort
from hypothesis import strategies as st

from segtrack.base.errors import SettingsError, StageError
from segtrack.base.metrics import Report
from segtrack.command.app import main
from segtrack.store import SharedStore, StageCall, Store, packs
from segtrack.store import record as records
from segtrack.store import server as servers
from segtrack.store.record import Unusable
from tests.store.elsewhere import FORK, elsewhere

CALL = StageCall("train", 1, {"epochs": 3}, {"data": "abc"})
LARGE = random.Random(0).randbytes((1 << 20) + 5)


def build(folder: Path, report: Report) -> None:
    """Small files, large ones (two with the same content), links, a crowd and an empty folder."""
    (folder / "best.pt").write_bytes(LARGE)
    (folder / "deep" / "er").mkdir(parents=True)
    (folder / "deep" / "last.pt").write_bytes(LARGE)
    (folder / "deep" / "er" / "ünd \udce9.txt").write_text("x")
    (folder / "deep" / "run.sh").write_text("#!/bin/sh")
    (folder / "deep" / "run.sh").chmod(0o755)
    (folder / "link").symlink_to("/elsewhere/../image.jpg")
    (folder / "folder").symlink_to("deep")
    (folder / "empty" / "est").mkdir(parents=True)
    (folder / "labels").mkdir()
    for number in range(7):
        (folder / "labels" / f"{number}.txt").write_text(str(number))
    (folder / "labels" / "link.txt").symlink_to("1.txt")
    report("train/loss", 0.5, 1)


def never(folder: Path, report: Report) -> None:
    pytest.fail("built twice")


def tree(folder: Path) -> dict[str, Any]:
    """All that is in a folder."""
    found: dict[str, Any] = {}
    for path in folder.rglob("*"):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink():
            found[name] = os.readlink(path)  # noqa: PTH115
        elif path.is_dir():
            found[name] = None
        else:
            found[name] = path.read_bytes(), path.stat().st_mode & 0o111
    return found


@pytest.fixture
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """In the memory of this process, or in files, which others see too."""
    if getattr(request, "param", "") == "file":
        return f"file://{tmp_path}/far"
    return f"memory://{uuid.uuid4().hex}/team"


both = pytest.mark.parametrize("address", ["memory", "file"], indirect=True)
files = pytest.mark.parametrize("address", ["file"], indirect=True)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(servers, "PAUSE", 0.001)
    monkeypatch.setattr(servers, "REST", 0.0)
    monkeypatch.setattr(records, "_TOGETHER", 5)  # instead of 256: a crowd of seven does


@pytest.fixture
def machine(address: str, tmp_path: Path) -> Callable[..., SharedStore]:
    """A machine of that name: one that never looked before, with the cache that it had."""

    def make(name: str, limit: float | None = None) -> SharedStore:
        records._read.clear()
        return SharedStore(address, tmp_path / name, limit)

    return make


Machine = Callable[..., SharedStore]


def objects(store: SharedStore) -> dict[str, Any]:
    return store.far.server.below("")


def spoil(store: SharedStore, part: str, change: Callable[[bytes], bytes | None]) -> None:
    """Change the one object at the address whose path has ``part`` in it."""
    (path,) = (path for path in objects(store) if part in path)
    content = change(store.far.server.read(path))
    if content is None:
        store.far.server.remove([path])
    else:
        store.far.server.write(path, content)


@both
def test_what_one_machine_built_another_one_has_byte_for_byte(
    machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    heard: list[Any] = []
    first = machine("one").run(CALL, build)
    second = machine("two").run(CALL, never, heard.append)
    assert (first.hit, second.hit, second.seconds) == (
        False,
        True,
        pytest.approx(first.seconds, abs=0.001),
    )
    assert first.folder != second.folder and tree(first.folder) == tree(second.folder)
    assert [(one.name, one.value) for one in heard] == [("train/loss", 0.5)]
    assert list(machine("two").damaged()) == []
    names = [path.split("/")[0] for path in objects(machine("one"))]
    # Of the large files, which are the same, one; a pack, the record, and that it was used.
    assert sorted(names) == ["blobs", "results", "results", "results"]
    for place in ("partial", "fetched", "trash"):
        for name in ("one", "two"):
            assert not list((first.folder.parents[3] / name / place).glob("*/*"))
    assert capsys.readouterr().out == ""


def test_found_and_kept_from_another_machine(machine: Machine) -> None:
    assert machine("two").find(CALL) is None and machine("two").kept("train", CALL.key) is None
    machine("one").run(CALL, build)
    found = machine("two").find(CALL)
    assert found and found.hit and (found.folder / "best.pt").read_bytes() == LARGE
    kept = machine("three").kept("train", CALL.key)
    assert kept and kept[1]["settings"] == {"epochs": 3}
    assert kept[0].parents[2].name == "three"


def test_what_is_being_built_is_not_waited_for_by_those_who_read_it_again(
    machine: Machine, tmp_path: Path
) -> None:
    assert machine("one").kept("train", CALL.key) is None
    assert not (tmp_path / "one" / "locks").exists()  # pages ask for what is nowhere
    begun, end = threading.Event(), threading.Event()

    def slow(folder: Path, report: Report) -> None:
        begun.set()
        end.wait(5)

    worker = threading.Thread(target=machine("one").run, args=(CALL, slow))
    worker.start()
    try:
        assert begun.wait(20)
        machine("two").run(CALL, build)  # by now the address has it
        assert machine("one").kept("train", CALL.key) is None and worker.is_alive()
    finally:
        end.set()
        worker.join(20)
    assert machine("one").kept("train", CALL.key)


class Killed(BaseException):
    """In the place of SIGKILL: nothing catches it."""


@pytest.fixture
def killed_at(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """The next machine dies when it asks the server for the nth time, before or after it did."""
    call = servers.Server._call

    def kill(number: int) -> None:
        count = 0

        def counted(self: Any, work: Any) -> Any:
            nonlocal count
            count += 1
            if count == number and number % 2:
                raise Killed
            try:
                return call(self, work)
            finally:
                if count == number:
                    raise Killed

        monkeypatch.setattr(servers.Server, "_call", counted if number else call)

    return kill


@both
def test_a_kill_at_each_step_of_sending_leaves_the_whole_or_nothing(
    machine: Machine, killed_at: Callable[[int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    made, died = machine("one"), []
    for number in range(1, 20):
        call = StageCall("train", number, {}, {})
        killed_at(number)
        try:
            made.run(call, build)
        except Killed:
            died.append(number)
        killed_at(0)
        found = machine("two").find(call)
        assert found is None or "folder" in tree(found.folder)
        # The first question comes before the build; what was built is not built again, but sent.
        assert machine("one").run(call, build if number == 1 else never)
        assert machine("three").run(call, never).hit
        if number not in died:
            break
    assert len(died) >= 4
    assert list(machine("one").far.damaged()) == []


def test_a_kill_at_each_step_of_fetching_leaves_the_whole_or_nothing(
    machine: Machine, killed_at: Callable[[int], None]
) -> None:
    whole, died = tree(machine("one").run(CALL, build).folder), 0
    for number in range(1, 20):
        killed_at(number)
        try:
            machine(f"two {number}").find(CALL)
            break
        except Killed:
            died += 1
        finally:
            killed_at(0)
        near = Store(machine(f"two {number}").root)
        there = near.near(CALL)
        assert there is None or tree(there.folder) == whole
        found = machine(f"two {number}").run(CALL, never)
        assert tree(found.folder) == whole
    assert died >= 3


@files
def test_a_killed_process_loses_nothing(machine: Machine) -> None:
    """SIGKILL while the large file is on its way; the next command sends it without building."""

    def die(*_: Any) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def work() -> None:
        servers.put = die  # type: ignore[assignment]
        machine("one").run(CALL, build)

    worker = FORK.Process(target=work)
    worker.start()
    worker.join(60)
    assert worker.exitcode == -signal.SIGKILL
    assert machine("two").find(CALL) is None
    assert machine("one").run(CALL, never)
    assert machine("two").run(CALL, never).hit


def flipped(content: bytes) -> bytes:
    return content[:-9] + bytes([content[-9] ^ 4]) + content[-8:]


DAMAGE: dict[str, tuple[str, Callable[[bytes], bytes | None], str]] = {
    "a flipped bit of a large file": ("blobs/", flipped, "is damaged (its digest is another)"),
    "a cut large file": ("blobs/", lambda c: c[:-1], "is damaged ("),
    "no large file": ("blobs/", lambda c: None, "a file of it is missing"),
    "a flipped bit of a small file": (
        ".tar",
        lambda c: c.replace(b"#!/bin/sh", b"#!/bin/sx"),
        "run.sh is damaged (its digest is another)",
    ),
    "a cut pack": (".tar", lambda c: c[:5000], "is missing"),
    "no pack": (".tar", lambda c: None, "a file of it is missing"),
    "a cut record": ("stage.json", lambda c: c[:40], "stage.json is not readable"),
    "an altered record": (
        "stage.json",
        lambda c: c.replace(b"abc", b"abd"),
        "stage.json is damaged",
    ),
    "an empty record": ("stage.json", lambda c: b"", "stage.json is not readable"),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_what_is_damaged_at_the_address_is_said_and_made_anew(
    name: str, machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    part, change, told = DAMAGE[name]
    machine("one").run(CALL, build)
    spoil(machine("one"), part, change)
    capsys.readouterr()
    far = machine("one").far
    for _ in range(2):  # asked again, it is named again
        assert [(one[:2], told in one[2]) for one in far.damaged()] == [(("train", CALL.key), True)]
    two = machine("two")
    assert two.find(CALL) is None  # as a run looks before it begins
    result = two.run(CALL, build)
    out = capsys.readouterr().out
    assert not result.hit and told in out and out.count("\n") == 1
    assert machine("three").run(CALL, never).hit and capsys.readouterr().out == ""
    assert list(machine("one").far.damaged()) == []


@pytest.mark.parametrize("same", [True, False])
def test_of_two_that_build_the_same_the_first_stays(
    same: bool, machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    def quick(folder: Path, report: Report) -> None:
        (folder / "n").write_text("7" if same else "of one")

    def slow(folder: Path, report: Report) -> None:
        (folder / "n").write_text("7" if same else "of two")
        machine("one").run(CALL, quick)

    result = machine("two").run(CALL, slow)
    assert not result.hit
    assert (result.folder / "n").read_text() == ("7" if same else "of one")
    told = "another machine sent this result while it was built here; that one is used here, too"
    assert (told in capsys.readouterr().out) is not same
    assert len([path for path in objects(machine("one")) if "stage.json" in path]) == 1


@pytest.mark.parametrize("condition", [True, False])
def test_two_that_send_at_the_same_moment(
    condition: bool, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second one looked before the first one's record came."""
    if not condition:  # a server that overlooks it
        write = servers.write_one
        monkeypatch.setattr(
            servers, "write_one", lambda fs, path, content, new=False: write(fs, path, content)
        )

    def one(folder: Path, report: Report) -> None:
        (folder / "n").write_text("of one")

    def two(folder: Path, report: Report) -> None:
        (folder / "n").write_text("of two")

    send = servers.Server.send

    def late(self: Any, files: Any, label: str) -> None:
        send(self, files, label)
        monkeypatch.setattr(servers.Server, "send", send)
        machine("one").run(CALL, one)

    monkeypatch.setattr(servers.Server, "send", late)
    assert (machine("two").run(CALL, two).folder / "n").read_text() == "of one"
    assert (machine("three").run(CALL, never).folder / "n").read_text() == "of one"


@pytest.mark.parametrize("error", [errno.ENOSYS, errno.EIO])
@pytest.mark.parametrize("taken", [True, False])
def test_a_record_is_written_once_whatever_the_server_says(
    error: int, taken: bool, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that knows no condition, or fails while another machine's record comes."""
    server, write, tries = machine("one").far.server, servers.write_one, []

    def odd(fs: Any, path: str, content: bytes, new: bool = False) -> None:
        tries.append(new)
        if new and (error == errno.ENOSYS or len(tries) == 1):
            if taken:
                write(fs, path, b"of another")
            raise OSError(error, "odd")
        write(fs, path, content, new)

    monkeypatch.setattr(servers, "write_one", odd)
    assert server.create("record", b"own") is not taken
    assert server.read("record") == (b"of another" if taken else b"own")
    assert tries == [True] + [error == errno.EIO] * (not taken)


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], list[int]]:
    """The server fails so many times more; returns how often it was asked."""
    fs_of = servers.Server._fs

    def fail(times: int) -> list[int]:
        asked: list[int] = []

        def broken(self: Any) -> Any:
            fs, root = fs_of(self)

            class Failing:
                async_impl, protocol = fs.async_impl, fs.protocol

                def __getattr__(self, name: str) -> Any:
                    asked.append(1)
                    if len(asked) <= times:
                        raise OSError(5, "Internal Error")
                    return getattr(fs, name)

            return Failing(), root

        monkeypatch.setattr(servers.Server, "_fs", broken)
        return asked

    return fail


def test_a_server_that_fails_now_and_then_is_asked_again(
    machine: Machine, failing: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    failing(2)
    machine("one").run(CALL, build)
    failing(2)
    assert machine("two").run(CALL, never).hit
    assert capsys.readouterr().out == ""


def test_what_is_built_while_the_server_is_away_is_sent_later(
    machine: Machine,
    failing: Any,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    machine("one").run(CALL, build)
    other = StageCall("train", 2, {}, {})
    failing(10**6)
    away = machine("one")
    assert away.run(CALL, never).hit  # from the cache
    assert not away.run(other, build).hit
    assert away.run(other, never).hit
    assert away.send_waiting() == (0, 1)
    out = capsys.readouterr().out
    assert out.count("\n") == 1 and "Internal Error. It cannot be reached: results of" in out
    monkeypatch.undo()
    assert machine("two").find(other) is None
    assert machine("one").send_waiting() == (1, 0)
    assert machine("one").send_waiting() == (0, 0)
    assert machine("two").run(other, never).hit


def test_a_server_that_is_away_is_not_asked_for_each_result(
    machine: Machine, failing: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(servers, "REST", 60.0)
    asked = failing(10**6)
    away = machine("one")
    for number in range(5):
        away.run(StageCall("train", number, {}, {}), build)
    assert len(asked) == servers.TRIES


def test_what_waited_and_came_second_stays_here_alone(
    machine: Machine,
    failing: Any,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    failing(10**6)
    machine("one").run(CALL, lambda folder, _: (folder / "n").write_text("of one"))
    monkeypatch.undo()
    machine("two").run(CALL, lambda folder, _: (folder / "n").write_text("of two"))
    capsys.readouterr()
    assert machine("one").send_waiting() == (1, 0)
    assert "another machine sent this result before" in capsys.readouterr().out
    assert (machine("one").run(CALL, never).folder / "n").read_text() == "of one"
    assert (machine("three").run(CALL, never).folder / "n").read_text() == "of two"


def test_a_damaged_result_is_never_sent(
    machine: Machine, failing: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing(10**6)
    result = machine("one").run(CALL, build)
    monkeypatch.undo()
    (result.folder / "best.pt").write_bytes(flipped(LARGE))
    assert machine("one").send_waiting() == (0, 0)
    assert machine("two").find(CALL) is None


def sized(number: int) -> StageCall:
    return StageCall("sized", number, {}, {})


@files
def test_the_cache_keeps_within_its_limit_what_was_used_last(
    machine: Machine, tmp_path: Path
) -> None:
    def ten(folder: Path, report: Report) -> None:
        (folder / "n").write_bytes(b"x" * 10_000)

    def fill(limit: float | None, *numbers: int) -> list[int]:
        store = machine("one", limit)
        for number in numbers:
            store.run(sized(number), ten)
        return sorted(entry.call["version"] for entry in store.entries())

    def used(number: int, ago: float) -> None:
        record = tmp_path / "one" / "results" / "sized" / sized(number).key / "stage.json"
        os.utime(record, (time.time() - ago,) * 2)

    # Each in a process of its own: what one uses itself stays.
    worker = FORK.Process(target=fill, args=(None, 1, 2, 3))
    worker.start()
    worker.join(60)
    for number, ago in ((1, 50), (2, 100), (3, 10)):
        used(number, ago)
    (tmp_path / "one" / "there" / f"sized-{sized(1).key}").unlink()  # it waits to be sent
    assert fill(25_000, 4) == [1, 4]
    assert fill(5_000, 5) == [1, 4, 5]  # this process uses the others, which is said
    machine("one").send_waiting()
    assert machine("two").run(sized(2), never).hit  # the address has it all the same


@files
def test_gc_of_the_cache_keeps_what_waits_to_be_sent(
    machine: Machine,
    failing: Any,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    waits, damaged, sent = (StageCall("train", number, {}, {}) for number in (1, 2, 3))

    def gc() -> list[str]:
        time.sleep(0.02)
        assert main(["store", "gc", "--root", str(tmp_path / "one"), "--days", "0"]) == 0
        return sorted(
            path.parent.name for path in (tmp_path / "one").glob("results/*/*/stage.json")
        )

    def make(*calls: StageCall) -> None:
        for call in calls:
            machine("one").run(call, lambda folder, _: (folder / "n").write_text("1"))

    failing(10**6)
    elsewhere(make, waits, damaged)
    monkeypatch.undo()
    (tmp_path / "one" / "results" / "train" / damaged.key / "n").write_text("2")
    capsys.readouterr()
    assert gc() == [waits.key]
    out = capsys.readouterr().out
    assert "store: 1 result in" in out and "still to be sent: kept" in out
    assert out.endswith("removed 1 folders\n")
    assert machine("one").send_waiting() == (1, 0)
    elsewhere(make, sent)
    marks = tmp_path / "one" / "there"
    assert len(list(marks.iterdir())) == 2
    capsys.readouterr()
    assert gc() == [] and capsys.readouterr().out == "removed 2 folders\n"
    assert not list(marks.iterdir())
    assert machine("two").find(waits) and machine("two").find(sent)


def test_gc_of_the_cache_leaves_transfers_alone(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def meanwhile(work: Callable[..., Any]) -> Callable[..., Any]:
        def collecting(self: Any, files: Any, *words: Any) -> Any:
            packs = [str(path) for path in files.values() if path.suffix]
            for path in map(Path, packs):
                path.touch()  # before it is fetched there is nothing of it
                asked.append(path.suffix)
                time.sleep(0.02)
                assert Store(path.parents[2]).collect(days=0) == [] and path.exists()
            return work(self, files, *words)

        return collecting

    for name in ("send", "fetch"):
        monkeypatch.setattr(servers.Server, name, meanwhile(getattr(servers.Server, name)))
    machine("one").run(CALL, lambda folder, _: (folder / "n").write_text("1"))
    assert machine("two").run(CALL, never).hit
    assert asked == [".out", ".tar"]


def test_gc_at_the_address(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    store = machine("one")
    store.run(CALL, build)
    other = StageCall("train", 2, {}, {})
    store.run(other, lambda folder, _: (folder / "best.pt").write_bytes(LARGE[::-1]))
    store.far.server.write("blobs/aa/left", b"of a kill")
    assert store.far.collect(days=1) == (0, 0)  # what is young may be on its way
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 5 * 86400)
    machine("one").far.used("train", CALL.key)
    before = store.far.server.below
    late = now + 5 * 86400
    monkeypatch.setattr(
        store.far.server,
        "below",
        lambda path: {
            name: (size, late if name.endswith(f"{CALL.key}/used") else when)
            for name, (size, when) in before(path).items()
        },
    )
    assert [round(entry.used - now) for entry in store.far.entries()].count(5 * 86400) == 1
    assert store.far.collect(days=3) == (1, 3)  # pack and large file of the other, what was left
    monkeypatch.undo()
    assert [entry.call["version"] for entry in store.far.entries()] == [1]
    assert list(store.far.damaged()) == [] and machine("two").run(CALL, never).hit
    assert machine("two").find(other) is None


def test_gc_leaves_what_came_after_it_looked(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An old file is sent again, and an old result is used, while gc has its listing already."""
    old, new, third = (StageCall("train", number, {}, {}) for number in (1, 2, 3))
    for call in (old, third):
        machine("one").run(
            call, lambda folder, _, call=call: (folder / "n").write_bytes(LARGE + call.key.encode())
        )
    collector = machine("one").far
    now, below, touched = time.time(), collector.server.below, set[str]()

    def aged(self: servers.Server, path: str) -> tuple[int, float]:
        size, when = facts(self, path)
        return size, when if path in touched else when - 5 * 86400

    facts = servers.Server.facts
    monkeypatch.setattr(servers.Server, "facts", aged)
    send = servers.Server.send
    monkeypatch.setattr(
        servers.Server,
        "send",
        lambda self, files, label: (touched.update(files), send(self, files, label))[1],
    )

    def listed(path: str) -> dict[str, tuple[int, float]]:
        found = {name: (size, now - 5 * 86400) for name, (size, _) in below(path).items()}
        if path == "blobs":
            touched.add(f"results/train/{new.key}/stage.json")
            machine("two").run(
                new, lambda folder, _: (folder / "n").write_bytes(LARGE + old.key.encode())
            )
        elif path == "results":
            touched.add(f"results/train/{third.key}/used")
            machine("three").far.used("train", third.key)
        return found

    monkeypatch.setattr(collector.server, "below", listed)
    assert collector.collect(days=1) == (1, 1)  # the old result, and its pack
    monkeypatch.undo()
    assert list(machine("one").far.damaged()) == []
    assert sorted(one.call["version"] for one in machine("one").far.entries()) == [2, 3]


def test_a_use_is_told_once_a_day_and_what_the_address_lost_is_sent_again(
    machine: Machine, tmp_path: Path
) -> None:
    machine("one").run(CALL, build)
    mark = tmp_path / "one" / "there" / f"train-{CALL.key}"
    assert machine("one").find(CALL)
    assert not any(path.endswith("used") for path in objects(machine("one")))
    os.utime(mark, (1, 1))
    assert machine("one").find(CALL) and mark.stat().st_mtime > 1
    assert any(path.endswith("used") for path in objects(machine("one")))
    machine("one").far.server.remove(list(objects(machine("one"))))
    os.utime(mark, (1, 1))
    assert machine("one").find(CALL) and not mark.exists()
    assert machine("one").send_waiting() == (1, 0) and machine("two").run(CALL, never).hit


def test_a_file_that_is_there_is_not_sent_again(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[str] = []
    send = servers.Server.send
    monkeypatch.setattr(
        servers.Server,
        "send",
        lambda self, files, label: (sent.extend(files), send(self, files, label))[1],
    )
    machine("one").run(CALL, build)
    machine("one").run(StageCall("train", 2, {}, {}), build)
    assert [path.split("/")[0] for path in sent] == ["blobs", "results", "results"]


OUTSIDE = ("../x", "../../x", "ABOVE/x", "deep/../../x", "..")


def packed(path: Path, *entries: tuple[str, bytes, str]) -> Path:
    """A pack of entries: name, type and target of a link, ABOVE being the folder of the pack."""
    with tarfile.open(path, "w") as tar:
        for name, kind, target in entries:
            info = tarfile.TarInfo(name.replace("ABOVE", str(path.parent)))
            info.type, info.linkname = kind, target.replace("ABOVE", str(path.parent))
            tar.addfile(info)
    return path


@pytest.mark.parametrize("kind", [tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE])
@pytest.mark.parametrize("name", OUTSIDE)
def test_a_pack_writes_nowhere_else(name: str, kind: bytes, tmp_path: Path) -> None:
    """Whoever may write to the bucket, records as well, may not write to our folders."""
    pack = packed(tmp_path / "KEY.tar", (name, kind, "x"))
    name = name.replace("ABOVE", str(tmp_path))
    folder = tmp_path / "a" / "b"
    folder.mkdir(parents=True)
    before = set(tmp_path.rglob("*"))
    for rows in ({name}, {f"{Path(name).parent}/"}, set[str]()):
        with pytest.raises(Unusable, match="which its record does not name"):
            packs.unpack(pack, folder, {"files": dict.fromkeys(rows)})
    with pytest.raises(Unusable, match="its record names"):
        packs.apart({"files": {name: {"size": packs.LARGE + 1, "sha256": "0" * 64}}})
    assert set(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("entries", "told"),
    [
        ([("link", tarfile.SYMTYPE, "ABOVE"), ("link/x", tarfile.REGTYPE, "")], "is damaged"),
        ([("link", tarfile.SYMTYPE, "ABOVE"), ("link/x", tarfile.DIRTYPE, "")], "is damaged"),
        ([("link", tarfile.SYMTYPE, "ABOVE"), ("link/x", tarfile.SYMTYPE, "y")], "is damaged"),
        ([("link", tarfile.SYMTYPE, "ABOVE/x"), ("link", tarfile.REGTYPE, "")], "is damaged"),
        ([("link", tarfile.LNKTYPE, "ABOVE/KEY.tar")], "does not name"),
        ([("link", tarfile.FIFOTYPE, "")], "does not name"),
        ([("no such", tarfile.REGTYPE, "")], "does not name"),
    ],
)
def test_a_pack_writes_through_no_link(
    entries: list[tuple[str, bytes, str]], told: str, tmp_path: Path
) -> None:
    pack = packed(tmp_path / "KEY.tar", *entries)
    folder = tmp_path / "a" / "b"
    folder.mkdir(parents=True)
    with pytest.raises(Unusable, match=told):
        packs.unpack(pack, folder, {"files": dict.fromkeys(["link", "link/x"])})
    assert {path.name for path in tmp_path.iterdir()} == {"KEY.tar", "a"}
    assert list((tmp_path / "a").iterdir()) == [folder]


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress, lzma.compress])
def test_a_pack_is_not_compressed(compress: Callable[[bytes], bytes], tmp_path: Path) -> None:
    """A cut one would end in the errors of whichever library."""
    pack = packed(tmp_path / "KEY.tar", ("link", tarfile.REGTYPE, ""))
    content = compress(pack.read_bytes() + os.urandom(1000))
    for part in (content, content[:-30]):
        pack.write_bytes(part)
        with pytest.raises(Unusable, match=r"KEY\.tar is damaged"):
            packs.unpack(pack, tmp_path / "a", {"files": {"link": None}})


NAMES = st.text(
    st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=12
).filter(lambda name: name not in (".", "..", "stage.json") and len(name.encode()) < 100)
TREES = st.recursive(
    st.one_of(st.binary(max_size=300), NAMES),
    lambda inner: st.dictionaries(NAMES, inner, max_size=5),
    max_leaves=12,
)


def plant(folder: Path, what: Any) -> None:
    for name, content in what.items():
        path = folder / name
        if isinstance(content, dict):
            path.mkdir()
            plant(path, content)
        elif isinstance(content, bytes):
            path.write_bytes(content)
        else:
            path.symlink_to(content)


@effort(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(what=st.dictionaries(NAMES, TREES, max_size=5), crowd=st.booleans())
def test_any_tree_comes_back(what: Any, crowd: bool, tmp_path: Path) -> None:
    place = tmp_path / uuid.uuid4().hex
    far = f"memory://{place.name}/x"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(records, "_TOGETHER", 1 if crowd else 256)
        patch.setattr("segtrack.store.packs.LARGE", 100)
        first = SharedStore(far, place / "one").run(CALL, lambda folder, _: plant(folder, what))
        second = SharedStore(far, place / "two").run(CALL, never)
    assert second.hit and tree(first.folder) == tree(second.folder)


def test_an_address_that_cannot_be_used_is_said_in_one_line(tmp_path: Path) -> None:
    for address, told in (
        ("nosuch://bucket/x", "Protocol not known: nosuch"),
        (f"file://{tmp_path}/far", "another version of segtrack made it"),
    ):
        (tmp_path / "far").mkdir(exist_ok=True)
        (tmp_path / "far" / "store.json").write_text(json.dumps({"segtrack store": 9}))
        with pytest.raises(SettingsError, match=told) as error:
            SharedStore(address, tmp_path / "one").reach(write=True)
        assert str(error.value).startswith(f"store={address}") and "\n" not in str(error.value)


def test_a_missing_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    from fsspec.registry import _registry

    monkeypatch.setitem(sys.modules, "s3fs", None)
    for name in ("s3", "s3a"):  # which it knows once another test has used it
        monkeypatch.delitem(_registry, name, raising=False)
    with pytest.raises(SettingsError, match=r"store=s3://b/x: .*pip install 'segtrack\[s3\]'"):
        SharedStore("s3://b/x", tmp_path).reach()


@files
def test_a_cache_that_cannot_be_written_is_named(machine: Machine, tmp_path: Path) -> None:
    machine("one").run(CALL, build)
    (tmp_path / "two").write_text("a file")
    with pytest.raises(StageError, match=r"cannot write in .*two.*store_cache=FOLDER"):
        machine("two").run(CALL, never)


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_a_full_disk_of_this_machine_is_no_server_that_is_away(
    error: int,
    machine: Machine,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    machine("one").run(CALL, build)
    two, tried = machine("two"), []
    fs = two.far.server._fs()[0]

    def full(*_: Any, **__: Any) -> None:
        tried.append(1)
        raise OSError(error, os.strerror(error))  # as write() does: without a name

    monkeypatch.setattr(fs, "get", full)
    with pytest.raises(StageError, match=r"cannot write in .*two/fetched/train.*: "):
        two.run(CALL, never)
    assert len(tried) == 1 and capsys.readouterr().out == ""
    monkeypatch.undo()
    assert two.run(CALL, never).hit


def test_a_full_device_is_said(machine: Machine) -> None:
    server = machine("one").far.server
    server.write("a", b"1" * 100_000)
    with pytest.raises(OSError, match="No space left") as error:
        server.fetch({"a": Path("/dev/full")}, "fetch", 100_000)
    assert error.value.filename == "/dev/full"
