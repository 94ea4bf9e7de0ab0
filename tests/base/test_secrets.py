"""Secrets: which values are such, in which spellings, and what stays as it is."""

import errno
import io
import json
import logging
import shlex
import sys
from pathlib import Path
from urllib.parse import quote

import pytest
import yaml

from segtrack.base import secrets
from segtrack.base.secrets import hidden, hide_in, told_apart, without_secrets


def know(monkeypatch: pytest.MonkeyPatch, **variables: str) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    secrets._values.cache_clear()


@pytest.fixture(autouse=True)
def _forget():  # type: ignore[no-untyped-def]
    yield
    secrets._values.cache_clear()


@pytest.mark.parametrize(
    ("name", "secret"),
    [
        *((name, True) for name in ("MY_TOKEN", "HF_TOKEN", "TOKEN", "hfToken", "GH_TOKEN_2")),
        *((name, True) for name in ("AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID", "KEY", "A_KEY")),
        *((name, True) for name in ("PASSWORD", "PGPASSWORD", "DB_PASSWD", "CAM_PW", "SMTP_PASS")),
        *((name, True) for name in ("OPENAI_APIKEY", "X_CREDENTIALS", "BASIC_AUTH")),
        *((name, True) for name in ("LABELLERR_API_KEY", "LABELLERR_CLIENT_ID", "GITHUB_PAT")),
        *((name, True) for name in ("SLACK_WEBHOOK_URL", "A_COOKIE", "DB_PWD", "MYSQLPWD")),
        *((name, False) for name in ("TOKENIZERS_PARALLELISM", "KEYBOARD", "MONKEY", "PWD")),
        *((name, False) for name in ("OLDPWD", "PATTERN", "MYPATH")),
        *((name, False) for name in ("PATH", "AUTHOR", "COMPASS", "BYPASS", "HOME")),
    ],
)
def test_names_that_tell(monkeypatch: pytest.MonkeyPatch, name: str, secret: bool) -> None:
    know(monkeypatch, **{name: "q7Rt-x9"})
    assert without_secrets("a q7Rt-x9.mp4") == ("a ***.mp4" if secret else "a q7Rt-x9.mp4")


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("rtsp://user:p@ss@word@cam.example/s", "rtsp://***@cam.example/s"),
        ("http://bob:pw/SECRET@localhost:1", "http://***@localhost:1"),
        ("http://localhost:8080/@user/v.mp4", "http://localhost:8080/@user/v.mp4"),
        ("rtsp://a:b@one,rtsp://c:d@two", "rtsp://***@one,rtsp://***@two"),
        ("http://me:o'brien@host:5", "http://***@host:5"),
        ('http://me:a"b"c@host', "http://***@host"),
        ("['http://host','x@y']", "['http://host','x@y']"),
        ("postgres:/me:SECRET@host/db", "postgres:/***@host/db"),
        ("file:/a:b/c@d.jpg C:/me:x@y", "file:/***@d.jpg C:/me:x@y"),
        ("s3:/bucket/me@home.jpg", "s3:/bucket/me@home.jpg"),
        ("http://h/v?api_key=A1&channel=2", "http://h/v?api_key=***&channel=2"),
        (
            "http://h/v?client_secret=A1&auth_token=B2",
            "http://h/v?client_secret=***&auth_token=***",
        ),
        ("http://h/v?jwt=A1#session=B2;token=C3", "http://h/v?jwt=***#session=***;token=***"),
    ],
)
def test_addresses(address: str, shown: str) -> None:
    assert without_secrets(address) == shown


@pytest.mark.parametrize(
    "value", ["s3cret", "a\"b\\c'd", "two words\tand more", "line 1\nline 2", "ünï-cödé", "a/b+c=="]
)
def test_every_spelling_is_found(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    know(monkeypatch, MY_TOKEN=value)
    nested = {"x": f"http://h/{value}?y", "long": "word " * 15 + value, "list": [value, 1]}
    for text in (
        *(value, repr(value), json.dumps(value), json.dumps([value], ensure_ascii=False)),
        *(quote(value), quote(value, safe=""), shlex.join(["run.py", f"++x={value}"])),
        *(yaml.safe_dump(nested), yaml.safe_dump(nested, allow_unicode=True, width=30)),
    ):
        shown = without_secrets(text)
        assert "***" in shown, text
        for part in ("s3cret", "b\\c", "two", "more", "line 1", "line 2", "cöd", "b+c", "b%2Bc"):
            assert part not in shown


def test_what_is_no_secret_stays(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    know(monkeypatch, SSH_KEY=str(tmp_path), A_TOKEN="short", B_TOKEN="", LONG_KEY="x" * 9000)
    text = f"a short path {tmp_path}/b.mp4 of the tracker"
    assert without_secrets(text) == text


def test_a_short_id_of_labellerr_is_hidden_as_a_word(monkeypatch: pytest.MonkeyPatch) -> None:
    know(monkeypatch, LABELLERR_CLIENT_ID="zq9x7")
    text = without_secrets("of zq9x7, client_id=zq9x7 and azq9x7b")
    assert text == "of ***, client_id=*** and azq9x7b"


def test_a_secret_is_hidden_where_a_folder_has_its_name(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "key-9f3a7c11").mkdir()
    monkeypatch.chdir(tmp_path)
    know(monkeypatch, MY_TOKEN="key-9f3a7c11")
    assert without_secrets("of key-9f3a7c11") == "of ***"


@pytest.mark.parametrize("closed", ["stdout", "stderr"])
def test_a_closed_stream_takes_what_is_printed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], closed: str
) -> None:
    """As the shell's ``>&-`` leaves it."""
    monkeypatch.setattr(sys, closed, None)
    with hidden():
        print("out", flush=True)
        print("err", file=sys.stderr, flush=True)
        assert not sys.stdout.isatty() and not sys.stderr.isatty()
    assert capsys.readouterr() == (("", "err\n") if closed == "stdout" else ("out\n", ""))


def test_a_full_stream_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    class Full(io.StringIO):
        def write(self, text: str) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(sys, "stdout", Full())
    with pytest.raises(OSError, match=r"No space .* 'standard output'"), hidden():
        print("out")


def test_values_without_secrets_still_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = {"name": "bytetrack", "high": 0.5, "list": ["a", None], "pair": (1, 2)}
    assert json.dumps(told_apart(plain)) == json.dumps(plain)
    know(monkeypatch, A_TOKEN="first-secret", B_TOKEN="other-secret")
    first, other = (told_apart({"token": [f"{one}-secret"]}) for one in ("first", "other"))
    assert first == {"token": ["*** (e0a5091e)"]}
    assert other != first


def test_files_and_what_is_printed_and_logged(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    know(monkeypatch, MY_TOKEN="q7Rt-x9")
    (tmp_path / "a.yaml").write_text("x: q7Rt-x9\nvideo: rtsp://me:pw@cam/1\n")
    (tmp_path / "b.txt").write_text("q7Rt-x9")
    hide_in(tmp_path)
    assert (tmp_path / "a.yaml").read_text() == "x: ***\nvideo: rtsp://***@cam/1\n"
    assert (tmp_path / "b.txt").read_text() == "q7Rt-x9"
    handler = logging.FileHandler(tmp_path / "run.log")
    logger = logging.getLogger("test_secrets")
    logger.addHandler(handler)
    with hidden():
        print("out q7Rt-x9")
        print("err", "q7Rt-x9", file=sys.stderr)
        sys.stdout.writelines(["more ", "q7Rt-x9\n"])
        logger.warning("%s at %d", "q7Rt-x9", 3)
    logger.removeHandler(handler)
    handler.close()
    assert capsys.readouterr() == ("out ***\nmore ***\n", "err ***\n")
    assert (tmp_path / "run.log").read_text() == "*** at 3\n"
    print("q7Rt-x9 again")
    assert capsys.readouterr().out == "q7Rt-x9 again\n"
