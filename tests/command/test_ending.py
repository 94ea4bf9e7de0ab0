"""What is said at the end of a run."""

import shlex

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from segtrack.command.ending import reading
from segtrack.settings import MlflowMode, MlflowSettings

LOCAL, SERVER = "sqlite:///mlruns/mlflow.db", "http://host:5000"


@pytest.mark.parametrize(
    ("mode", "uri", "known", "words"),
    [
        ("local", LOCAL, "", []),
        ("local", "sqlite:////a b/c.db", "", ["mlflow.uri=sqlite:////a b/c.db"]),
        ("local", "sqlite:////a (1)/c.db", "", ['mlflow.uri="sqlite:////a (1)/c.db"']),
        (
            "server",
            "postgresql://h/d?x=y",
            "",
            ["mlflow=server", 'mlflow.uri="postgresql://h/d?x=y"'],
        ),
        ("server", SERVER, "", ["mlflow=server", f"mlflow.uri={SERVER}"]),
        ("server", SERVER, "http://other:5000", ["mlflow=server", f"mlflow.uri={SERVER}"]),
        ("server", SERVER, SERVER, ["mlflow=server"]),
    ],
)
def test_the_command_that_shows_a_run_finds_it_where_it_is_recorded(
    mode: str, uri: str, known: str, words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", known)
    said = reading("view", "abc", MlflowSettings(mode=MlflowMode[mode], uri=uri))
    assert shlex.split(said) == ["segtrack", "view", "abc", *words]
    for override in OverridesParser.create().parse_overrides(words):
        assert override.value() == (uri if override.key_or_group == "mlflow.uri" else "server")
