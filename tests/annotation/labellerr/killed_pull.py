"""Pulls a review and kills itself when nearly everything is written.

python -m tests.annotation.labellerr.killed_pull URL REVIEW FOLDER
"""

import os
import signal
import sys
from pathlib import Path

from segtrack.annotation import review_figures
from segtrack.annotation.labellerr import EMULATOR_CREDENTIALS, make_platform
from segtrack.annotation.labellerr.pull import pull


def _kill(*_: object) -> int:
    os.kill(os.getpid(), signal.SIGKILL)
    return 0


if __name__ == "__main__":
    url, reviewed, folder = sys.argv[1:]
    review_figures.write_gallery = _kill
    platform = make_platform(url, EMULATOR_CREDENTIALS, "http")
    pull(platform, Path(reviewed), Path(folder), lambda name, value, step=0: None)
