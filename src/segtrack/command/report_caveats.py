"""What a reader might take from a run's figures, and must not."""

from __future__ import annotations

from collections.abc import Iterator

from segtrack.base.errors import some
from segtrack.base.statistics import FEW
from segtrack.base.words import counted
from segtrack.command.report_parts import number_of, split_of
from segtrack.runs import KeptRun


def run_caveats(run: KeptRun) -> Iterator[str]:
    """In sentences, each true of this run."""
    if run.status != "FINISHED":
        why = f": {run.tags['error']}" if "error" in run.tags else ""
        yield f"The run ended as {run.status}{why}. What it kept until then is what stands here."
    if run.evaluation or run.scores or any(name.startswith("val/") for name in run.metrics):
        yield (
            "Scores of a single run have no interval: whether another one is better is said by "
            "segtrack compare, on the same units."
        )
    trained = run.tags.get("weights.origin") == "trained"
    if trained:
        seed = run.config.get("seed", "")
        yield f"One seed ({seed}): how much another one would change is in none of these figures."
    yield from _image_caveats(run, trained)
    yield from _track_caveats(run)
    if run.config.get("dataset.source") == "traffic_sim":
        yield (
            "The data set is drawn by the traffic simulator: the figures say that the loop works, "
            "not how a model does on real streets."
        )
    if not trained and (origin := run.tags.get("weights.origin", "")):
        yield (
            f"What its weights ({origin}) learnt from is not recorded: that none of these images "
            "was among it is not shown."
        )
    if run.tags.get("git.dirty") == "true":
        yield "Files of the code differed from the commit: it alone does not give these figures."
    for key, text in run.tags.items():
        if key.startswith("truncated.") or key == "warnings":
            yield f"{text}."


def _image_caveats(run: KeptRun, trained: bool) -> Iterator[str]:
    found = run.evaluation
    if found is None:
        return
    split = split_of(found.metrics)
    if split == "val" and trained:
        yield "The images that were evaluated chose the epoch, so that their scores flatter."
    if found.counts["images"] < FEW:
        yield f"Fewer than {FEW} images were evaluated."
    rows = [row for row in found.per_class if 0 < number_of(row["images"]) < FEW]
    if rows:
        each = ", ".join(
            f"{row['class']} ({counted(int(number_of(row['objects'])), 'objects')} in "
            f"{counted(int(number_of(row['images'])), 'images')})"
            for row in rows
        )
        yield f"Classes in fewer than {FEW} images, whose AP moves by single objects: {each}."
    missing = [row["class"] for row in found.per_class if not number_of(row["objects"])]
    if missing:
        yield f"Classes without an object in the split, of which nothing is known: {some(missing)}."


def _track_caveats(run: KeptRun) -> Iterator[str]:
    scored = [one.name for one in run.scores]
    if run.videos and not scored:
        yield "The videos have no ground truth: nothing here says how right the tracks are."
    elif 0 < len(scored) < FEW:
        what = counted(len(scored), "sequences")
        yield f"Tracking is judged by {what}: how sequences differ can hardly be seen from so few."
