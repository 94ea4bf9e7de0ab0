"""Files that go up: resume, limits, and what is in the way."""

from __future__ import annotations

import re
import sys
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest

from labellerr_loopback import Emulator, ask
from segtrack.annotation.labellerr.files import LocalFile, check_files
from segtrack.annotation.labellerr.http_platform import HttpPlatform
from segtrack.annotation.labellerr.ledger import Ledger
from segtrack.annotation.labellerr.meter import Meter
from segtrack.annotation.labellerr.port import Connection, DatasetRecord, FileRecord
from segtrack.annotation.labellerr.uploader import Limits, upload
from segtrack.base.errors import DataError, PlatformError, SettingsError
from segtrack.base.labellerr_api import READY
from tests.annotation.labellerr.conftest import adapter, jpeg, unique
from tests.integration.conftest import LOADED, with_ours

Images = Callable[[int], list[Path]]


def puts(emulator: Emulator, names: set[str] | None = None) -> dict[str, int]:
    """How often each file arrived whole, by name; of all connections of this test."""
    rows = ask("GET", f"{emulator.url}/_emulator/uploads?size=10000")
    return {r["file_name"]: r["puts"] for r in rows if not names or r["file_name"] in names}


def named(images: list[Path], prefix: str) -> list[Path]:
    """The same images under names that no other test uses."""
    return [p.rename(p.with_name(f"{prefix}-{p.name}")) for p in images]


def test_connection_cut_in_the_middle_of_an_upload(
    http: HttpPlatform, emulator: Emulator, images: Images, tmp_path: Path
) -> None:
    name = unique("cut")
    files = check_files(named(images(6), name))
    emulator.fault("cut", path="/storage/session", nth=3, after_bytes=100)
    done = upload(http, files, name, tmp_path / "ledger", workers=2)
    assert (done.sent, done.datasets[0].files_count) == (6, 6)
    assert puts(emulator, {f.name for f in files}) == {f.name: 1 for f in files}


def test_interrupted_and_resumed(
    http: HttpPlatform, emulator: Emulator, images: Images, tmp_path: Path
) -> None:
    """The network goes away after 4 of 9 files, and is back for the second attempt."""
    name = unique("resumed")
    files = check_files(named(images(9), name))
    emulator.fault("cut", path="/storage/", nth=9, times=-1)
    with pytest.raises(
        PlatformError, match=r"files of '.*' could not be sent.*only what is missing"
    ):
        upload(http, files, name, tmp_path / "ledger", workers=1)
    arrived = puts(emulator, {f.name for f in files})
    assert sum(arrived.values()) == 4
    emulator.faults.clear()
    done = upload(http, files, name, tmp_path / "ledger", workers=1)
    assert done.sent == 5
    assert puts(emulator, {f.name for f in files}) == {f.name: 1 for f in files}
    assert done.datasets[0].files_count == 9


def test_storage_that_is_down_ends_the_push_early(
    http: HttpPlatform, emulator: Emulator, images: Images, tmp_path: Path
) -> None:
    files = check_files(images(60))
    emulator.fault("status", path="/storage/upload", status=503, times=-1)
    start = time.monotonic()
    with pytest.raises(PlatformError, match=r"60 of 60 files .*answered 503"):
        limits = Limits(call_files=5)
        upload(http, files, unique("down"), tmp_path / "ledger", workers=2, limits=limits)
    assert emulator.faults.calls["POST /storage/upload/{id}"] <= 8 * 4
    assert time.monotonic() - start < 10


def test_an_expired_link_is_asked_for_again(
    http: HttpPlatform, emulator: Emulator, images: Images, tmp_path: Path
) -> None:
    emulator.fault("link_expired", nth=2, times=1)
    done = upload(http, check_files(images(3)), unique("expired"), tmp_path / "ledger")
    assert (done.sent, done.datasets[0].files_count) == (3, 3)


def test_an_expired_connection_is_opened_anew(
    http: HttpPlatform, emulator: Emulator, images: Images, tmp_path: Path
) -> None:
    name = unique("reopened")
    files = check_files(images(4))
    emulator.fault("status", path="/datasets/create", status=400, times=1)
    with pytest.raises(PlatformError, match="400"):
        upload(http, files[:3], name, tmp_path / "ledger")
    # The three are sent, there is no data set yet, and now the connection is gone.
    with Ledger(tmp_path / "ledger", http.account) as book:
        (part,) = book.parts(name)
        assert all(f.sent for f in book.files(name).values())
        book._db.execute("UPDATE files SET sent = 0 WHERE file_name = '001.jpg'")
    emulator.fault("status", path="/connect/local", status=404, times=1)
    done = upload(http, files[:3], name, tmp_path / "ledger")
    assert (done.sent, done.datasets[0].files_count) == (3, 3)
    with Ledger(tmp_path / "ledger", http.account) as book:
        assert book.parts(name)[0].connection_id != part.connection_id


def test_more_files_than_a_data_set_takes(
    http: HttpPlatform, emulator: Emulator, images: Images, tmp_path: Path
) -> None:
    name = unique("spread")
    limits = Limits(dataset_files=4, call_files=3)
    files = check_files(images(10))
    done = upload(http, files[:9], name, tmp_path / "ledger", limits=limits)
    assert [d.name for d in done.datasets] == [name, f"{name} 2", f"{name} 3"]
    assert [d.files_count for d in done.datasets] == [4, 4, 1]
    # One more file becomes one more data set; the others stay as they are.
    more = upload(http, files, name, tmp_path / "ledger", limits=limits)
    assert more.sent == 1
    assert more.datasets[:3] == done.datasets
    assert (more.datasets[3].name, more.datasets[3].files_count) == (f"{name} 4", 1)


class Memory:
    """As much of a platform as an upload needs, without a server."""

    account = "memory"

    def __init__(self) -> None:
        self.calls: list[int] = []
        self.sent: dict[str, list[str]] = {}
        self.made: dict[str, DatasetRecord] = {}

    def find_dataset(self, name: str, files: list[str], data_type: str) -> DatasetRecord | None:
        return self.made.get(name)

    def connect_files(self, names: list[str], connection_id: str | None) -> Connection:
        self.calls.append(len(names))
        connection_id = connection_id or f"connection {len(self.sent)}"
        self.sent.setdefault(connection_id, [])
        return Connection(connection_id, {name: f"{connection_id}/{name}" for name in names})

    def send_file(self, link: str, path: Path) -> None:
        connection_id, name = link.split("/")
        assert name == path.name
        self.sent[connection_id].append(name)

    def ensure_dataset(
        self, name: str, connection_id: str, files: list[str], data_type: str, description: str
    ) -> DatasetRecord:
        assert sorted(self.sent[connection_id]) == sorted(files)
        self.made[name] = DatasetRecord(f"id of {name}", name, READY, len(files))
        return self.made[name]

    def wait_dataset(self, dataset_id: str, timeout: float | None) -> DatasetRecord:
        return self.made[dataset_id.removeprefix("id of ")]


def test_3000_files_are_spread_over_two_data_sets(tmp_path: Path) -> None:
    paths = [tmp_path / f"{i:04d}.jpg" for i in range(3000)]
    for path in paths:
        path.write_bytes(b"image")
    platform = Memory()
    lines: list[str] = []
    files = check_files(paths)
    done = upload(platform, files, "many", tmp_path / "ledger", workers=4, say=lines.append)
    assert [(d.name, d.files_count) for d in done.datasets] == [("many", 2500), ("many 2", 500)]
    assert done.sent == 3000
    assert platform.calls == [900, 900, 700, 500]
    assert re.search(r"sent 3000 of 3000 files, .* files/s, .* MB/s", "\n".join(lines))


def test_files_that_the_platform_leaves_out(tmp_path: Path) -> None:
    paths = [tmp_path / f"{i}.jpg" for i in range(3)]
    for path in paths:
        path.write_bytes(b"image")
    platform = Memory()
    platform.wait_dataset = lambda dataset_id, timeout: DatasetRecord(dataset_id, "n", READY, 2)
    platform.dataset_files = lambda _: [FileRecord("f", n, "d") for n in ("0.jpg", "2.jpg")]
    with pytest.raises(PlatformError, match=r"without 1 of the 3 files .* for example 1\.jpg"):
        upload(platform, check_files(paths), "n", tmp_path / "ledger")
    # More than was sent is none of our business: people add files on the platform.
    names = ("0.jpg", "1.jpg", "2.jpg", "3.jpg")
    platform.wait_dataset = lambda dataset_id, timeout: DatasetRecord(dataset_id, "n", READY, 4)
    platform.dataset_files = lambda _: [FileRecord("f", n, "d") for n in names]
    platform.dataset = lambda dataset_id: platform.wait_dataset(dataset_id, None)
    assert upload(platform, check_files(paths), "n", tmp_path / "ledger").sent == 0


def test_killed_in_the_middle(emulator: Emulator, images: Images, tmp_path: Path) -> None:
    """kill -9 of a push, then the same push: each file arrives once."""
    name = unique("killed")
    paths = named(images(50), name)
    names = {p.name for p in paths}
    emulator.fault("delay", path="/storage/session", seconds=0.02, times=-1)
    command = [sys.executable, "-m", "tests.annotation.labellerr.killed_push", emulator.url]
    command += [str(tmp_path / "images"), str(tmp_path / "ledger"), name]
    with LOADED.start(command, tmp_path, with_ours()) as pushing:  # killed where this ends
        deadline = time.monotonic() + 30
        while sum(puts(emulator, names).values()) < 25:
            assert pushing.poll() is None, pushing.err
            assert time.monotonic() < deadline
            time.sleep(0.02)
    before = puts(emulator, names)
    assert 25 <= sum(before.values()) < 50
    emulator.faults.clear()
    http = adapter("http", emulator.url)
    done = upload(
        http, check_files(paths), name, tmp_path / "ledger", limits=Limits(dataset_files=20)
    )
    assert [d.files_count for d in done.datasets] == [20, 20, 10]
    after = puts(emulator, names)
    assert set(after) == names
    # The two that were on their way when it died may have arrived without being noted.
    assert sum(after.values()) - 50 <= 2
    assert done.sent <= 50 - sum(before.values()) + 2


@pytest.mark.parametrize(("status", "says"), [(500, "no permission"), (501, "not found")])
def test_a_data_set_that_fails(
    http: HttpPlatform,
    emulator: Emulator,
    images: Images,
    tmp_path: Path,
    status: int,
    says: str,
) -> None:
    name = unique("failing")
    files = check_files(images(1))
    emulator.fault("dataset_status", status=status)
    with pytest.raises(PlatformError, match=f"failed with status {status} \\({says}"):
        upload(http, files, name, tmp_path / "ledger")
    # Once the cause is mended, the same push makes a new one.
    emulator.faults.clear()
    assert upload(http, files, name, tmp_path / "ledger").datasets[0].files_count == 1


def test_a_data_set_that_is_never_ready(
    http: HttpPlatform, emulator: Emulator, images: Images, tmp_path: Path
) -> None:
    name = unique("stuck")
    files = check_files(images(1))
    emulator.fault("dataset_stuck")
    start = time.monotonic()
    with pytest.raises(PlatformError, match=r"not finished after 0\.3 s, last state '?100"):
        upload(http, files, name, tmp_path / "ledger", timeout=0.3)
    assert time.monotonic() - start < 5
    emulator.faults.clear()
    done = upload(http, files, name, tmp_path / "ledger")
    assert (done.sent, done.datasets[0].files_count) == (0, 1)


def test_a_data_set_that_people_deleted(http: HttpPlatform, images: Images, tmp_path: Path) -> None:
    name = unique("deleted")
    files = check_files(images(2))
    first = upload(http, files, name, tmp_path / "ledger").datasets[0]
    http.delete_dataset(first.dataset_id)
    second = upload(http, files, name, tmp_path / "ledger")
    assert second.sent == 2
    assert second.datasets[0].dataset_id != first.dataset_id


def test_a_file_that_changed_after_it_was_sent(
    http: HttpPlatform, images: Images, tmp_path: Path
) -> None:
    name = unique("changed")
    paths = images(2)
    upload(http, check_files(paths), name, tmp_path / "ledger")
    paths[1].write_bytes(jpeg(60, 60))
    with pytest.raises(DataError, match=r"1 files changed since .*001\.jpg"):
        upload(http, check_files(paths), name, tmp_path / "ledger")


def test_a_file_that_changes_meanwhile(http: HttpPlatform, images: Images, tmp_path: Path) -> None:
    paths = images(2)
    files = check_files(paths)
    with pytest.raises(DataError, match=r"001\.jpg: 7 bytes, .* when the push began"):
        paths[1].write_bytes(b"changed")
        upload(http, files, unique("meanwhile"), tmp_path / "ledger")
    paths[1].unlink()
    with pytest.raises(DataError, match=r"001\.jpg: No such file"):
        upload(http, files, unique("meanwhile"), tmp_path / "ledger")


def test_a_ledger_that_a_power_cut_damaged(
    http: HttpPlatform, images: Images, tmp_path: Path
) -> None:
    name = unique("damaged")
    files = check_files(images(3))
    first = upload(http, files, name, tmp_path / "ledger")
    path = tmp_path / "ledger" / "ledger.db"
    whole = path.read_bytes()
    # All but the first page, which says what tables there are.
    for content in (b"not a database" * 100, whole[:4096] + b"x" * (len(whole) - 4096)):
        path.write_bytes(content)
        with pytest.raises(DataError, match=r"ledger\.db: damaged \(.*\)\. Remove it and give"):
            upload(http, files, name, tmp_path / "ledger")
    path.unlink()
    again = upload(http, files, name, tmp_path / "ledger")
    assert (again.sent, again.datasets) == (0, first.datasets)


def known_contents(paths: list[Path], prefix: str = "") -> list[LocalFile]:
    """With digests of their content, as the stages send them; those of ``prefix`` are made up."""
    digests = {p: sha256(prefix.encode() + p.name.encode()).hexdigest() for p in paths}
    return check_files(paths, digests)


def test_without_the_ledger_a_data_set_that_grew_is_found_again(
    platform: HttpPlatform, images: Images, tmp_path: Path
) -> None:
    """As the advice for a damaged ledger says; and more images come to it as before."""
    name, files = unique("grown"), known_contents(images(5))
    upload(platform, files[:2], name, tmp_path / "ledger")
    before = upload(platform, files[:3], name, tmp_path / "ledger")
    assert len(before.datasets) == 2
    again = upload(platform, files[:3], name, tmp_path / "another")
    assert (again.sent, again.datasets) == (0, before.datasets)
    more = upload(platform, files, name, tmp_path / "a third")
    assert (more.sent, [d.name for d in more.datasets]) == (2, [name, f"{name} 2", f"{name} 3"])
    last = upload(platform, files, name, tmp_path / "ledger")  # it missed what the third one sent
    assert (last.sent, last.datasets) == (0, more.datasets)


def test_other_pictures_of_the_same_names_are_not_taken_for_those_of_the_platform(
    platform: HttpPlatform, emulator: Emulator, images: Images, tmp_path: Path
) -> None:
    """Of another store or machine, whose ledger says nothing: ``frames/000.jpg`` is everywhere."""
    name, paths = unique("frames"), images(3)
    upload(platform, known_contents(paths[:2]), name, tmp_path / "ledger")
    emulator.faults.calls.clear()
    with pytest.raises(PlatformError, match=r"exists with other files .* labellerr\.name=\.\.\."):
        upload(platform, known_contents(paths[:2], "other"), name, tmp_path / "another")
    with pytest.raises(PlatformError, match=r"exists with other files .* labellerr\.name=\.\.\."):
        upload(platform, known_contents(paths, "other"), name, tmp_path / "a third")
    assert not [call for call in emulator.faults.calls if not call.startswith("GET")]


def test_what_an_earlier_release_sent_is_known_by_its_names(
    http: HttpPlatform, images: Images, tmp_path: Path
) -> None:
    name, paths = unique("old"), images(3)
    first = upload(http, check_files(paths[:2]), name, tmp_path / "ledger")  # no description
    again = upload(http, known_contents(paths[:2]), name, tmp_path / "another")
    assert (again.sent, again.datasets) == (0, first.datasets)
    with pytest.raises(PlatformError, match=r"exists with other files .* labellerr\.name=\.\.\."):
        upload(http, known_contents(paths), name, tmp_path / "a third")


def test_one_push_at_a_time(http: HttpPlatform, images: Images, tmp_path: Path) -> None:
    files = check_files(images(1))
    with (
        Ledger(tmp_path / "ledger", http.account) as book,
        book.locked(),
        pytest.raises(SettingsError, match="another process is sending"),
    ):
        upload(http, files, unique("locked"), tmp_path / "ledger")


def test_upper_case_suffix_arrives(http: HttpPlatform, tmp_path: Path) -> None:
    path = tmp_path / "b.JPG"
    path.write_bytes(jpeg())
    done = upload(http, check_files([path]), unique("upper"), tmp_path / "ledger")
    files = list(http.dataset_files(done.datasets[0].dataset_id))
    assert [f.file_name for f in files] == ["b.jpg"]


def test_a_large_file_is_not_held_in_memory(http: HttpPlatform, tmp_path: Path) -> None:
    path = tmp_path / "long.mp4"
    with path.open("wb") as file:
        file.truncate(48_000_000)
    connection = http.connect_files(["long.mp4"], None)
    tracemalloc.start()
    http.send_file(connection.links["long.mp4"], path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    url, params = f"{http.http.url}/_emulator/uploads", {"connection_id": connection.connection_id}
    (sent,) = ask("GET", url, params=params)
    assert (sent["size"], sent["finished"]) == (48_000_000, True)
    assert peak < 4_000_000  # bytes, both sides of the connection together


def test_rate_and_remaining_time() -> None:
    meter = Meter(print, total=900, total_size=40_000_000)
    meter.files, meter.size = 300, 10_000_000
    assert meter.line(10.0) == (
        "sent 300 of 900 files, 10.0 of 40.0 MB, 30.0 files/s, 1.0 MB/s, 30 s left"
    )
    assert replace(meter, total=300).line(10.0).endswith("1.0 MB/s")
