"""Images of the pool to annotate next."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from segtrack import curation, model
from segtrack.base.errors import SettingsError
from segtrack.base.files import digest
from segtrack.base.metrics import Report
from segtrack.pipeline.pool import require_pool
from segtrack.pipeline.stage import Ask, Recipe, Result, Stage, register
from segtrack.pipeline.stages.weights import require_model

if TYPE_CHECKING:
    from segtrack.dataset import Dataset
    from segtrack.pipeline.runner import Run
    from segtrack.settings import Settings


def select(ask: Ask) -> Recipe:
    """A ranked list of images, by what the network predicts in them and how it sees them."""
    dataset: Dataset = ask("prepare").value
    settings, seed = ask.settings.select, ask.settings.seed
    group_by, knobs = ask.settings.dataset.group_by, ask.settings.model
    found = pool = learnt = None
    if settings.predicts:
        found = ask(
            "predict", split="pool", floor=knobs.conf_floor, limit=knobs.max_det, named="pool"
        )
    if settings.looks:
        pool = ask("features", split="pool")
        learnt = ask("features", split="train") if dataset.counts.get("train") else None

    def build(folder: Path, report: Report) -> None:
        material = curation.Material(
            dataset,
            group_by,
            found.value if found else None,
            pool.value if pool else None,
            learnt.value if learnt else None,
            seed,
        )
        curation.select_images(material, settings, folder, report)

    used = {"predictions": found, "pool": pool, "train": learnt}
    known = {row.sha256 for s in ("train", "val", "test") for row in dataset.iter_images(s)}
    names = [(row.image_id, row.file_name) for row in dataset.iter_images("pool")]
    return Recipe(
        build,
        {"group_by": group_by, **({} if settings.predicts or settings.looks else {"seed": seed})},
        {
            "images": dataset.split_fingerprint("pool"),
            "names": digest(names)[:16],
            "labelled": digest(sorted(known))[:16],
            **{name: one.key for name, one in used.items() if one},
        },
    )


def _require(ask: Ask) -> None:
    """Look for images to choose from, and for a network that can say what it sees.

    Raises:
        SettingsError: the family, or an exported network, gives no features.
        DataError: the pool is empty.
    """
    settings = ask.settings
    if settings.select.predicts or settings.select.looks:
        require_model(ask)
    if settings.select.looks:
        _require_features(ask, settings)
    require_pool(ask, "select", "choose from")


def _require_features(ask: Ask, settings: Settings) -> None:
    family = model.family_of(settings.model)
    instead = "choose by predictions alone: select.by=uncertainty"
    if not family.embeds:
        raise SettingsError(
            f"select.by={settings.select.by}: models of {family.name} do not say what they see of "
            f"an image as a whole; {instead}"
        )
    named = settings.model.weights
    if named in (None, "scratch") or "train" in ask.listed:
        return
    path = ask("start").value.path
    if path.suffix != family.suffix:
        raise SettingsError(
            f"select.by={settings.select.by}: {path} is an exported network, which does not say "
            f"what it sees of an image as a whole; give the checkpoint ({family.suffix}) that it "
            f"was made of, or {instead}"
        )


def _publish(run: Run, made: Result) -> None:
    run.keep(made.folder, "select")
    print(f"\n{(made.folder / curation.SELECTED).read_text(encoding='utf-8')}", flush=True)
    sheet = made.folder / "gallery" / "sheet.jpg"
    run.say(f"all of them: {made.folder / 'selection.csv'}; pictures: {sheet}")


STAGE = register(
    Stage(
        name="select",
        make=select,
        version=1,
        reads=("select",),
        inputs=("prepare", "predict", "features", "start", "source"),
        require=_require,
        publish=_publish,
        after="prepare",
    )
)
