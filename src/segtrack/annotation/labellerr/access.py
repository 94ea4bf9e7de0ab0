"""The platform of one run, reached when it is first needed: the cloud, or an emulator."""

from __future__ import annotations

import contextlib
import shlex
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from segtrack.annotation.labellerr import (
    EMULATOR_CREDENTIALS,
    Credentials,
    Platform,
    make_platform,
    read_credentials,
)
from segtrack.settings import LabellerrMode, LabellerrSettings, Settings

if TYPE_CHECKING:
    from segtrack.annotation.labellerr.loopback import Local

_STORE: str = Settings.store


def require_access(settings: LabellerrSettings) -> None:
    """Look for the credentials before hours of work.

    Raises:
        SettingsError: they are missing or not usable.
    """
    if settings.mode is not LabellerrMode.off:
        credentials_of(settings)


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
            credentials_of(self.settings),
            self.settings.transport.value,
            self.settings.timeout,
            self.settings.workers,
            home=None if self.settings.url else "emulator",
        )

    @cached_property
    def _local(self) -> Local:
        """The emulator: the one that is kept up for the store, else this run's own."""
        from segtrack.annotation.labellerr.loopback import emulator

        return self._stack.enter_context(emulator(self.folder, credentials_of(self.settings)))

    @property
    def url(self) -> str:
        """Where the platform listens; starts the emulator where none is there."""
        return self.settings.url or self._local.url

    def page(self, project_id: str | None = None) -> str | None:
        """Where a person reviews in a browser; None where it is not known, or the cloud's."""
        from segtrack.annotation.labellerr.loopback import page_of

        if self.settings.mode is not LabellerrMode.emulator:
            return None
        if self.settings.url is not None:
            return page_of(self.settings.url, project_id)
        return self._local.page(project_id)

    @property
    def kept(self) -> bool:
        """Whether the platform stays up without this run."""
        from segtrack.annotation.labellerr.loopback import kept_up

        return self.settings.url is not None or kept_up(self.folder) is not None

    def by_hand(self, project_id: str) -> str:
        """How a person reviews a project of an emulator."""
        from segtrack.annotation.labellerr.loopback import kept_up

        if self.settings.url is not None:
            where = f"labellerr.url={self.settings.url}"
            at, first = self.settings.url, ""
        else:
            where = self._store()
            there = kept_up(self.folder)
            at = there.url if there else ""
            up = f"segtrack labellerr up{where and ' '}{where}"
            first = "" if there else f"keep the platform up in another terminal, `{up}`, and "
        command = f"segtrack labellerr open {project_id}{where and ' '}{where}"
        return f"{first}review on its page{at and f' at {at}'}: `{command}`"

    def _store(self) -> str:
        """The setting that names the store, where it is not the default one."""
        root = self.folder.parents[1]
        usual = root.resolve() == Path(_STORE).resolve()
        return "" if usual else shlex.quote(f"store={root}")

    def close(self) -> None:
        """End the emulator."""
        self._stack.close()


def credentials_of(settings: LabellerrSettings) -> Credentials:
    """Raises SettingsError where they are missing or not usable."""
    emulator = settings.mode is LabellerrMode.emulator
    return read_credentials(EMULATOR_CREDENTIALS if emulator else None)
