"""Pulls a review of videos and kills itself when nearly everything is written.

python -m tests.annotation.labellerr.killed_video_pull URL SENT FOLDER
"""

import os
import signal
import sys
from pathlib import Path

from segtrack.annotation import SentVideos, pull_videos, video_pulled
from segtrack.annotation.labellerr import EMULATOR_CREDENTIALS, make_platform
from segtrack.annotation.labellerr.adapter import Labellerr
from segtrack.annotation.labellerr.http_platform import HttpPlatform
from segtrack.pipeline.reviewed_videos import Judge
from segtrack.settings import LabellerrSettings
from tests.annotation.labellerr.reviews import Numbers, ignore


def _kill(*_: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    url, sent, folder = sys.argv[1:]
    video_pulled.save_figure = _kill
    platform = make_platform(url, EMULATOR_CREDENTIALS, "http")
    assert isinstance(platform, HttpPlatform)
    adapter = Labellerr(LabellerrSettings(timeout=20.0), Path(folder).parent, platform)
    pull_videos(adapter, SentVideos.load(Path(sent)), Path(folder), Judge(), Numbers(), say=ignore)
