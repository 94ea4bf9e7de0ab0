"""Retries, time-outs and messages of single calls."""

from __future__ import annotations

import email.utils
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import requests

from labellerr_loopback import Emulator
from segtrack.annotation.labellerr import EMULATOR_CREDENTIALS, Credentials, make_platform
from segtrack.annotation.labellerr.http_platform import HttpPlatform
from segtrack.annotation.labellerr.transport import (
    Patience,
    Transport,
    check_url,
    describe,
    repeat_create,
)
from segtrack.annotation.labellerr.waiter import wait
from segtrack.base import retry
from segtrack.base.errors import PlatformError, SettingsError
from tests.annotation.labellerr.conftest import QUICK, adapter, unique

LIST = "GET /project_drafts/projects/detailed_list"


def test_wrong_credentials(emulator: Emulator) -> None:
    wrong = Credentials("key-f00dfeed", "secret-0badcafe", "client-4711")
    platform = make_platform(emulator.url, wrong, "http", patience=QUICK)
    with pytest.raises(PlatformError) as caught:
        list(platform.projects())
    message = str(caught.value)
    assert caught.value.status == 401
    assert "LABELLERR_API_KEY, LABELLERR_API_SECRET, LABELLERR_CLIENT_ID" in message
    assert "expired" in message
    assert not any(v in message for v in ("key-f00dfeed", "secret-0badcafe", "client-4711"))
    assert emulator.faults.calls[LIST] <= 1  # asking again would not help


@pytest.mark.parametrize("transport", ["http", "sdk"])
def test_wrong_credentials_while_creating(emulator: Emulator, transport: str) -> None:
    wrong = Credentials("key-f00dfeed", "secret-0badcafe", "client-4711")
    platform = adapter(transport, emulator.url, credentials=wrong)
    with pytest.raises(PlatformError, match="401") as caught:
        platform._create_dataset("name", "connection", "image", "uuid", "")
    assert "f00dfeed" not in str(caught.value)


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses between attempts, which are not made."""
    pauses: list[float] = []
    monkeypatch.setattr(retry, "time", SimpleNamespace(sleep=pauses.append))
    return pauses


def test_429_with_retry_after(http: HttpPlatform, emulator: Emulator, slept: list[float]) -> None:
    emulator.fault("status", path="detailed_list", status=429, retry_after=1)
    list(http.projects())
    assert slept == [1]
    assert emulator.faults.calls[LIST] == 2


def test_429_without_retry_after(
    http: HttpPlatform, emulator: Emulator, slept: list[float]
) -> None:
    emulator.fault("status", path="detailed_list", status=429, times=3)
    list(http.projects())
    assert len(slept) == 3 and 0 < max(slept) <= QUICK.longest
    assert emulator.faults.calls[LIST] == 4


def test_429_that_asks_for_too_much(http: HttpPlatform, emulator: Emulator) -> None:
    emulator.fault("status", path="detailed_list", status=429, retry_after=3600)
    once = r"answered 429 \([^)]*\) and asks to wait 3600 s.*lower labellerr\.workers"
    with pytest.raises(PlatformError, match=once):
        list(http.projects())
    assert emulator.faults.calls[LIST] == 1


def test_retry_after_may_be_a_date(http: HttpPlatform) -> None:
    answer = requests.Response()
    answer.headers["Retry-After"] = email.utils.formatdate(time.time() + 30, usegmt=True)
    seconds = http.http._retry_after(answer)
    assert seconds is not None and 28 < seconds <= 30
    answer.headers["Retry-After"] = "soon"
    assert http.http._retry_after(answer) is None


def test_500_for_ever(http: HttpPlatform, emulator: Emulator) -> None:
    emulator.fault("status", path="detailed_list", status=500, times=-1)
    with pytest.raises(PlatformError, match=r"answered 500 .*, 4 times\. The fault is on the"):
        list(http.projects())
    assert emulator.faults.calls[LIST] == 4


def test_time_out(emulator: Emulator) -> None:
    http = adapter("http", emulator.url)
    http.http.patience = replace(QUICK, read=0.2, tries=2)
    emulator.fault("delay", path="detailed_list", seconds=1.0, times=-1)
    start = time.monotonic()
    with pytest.raises(PlatformError, match=rf"{LIST}: no answer within 0\.2 s") as caught:
        list(http.projects())
    assert time.monotonic() - start < 2.0
    assert caught.value.ambiguous


def test_the_sdk_has_time_outs_too(emulator: Emulator) -> None:
    platform = adapter("sdk", emulator.url)
    platform.http.patience = replace(QUICK, read=0.2, tries=2)
    emulator.fault("delay", path="get_template|create_template", seconds=1.0, times=-1)
    with pytest.raises(PlatformError, match=r"no answer within 0\.2 s"):
        platform._create_template(unique("slow"), (), "image", "uuid")


def test_time_outs_are_ours_whatever_the_sdk_says(emulator: Emulator) -> None:
    """From 1.1 on it gives one to every call."""
    emulator.fault("delay", path="detailed_list", seconds=0.5)
    transport = Transport(emulator.url, EMULATOR_CREDENTIALS, replace(QUICK, tries=1))
    headers = transport.credentials.headers()
    url = f"{emulator.url}/project_drafts/projects/detailed_list"
    assert transport.request("GET", url, headers=headers, timeout=0.1).status_code == 200


def test_nobody_there() -> None:
    platform = make_platform(
        "http://127.0.0.1:1", Credentials("k", "s", "c"), "http", patience=replace(QUICK, tries=2)
    )
    with pytest.raises(PlatformError, match=r"no connection to 127\.0\.0\.1:1") as caught:
        list(platform.projects())
    assert not caught.value.ambiguous  # nothing was sent, so nothing can have happened


def test_not_json(http: HttpPlatform, emulator: Emulator) -> None:
    http.http.url = emulator.url + "/docs?"
    with pytest.raises(PlatformError, match="no JSON record"):
        list(http.projects())


ODD = (None, 1, "x", ["x"], [[]], [None], {"x": 1}, [{"file_metadata": "x"}], "9" * 30)
KEYS = (
    *("datasets", "files", "questions", "projects", "metadata", "attached_datasets", "status_code"),
    *("files_count", "url", "file_metadata", "resumable_upload_links", "next_search_after"),
    *("status", "question_number"),
)


def odd_answers() -> Iterator[str]:
    yield from ("[" * 100_000, '{"response": {"status_code": Infinity}}', "", '{"error": "a\\nb"}')
    for odd in ODD:
        yield json.dumps(odd)
        for key in KEYS:
            records = (
                {key: odd},
                [{key: odd}],
                {"files": [{key: odd}]},
                {"datasets": [{key: odd}]},
            )
            yield from (json.dumps({"response": record}) for record in records)


def test_an_answer_of_another_shape_ends_in_one_line_that_names_it(
    http: HttpPlatform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    http.timeout = 0.0
    answers = tmp_path / "answers.json"
    answers.write_text("{}")
    calls: list[Callable[[], object]] = [
        lambda: http.connect_files(["a.jpg"], None),
        lambda: http.find_dataset("streets", ["a.jpg"]),
        lambda: http.wait_dataset("d"),
        lambda: list(http.dataset_files("d")),
        lambda: http.template("t"),
        lambda: http.ensure_template("t", ()),
        lambda: list(http.projects()),
        lambda: http.attach("p", ["d"]),
        lambda: list(http.project_files("p")),
        lambda: http.send_preannotations("p", answers),
        lambda: http.wait_job("p", "j"),
        lambda: http.wait_export("p", "r"),
        lambda: http.download_export("p", "r", tmp_path / "export.json"),
    ]
    refused = 0
    for text in odd_answers():
        answer = requests.Response()
        answer.status_code, answer._content = 200, text.encode()
        monkeypatch.setattr(http.http, "request", lambda *_, answer=answer, **__: answer)
        for call in calls:
            try:
                call()
            except PlatformError as error:
                refused += 1
                assert "\n" not in str(error) and len(str(error)) < 1000
    assert refused > 1000


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("api.labellerr.com", "give an address like"),
        ("ftp://api.labellerr.com", "give an address like"),
        ("http://api.labellerr.com", "not sent unencrypted"),
    ],
)
def test_addresses(url: str, says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        check_url(url)
    assert check_url("https://api.labellerr.com/") == "https://api.labellerr.com"


def test_proxies_are_not_asked_for_the_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    here = Transport("http://127.0.0.1:8080", Credentials("k", "s", "c"))
    cloud = Transport("https://api.labellerr.com", Credentials("k", "s", "c"))
    assert (here._session.trust_env, cloud._session.trust_env) == (False, True)


def test_calls_are_told_by_ids_only() -> None:
    url = "https://h/exports/status?project_id=p_1&uuid=9&client_id=4711&signature=abc"
    assert describe("POST", url, {"report_id": "r2"}) == (
        "POST /exports/status (project_id=p_1, report_id=r2)"
    )


def test_accounts_differ_by_address_and_client() -> None:
    a = Transport("https://h", Credentials("k", "s", "c"))
    assert a.account == Transport("https://h", Credentials("other", "s", "c")).account
    assert a.account != Transport("https://h", Credentials("k", "s", "d")).account
    assert a.account != Transport("https://i", Credentials("k", "s", "c")).account
    assert len(a.account) == 16


def test_pauses_double() -> None:
    assert [Patience().pause(i) for i in range(8)] == [1, 2, 4, 8, 16, 32, 60, 60]


def test_repeat_create_looks_before_it_asks_again() -> None:
    made: list[str] = []

    def create() -> str:
        made.append("id")
        raise PlatformError("lost", ambiguous=True)

    find: Callable[[], str | None] = lambda: made[0] if made else None  # noqa: E731
    assert repeat_create(create, find, QUICK) == "id"
    assert made == ["id"]


def test_repeat_create_does_not_repeat_a_refusal() -> None:
    calls: list[int] = []

    def create() -> str:
        calls.append(1)
        raise PlatformError("refused", 400)

    with pytest.raises(PlatformError, match="refused"):
        repeat_create(create, lambda: None, QUICK)
    assert len(calls) == 1


def test_waiting_ends(http: HttpPlatform) -> None:
    states = iter(["a", "b", "c"])
    assert wait(lambda: next(states), lambda s: s == "c", "it", 5.0, first=0.001) == "c"
    with pytest.raises(PlatformError, match=r"it: not finished after 0.1 s, last state 'x'") as e:
        wait(lambda: "x", lambda s: False, "it", 0.1, first=0.01)
    assert e.value.unfinished


def test_a_download_that_is_cut(http: HttpPlatform, emulator: Emulator, tmp_path: Path) -> None:
    emulator.fault("cut", path="/docs-of-nobody", times=-1)
    with pytest.raises(PlatformError, match=r"404 .*The link has expired"):
        http.http.download(emulator.url + "/docs-of-somebody", tmp_path / "a" / "b.json")
    with pytest.raises(PlatformError, match="the connection was cut"):
        http.http.download(emulator.url + "/docs-of-nobody", tmp_path / "a" / "b.json")
    assert list((tmp_path / "a").iterdir()) == []


def test_credentials_that_expire_meanwhile(http: HttpPlatform, emulator: Emulator) -> None:
    list(http.projects())
    emulator.fault("status", path="detailed_list", status=401, message="API key expired")
    with pytest.raises(PlatformError, match=r"401 \(API key expired\)\. Check LABELLERR_API_KEY"):
        list(http.projects())
    assert emulator.faults.calls[LIST] == 2
