"""A server that goes between its first answer and the first question to it."""

import pytest
from mlflow.exceptions import MlflowException

from segtrack.base.errors import SettingsError
from segtrack.journal import ServerAway, tracking
from segtrack.settings import MlflowMode, MlflowSettings

SETTINGS = MlflowSettings(mode=MlflowMode.server, uri="http://127.0.0.1:9")


@pytest.mark.parametrize(("gone", "expected"), [(True, ServerAway), (False, SettingsError)])
def test_it_is_away_where_it_answers_no_more(monkeypatch, gone, expected):
    asked = []

    def probe(settings):
        asked.append(settings)
        if gone and len(asked) == 2:
            raise ServerAway("no answer")

    def refuse(*_):
        raise MlflowException("connection reset by peer")

    monkeypatch.setattr(tracking, "probe", probe)
    monkeypatch.setattr(tracking, "_experiment", refuse)
    with pytest.raises(SettingsError) as raised:
        tracking.connect(SETTINGS)
    assert type(raised.value) is expected
    assert len(asked) == 2
