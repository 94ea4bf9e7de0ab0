"""Record the source of every stage as it is now, after a change that does not alter results.

    python scripts/acknowledge_stages.py          write src/segtrack/pipeline/stages.json
    python scripts/acknowledge_stages.py --check  exit 1 and name the stages that changed

A change that does alter what a stage produces needs a higher number in ``versions.VERSIONS``
first; otherwise people's stores would go on serving the old result.
"""

import argparse
import sys

from segtrack.pipeline.versions import RECORD, changed, write


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="only say what changed")
    if parser.parse_args().check:
        stages = changed()
        if stages:
            print(f"changed since acknowledged: {', '.join(stages)}")
        return 1 if stages else 0
    write()
    print(f"wrote {RECORD}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
