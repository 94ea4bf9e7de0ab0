"""A Labellerr on the loopback interface: the platform's API over SQLite and a folder.

with start_emulator(folder) as emulator:
    ...  # emulator.url, emulator.fault("status", path="/projects/create", status=503)

python -m labellerr_loopback --port 8080 --data FOLDER
"""

from labellerr_loopback.annotator import Rates, annotate
from labellerr_loopback.behaviour import AS_OF, Credentials, Delays, Limits, Quirks
from labellerr_loopback.client import ask, asked
from labellerr_loopback.control_token import page_at
from labellerr_loopback.faults import Fault
from labellerr_loopback.kept import Kept, alone, kept
from labellerr_loopback.server import Emulator, start_emulator
from labellerr_loopback.up import keep_up
from labellerr_loopback.video_annotator import annotate_videos
from labellerr_loopback.video_pieces import TrueTrack

__all__ = [
    "AS_OF",
    "Credentials",
    "Delays",
    "Emulator",
    "Fault",
    "Kept",
    "Limits",
    "Quirks",
    "Rates",
    "TrueTrack",
    "alone",
    "annotate",
    "annotate_videos",
    "ask",
    "asked",
    "keep_up",
    "kept",
    "page_at",
    "start_emulator",
]
