"""Record the source of stages as it is now, after a change that does not alter results.

    python scripts/acknowledge_stages.py             write src/segtrack/pipeline/stages.json
    python scripts/acknowledge_stages.py evaluate    of these stages only
    python scripts/acknowledge_stages.py --check     exit 1 and name the stages that changed, and by
                                                     which modules

A change that does alter what a stage produces needs a higher ``version`` in its declaration (or its
tracker's) first; otherwise people's stores would go on serving the old result.
"""

import argparse
import sys

from segtrack.pipeline.versions import RECORD, changed, current, write


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("stages", nargs="*", metavar="STAGE", help="only these; default: all")
    parser.add_argument("--check", action="store_true", help="only say what changed")
    arguments = parser.parse_args()
    if unknown := set(arguments.stages) - set(current() if arguments.stages else ()):
        parser.error(
            f"no such stage: {', '.join(sorted(unknown))}; there are {', '.join(current())}"
        )
    if arguments.check:
        found = changed()
        for stage, modules in found.items():
            print(f"{stage} changed since it was acknowledged: {', '.join(modules)}")
        return 1 if found else 0
    write(arguments.stages)
    print(f"wrote {RECORD}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
