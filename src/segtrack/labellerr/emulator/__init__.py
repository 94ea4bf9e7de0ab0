"""A Labellerr on the loopback interface: the platform's API over SQLite and a folder.

with start_emulator(folder) as emulator:
    ...  # emulator.url, emulator.fault("status", path="/projects/create", status=503)

python -m segtrack.labellerr.emulator --port 8080 --data FOLDER
"""

from segtrack.labellerr.emulator.behaviour import Credentials, Delays, Limits, Quirks
from segtrack.labellerr.emulator.faults import Fault
from segtrack.labellerr.emulator.server import Emulator, alone, start_emulator

__all__ = [
    "Credentials",
    "Delays",
    "Emulator",
    "Fault",
    "Limits",
    "Quirks",
    "alone",
    "start_emulator",
]
