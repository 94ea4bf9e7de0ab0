"""Copy the tables and the figure of a sweep or a review out of MLflow, to be kept with a study.

    python scripts/collect_study.py RUN FOLDER [--name NAME] [overrides such as mlflow=server]
    python scripts/collect_study.py RUN FOLDER --name NAME --file ARTIFACT ENDING [--file ...]

RUN is a run's id or name (`make ui`). Of a sweep's parent run FOLDER gets NAME.best.csv (the chosen
setting against the default, for each metric), NAME.cells.csv (every setting with its intervals) and
NAME.png (differences in HOTA); of a run with the stage pull NAME.outcomes.csv (by class and
confidence), NAME.images.csv (by disagreement) and NAME.acceptance.csv and .png. The gallery stays:
it shows the images themselves. With --file only what is named is copied, as NAME.ENDING.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from segtrack.base.errors import DataError, SegtrackError, SettingsError
from segtrack.command.app import CONF
from segtrack.command.checking import check
from segtrack.command.composition import compose_settings
from segtrack.journal import run_files

SWEEP = {
    "best.csv": "best.csv",
    "comparison.csv": "cells.csv",
    "figures/differences_hota.png": "png",
}
REVIEW = {
    "review/outcomes.csv": "outcomes.csv",
    "review/images.csv": "images.csv",
    "review/acceptance.csv": "acceptance.csv",
    "review/acceptance.png": "acceptance.png",
}


def main() -> int:
    text = __doc__ or ""
    parser = argparse.ArgumentParser(
        description=text, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", metavar="RUN", help="id of a sweep's parent, or of a review")
    parser.add_argument("folder", metavar="FOLDER", type=Path)
    parser.add_argument("--name", default="sweep", help="what the files' names begin with")
    parser.add_argument("--file", action="append", nargs=2, metavar=("ARTIFACT", "ENDING"))
    parser.add_argument("overrides", nargs="*")
    options = parser.parse_args()
    sets = (dict(options.file),) if options.file else (SWEEP, REVIEW)
    try:
        collect(options.run, options.folder, options.name, options.overrides, sets)
    except SegtrackError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


def collect(
    run: str, folder: Path, name: str, overrides: list[str], sets: Sequence[Mapping[str, str]]
) -> None:
    if problems := check(CONF, overrides, sweep=False):
        raise SettingsError("; ".join(map(str, problems)))
    settings = compose_settings(CONF, overrides).mlflow
    with tempfile.TemporaryDirectory() as scratch:
        for files in sets:
            found = {file: run_files(settings, run, file, Path(scratch)) for file in files}
            if all(found.values()):
                break
        else:
            named = " nor ".join(", ".join(files) for files in sets)
            raise DataError(
                f"{run}: has neither {named}; is it the parent run of a sweep that compared "
                f"settings by tracking, or a run with the stage pull? `make ui` shows what it has"
            )
        folder.mkdir(parents=True, exist_ok=True)
        for file, ending in files.items():
            shutil.copyfile(found[file][0], folder / f"{name}.{ending}")
            print(folder / f"{name}.{ending}")


if __name__ == "__main__":
    sys.exit(main())
