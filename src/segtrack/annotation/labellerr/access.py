"""The platform of one run, reached when it is first needed: the cloud, or an emulator."""

from __future__ import annotations

import contextlib
import shlex
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from segtrack.annotation.labellerr import (
    EMULATOR_CREDENTIALS,
    Credentials,
    Platform,
    make_platform,
    read_credentials,
)
from segtrack.settings import LabellerrMode, LabellerrSettings


def require_access(settings: LabellerrSettings) -> None:
    """Look for the credentials before hours of work.

    Raises:
        SettingsError: they are missing or not usable.
    """
    if settings.mode is not LabellerrMode.off:
        _credentials(settings)


@dataclass
class Access:
    """The platform that settings name; ``close`` ends an emulator that was started for it.

    Attributes:
        folder: keeps the emulator's state between runs.
    """

    settings: LabellerrSettings
    folder: Path
    _stack: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    @cached_property
    def platform(self) -> Platform:
        """Raises SettingsError where credentials are missing or the SDK is not installed."""
        return make_platform(
            self.url,
            _credentials(self.settings),
            self.settings.transport.value,
            self.settings.timeout,
            self.settings.workers,
            home=None if self.settings.url else "emulator",
        )

    @cached_property
    def url(self) -> str:
        """Where the platform listens; starts the emulator where it is this run's own."""
        if self.settings.url is not None:
            return self.settings.url
        from segtrack.annotation.labellerr.loopback import own_emulator

        credentials = _credentials(self.settings)
        return self._stack.enter_context(own_emulator(self.folder, credentials))

    def by_hand(self, project_id: str) -> str:
        """How a person reviews a project of an emulator."""
        path = f"/_emulator/projects/{project_id}/files"
        if self.settings.url is not None:
            where = (
                f"set answers and statuses at {self.url}{path} ({self.url}/docs says how; with the "
                "token that the emulator printed)"
            )
        else:
            folder = shlex.quote(str(self.folder))
            where = (
                f"start `python -m labellerr_loopback --data {folder}`, set answers and "
                f"statuses at http://127.0.0.1:8080{path} (http://127.0.0.1:8080/docs says how; "
                "with the token that it prints) and stop it"
            )
        return f"{where}, then give stages=[pull]; or send it to people, labellerr=cloud"

    def close(self) -> None:
        """End the emulator."""
        self._stack.close()


def _credentials(settings: LabellerrSettings) -> Credentials:
    emulator = settings.mode is LabellerrMode.emulator
    return read_credentials(EMULATOR_CREDENTIALS if emulator else None)
