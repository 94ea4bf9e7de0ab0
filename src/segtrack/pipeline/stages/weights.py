"""Which weights are meant: those that training begins with, and those that predict."""

from __future__ import annotations

import dataclasses
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from segtrack import model
from segtrack.base.errors import SettingsError, some
from segtrack.base.saying import say
from segtrack.pipeline.stage import Ask, Given, Result, Stage, register

if TYPE_CHECKING:
    from segtrack.model import Weights
    from segtrack.pipeline.runner import Run


SCRATCH_EPOCHS = 20  # below, a network that knows nothing learns next to nothing


def start(ask: Ask) -> Given:
    """The weights that were named, or that the data set starts with.

    Raises:
        SettingsError: there are none, nobody asked for a start from scratch, and the training is
            too short for one.
    """
    settings = ask.settings
    chosen, name = settings.model.weights, settings.model.name
    if chosen is None:
        shipped = name in model.family_of(settings.model).shipped
        chosen = settings.dataset.starting_weights if shipped else "auto"
        if chosen not in ("auto", "shipped"):  # a word of the source's own
            chosen = ask("source").value.starting_weights
    wanted = dataclasses.replace(settings.model, weights=chosen)
    found = model.resolve_weights(wanted, partial(_of_run, ask))
    suffix = model.family_of(settings.model).suffix
    learns = "train" in ask.listed or ("suspect" in ask.listed and settings.suspect.folds > 0)
    if learns and found.trained and found.path.suffix != suffix:
        raise SettingsError(
            f"model.weights={chosen}: an exported network cannot be trained; leave train out of "
            f"stages, or give the checkpoint ({suffix}) that it was made of"
        )
    note = found.note.removesuffix(f"; {model.FROM_SCRATCH}")
    if not learns:
        found = dataclasses.replace(found, note=note)  # nothing begins here
    if found.trained or not learns:
        return Given(found, _text(name, found), _misnamed(name, found))
    epochs, why = settings.trainer.epochs, f" ({note})" if note else ""
    if chosen != "scratch" and epochs < SCRATCH_EPOCHS:
        raise SettingsError(
            f"model={name} has no weights to start from{why}, and trainer.epochs={epochs} from "
            f"scratch teach it next to nothing: give weights with model.weights=FILE or a folder "
            f"of them with model.weights_folder=FOLDER, train {SCRATCH_EPOCHS} epochs or more, or "
            "ask for it with model.weights=scratch"
        )
    warning = (
        f"model={name} starts from scratch{why}: compared with a network that was pretrained, its "
        "scores say little about either"
    )
    return Given(found, _text(name, found), warning)


def weights(ask: Ask) -> Given:
    """The weights that predict: trained ones, or those that were named."""
    named = ask.settings.model.weights
    if "train" not in ask.listed and named not in (None, "scratch"):
        return Given(_named(ask))
    found = ask("train").value.weights
    return Given(found, _text(ask.settings.model.name, found))


def require_model(ask: Ask) -> None:
    """Look at the weights that were named and at what computes them, before hours of work."""
    settings = ask.settings
    path = None if settings.model.weights is None else _named(ask).path
    model.family_of(settings.model).require(settings.model, settings.device, path)


def _named(ask: Ask) -> Weights:
    """The weights that were named.

    Raises:
        SettingsError: none of the places that ``auto`` looks in has any, and nothing trains.
    """
    found: Weights = ask("start").value
    settings = ask.settings.model
    if not found.trained and settings.weights != "scratch" and "train" not in ask.listed:
        raise SettingsError(
            f"model={settings.name} has no weights to predict with ({found.note}): put "
            f"{settings.name}{model.family_of(settings).suffix} into a folder and give "
            "model.weights_folder=FOLDER, or give others with model.weights=FILE"
        )
    return found


def say_lacking(run: Run, request: model.Request, means: str) -> None:
    """Warn of wanted classes that the weights do not know, and tag the run with them.

    Args:
        means: what follows for them.
    """
    if lacking := some(model.lacking_classes(run("weights").value, request)):
        say(f"warning: the weights have no class {lacking}: {means}")
        run.tag({"classes.lacking": lacking})


def _of_run(ask: Ask, run_id: str) -> Path:
    from segtrack.journal import run_weights

    return run_weights(ask.settings.mlflow, run_id, ask.scratch("downloads"))


def _misnamed(name: str, found: Weights) -> str:
    if found.model in ("", name):
        return ""
    return (
        f"model.weights={found.path} is a {found.model}, which the records would call {name}: add "
        f"model={found.model}"
    )


def _text(name: str, found: Weights) -> str:
    note = f" ({found.note})" if found.note else ""
    return f"{name} {found.origin} {found.sha256[:8]}{note}"


def _publish_start(run: Run, made: Result) -> None:
    found: Weights = made.value
    note = f" ({found.note})" if found.note else ""
    say(f"{'weights':10} {run.settings.model.name} {found.origin}{note}")
    tags = {"weights.start": found.origin, "weights.start.sha256": found.sha256}
    tags["model.pretrained"] = str(found.trained).lower()
    if run.settings.model.trust:
        tags["weights.trusted"] = "true"
    run.tag({**tags, **({"weights.note": found.note} if found.note else {})})


def _publish(run: Run, made: Result) -> None:
    found: Weights = made.value
    run.tag({"weights.sha256": found.sha256, "weights.origin": found.origin})


START = register(
    Stage(name="start", make=start, inputs=("source",), publish=_publish_start, listed=False)
)
WEIGHTS = register(
    Stage(name="weights", make=weights, inputs=("start", "train"), publish=_publish, listed=False)
)
