"""Labellerr: the platform that holds images, labels and reviews."""

from __future__ import annotations

from typing import TYPE_CHECKING

from segtrack.annotation.labellerr.credentials import (
    EMULATOR_CREDENTIALS,
    Credentials,
    read_credentials,
)
from segtrack.annotation.labellerr.port import Platform

if TYPE_CHECKING:
    from segtrack.annotation.labellerr.transport import Patience

__all__ = [
    "EMULATOR_CREDENTIALS",
    "Credentials",
    "Platform",
    "make_platform",
    "read_credentials",
]

TRANSPORTS = ("auto", "sdk", "http")


def make_platform(
    url: str,
    credentials: Credentials,
    transport: str = "auto",
    timeout: float = 1800.0,
    workers: int = 8,
    patience: Patience | None = None,
    home: str | None = None,
) -> Platform:
    """The platform at an address; nothing is called yet.

    Args:
        transport: ``sdk``, ``http``, or ``auto``: the SDK where it is installed.
        timeout: seconds that a wait for data sets, jobs and exports takes at most.
        workers: calls at the same time.
        patience: time-outs and retries of one call.
        home: see ``Transport``.

    Raises:
        SettingsError: no such transport, no usable address, or the SDK is not installed.
    """
    from segtrack.annotation.labellerr.http_platform import HttpPlatform
    from segtrack.annotation.labellerr.transport import Transport
    from segtrack.base.errors import SettingsError

    if transport not in TRANSPORTS:
        raise SettingsError(
            f"labellerr.transport is {transport!r}: it must be one of {', '.join(TRANSPORTS)}"
        )
    http = Transport(url, credentials, patience, 2 * workers, home)
    if transport == "http":
        return HttpPlatform(http, timeout)
    from segtrack.annotation.labellerr.sdk_platform import SdkPlatform, sdk_problem

    if transport == "auto" and sdk_problem() is not None:
        return HttpPlatform(http, timeout)
    return SdkPlatform(http, timeout)
