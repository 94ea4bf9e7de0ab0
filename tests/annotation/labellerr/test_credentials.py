from __future__ import annotations

from pathlib import Path

import pytest

from segtrack.annotation.labellerr import EMULATOR_CREDENTIALS, Credentials, read_credentials
from segtrack.base.errors import SettingsError

SECRETS = {
    "LABELLERR_API_KEY": "key-f00dfeed",
    "LABELLERR_API_SECRET": "secret-0badcafe",
    "LABELLERR_CLIENT_ID": "client-4711",
}
NOWHERE = Path("/nonexistent/.env")


def test_from_the_environment() -> None:
    found = read_credentials(dotenv=NOWHERE, environment={**SECRETS, "PATH": "/bin"})
    assert found == Credentials(*SECRETS.values())
    assert found.headers()["api_secret"] == "secret-0badcafe"


def test_dotenv_fills_what_the_environment_lacks(tmp_path: Path) -> None:
    dotenv = tmp_path / ".env"
    dotenv.write_text(
        "# account\nLABELLERR_API_KEY=key-f00dfeed\nLABELLERR_API_SECRET='a$b'\n"
        "LABELLERR_CLIENT_ID=of-the-file\n"
    )
    found = read_credentials(
        dotenv=dotenv, environment={"LABELLERR_CLIENT_ID": "of-the-environment"}
    )
    assert found == Credentials("key-f00dfeed", "a$b", "of-the-environment")


@pytest.mark.parametrize("lacking", [*SECRETS, "all"])
def test_missing_ones_are_named_and_none_is_shown(lacking: str) -> None:
    there = {} if lacking == "all" else {k: v for k, v in SECRETS.items() if k != lacking}
    with pytest.raises(SettingsError) as caught:
        read_credentials(dotenv=NOWHERE, environment=there)
    message = str(caught.value)
    assert all(name in message for name in SECRETS)
    missing = message.split("missing: ")[1].split(".")[0]
    assert missing == (", ".join(SECRETS) if lacking == "all" else lacking)
    assert not any(value in message for value in SECRETS.values())


def test_the_emulators_are_only_for_those_who_have_none() -> None:
    assert read_credentials(EMULATOR_CREDENTIALS, NOWHERE, {}) == EMULATOR_CREDENTIALS
    with pytest.raises(SettingsError, match="missing: LABELLERR_API_SECRET, LABELLERR_CLIENT_ID"):
        read_credentials(EMULATOR_CREDENTIALS, NOWHERE, {"LABELLERR_API_KEY": "key-f00dfeed"})


@pytest.mark.parametrize("value", ["two words", "caf\u00e9-0000", "line\nbreak"])
def test_what_no_header_carries(value: str) -> None:
    with pytest.raises(SettingsError, match="LABELLERR_API_KEY has blanks or characters") as caught:
        read_credentials(dotenv=NOWHERE, environment={**SECRETS, "LABELLERR_API_KEY": value})
    assert value not in str(caught.value)


def test_nothing_shows_them() -> None:
    credentials = Credentials(*SECRETS.values())
    shown = f"{credentials} {credentials!r} {[credentials]}"
    assert not any(value in shown for value in SECRETS.values())
    said = credentials.hide("no user key-f00dfeed of client-4711")
    assert said == "no user *** of ***"
    assert EMULATOR_CREDENTIALS.hide("the KEY of CID") == "the KEY of CID"


def test_nor_as_an_address_has_them() -> None:
    credentials = Credentials("key-f00dfeed", "secret~0badcafe", "cl+ie/nt=47~11==")
    said = "GET /?client_id=cl%2Bie%2Fnt%3D47~11%3D%3D&x=cl+ie/nt=47~11== HTTP/1.1"
    assert credentials.hide(said) == "GET /?client_id=***&x=*** HTTP/1.1"
