"""Copy a sweep's tables and figure out of MLflow, to be committed with a study.

    python scripts/collect_study.py RUN FOLDER [--name NAME] [overrides such as mlflow=server]

RUN is the id of the sweep's parent run (`make ui`). FOLDER gets NAME.best.csv (the best cell of
each metric against the default), NAME.cells.csv (every cell with its intervals) and NAME.png.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

from segtrack.app import CONF
from segtrack.composition import compose_settings
from segtrack.errors import DataError, SegtrackError
from segtrack.journal import run_files

FILES = {
    "best.csv": "best.csv",
    "comparison.csv": "cells.csv",
    "figures/differences_hota.png": "png",
}


def main() -> int:
    text = __doc__ or ""
    parser = argparse.ArgumentParser(
        description=text, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", metavar="RUN", help="id of the parent run")
    parser.add_argument("folder", metavar="FOLDER", type=Path)
    parser.add_argument("--name", default="sweep", help="what the files' names begin with")
    parser.add_argument("overrides", nargs="*")
    options = parser.parse_args()
    try:
        collect(options.run, options.folder, options.name, options.overrides)
    except SegtrackError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


def collect(run: str, folder: Path, name: str, overrides: list[str]) -> None:
    settings = compose_settings(CONF, overrides).mlflow
    with tempfile.TemporaryDirectory() as scratch:
        found = {f: run_files(settings, run, f, Path(scratch)) for f in FILES}
        missing = [file for file, paths in found.items() if not paths]
        if missing:
            raise DataError(
                f"{run}: has no {', '.join(missing)}; is it the parent run of a sweep whose cells "
                f"were scored?"
            )
        folder.mkdir(parents=True, exist_ok=True)
        for file, ending in FILES.items():
            shutil.copyfile(found[file][0], folder / f"{name}.{ending}")
            print(folder / f"{name}.{ending}")


if __name__ == "__main__":
    sys.exit(main())
