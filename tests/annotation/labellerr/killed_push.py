"""Pushes the images of a folder; the test kills this process in the middle.

python -m tests.annotation.labellerr.killed_push URL IMAGES LEDGER NAME
"""

import sys
from pathlib import Path

from segtrack.annotation.labellerr import EMULATOR_CREDENTIALS, make_platform
from segtrack.annotation.labellerr.files import check_files
from segtrack.annotation.labellerr.uploader import Limits, upload

if __name__ == "__main__":
    url, folder, ledger, name = sys.argv[1:]
    platform = make_platform(url, EMULATOR_CREDENTIALS, "http")
    files = check_files(sorted(Path(folder).iterdir()))
    upload(platform, files, name, Path(ledger), workers=2, limits=Limits(dataset_files=20))
