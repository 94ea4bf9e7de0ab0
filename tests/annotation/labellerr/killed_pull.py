"""Pulls a review and kills itself when nearly everything is written.

python -m tests.annotation.labellerr.killed_pull URL REVIEW FOLDER
"""

import os
import signal
import sys
from pathlib import Path

from segtrack.annotation import review_figures
from segtrack.annotation.labellerr import EMULATOR_CREDENTIALS, make_platform
from segtrack.annotation.labellerr.http_platform import HttpPlatform
from tests.annotation.labellerr.reviews import Numbers, take_back


def _kill(*_: object) -> int:
    os.kill(os.getpid(), signal.SIGKILL)
    return 0


if __name__ == "__main__":
    url, reviewed, folder = sys.argv[1:]
    review_figures.write_gallery = _kill
    platform = make_platform(url, EMULATOR_CREDENTIALS, "http")
    assert isinstance(platform, HttpPlatform)
    take_back(platform, Path(reviewed), Path(folder), Numbers())
