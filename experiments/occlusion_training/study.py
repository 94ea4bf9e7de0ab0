"""Train, evaluate and compare the arms of this study; README.md says what it asks.

    python experiments/occlusion_training/study.py           all that is not there yet, then report
    python experiments/occlusion_training/study.py report    evaluate and compare what is there

Seeds go round: the first one of every arm, then the second, so that a study that was stopped is
balanced, and the same command goes on with it. ``--runs FOLDER`` names where its runs are kept
(default: outputs/occlusion_training); a training is there when its weights are. Two processes with
``--domain streets`` and ``--domain cityscapes`` and ``trainer.threads=1`` share two cores well.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from design import DOMAINS, make, trainings


def main() -> None:
    text = __doc__ or ""
    parser = argparse.ArgumentParser(
        description=text, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", nargs="?", choices=("all", "train", "report"), default="all")
    parser.add_argument("--runs", type=Path, default=Path("outputs/occlusion_training"))
    parser.add_argument("--domain", choices=tuple(DOMAINS), help="only this one")
    parser.add_argument("--seeds", type=int, nargs="+", default=list(range(5)))
    parser.add_argument("overrides", nargs="*", help="more settings of every training")
    options = parser.parse_intermixed_args()
    domains = [options.domain] if options.domain else list(DOMAINS)
    every = list(trainings(options.runs.absolute(), domains, options.seeds))
    if options.what != "report":
        left = [one for one in every if not one.weights.is_file()]
        for number, one in enumerate(left):
            print(f"{len(left) - number} of {len(every)} trainings are left", flush=True)
            command = [*one.training(), *options.overrides]
            make(command, "train", "weights/best.pt", one.weights)
    if options.what != "train":
        from report import report

        report([one for one in every if one.weights.is_file()], Path(__file__).resolve().parent)


if __name__ == "__main__":
    main()
