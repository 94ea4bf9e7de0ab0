"""The prepare stage: any source in, the canonical form out."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

from segtrack.dataset import sequences
from segtrack.dataset.canonical import FILE, Dataset, write_coco
from segtrack.dataset.catalogue import Catalogue
from segtrack.dataset.checks import Checks
from segtrack.dataset.classes import class_map
from segtrack.dataset.contact_sheet import write_contact_sheet
from segtrack.dataset.publish import Published, publish
from segtrack.dataset.sequences import Sequence
from segtrack.dataset.workers import worker_count
from segtrack.metrics import Report
from segtrack.settings import SPLITS, DatasetSettings, TrafficSimSettings


def prepare(
    settings: DatasetSettings, seed: int, folder: Path, report: Report, cache: Path
) -> None:
    """Read a data set, check it and write its canonical form into ``folder``.

    Args:
        settings: which data set.
        seed: of the splits.
        folder: result; remains of an earlier attempt in it are overwritten.
        report: gets ``data/...`` numbers.
        cache: folder that lasts between calls and remembers facts of unchanged files.

    Raises:
        DataError: the data set cannot be used; the message names every kind of problem.
        SettingsError: ``dataset.classes`` or ``dataset.group_by`` does not fit the data set.
    """
    workers = worker_count(settings.workers)
    with Catalogue(folder) as catalogue:
        checks = Checks(catalogue)
        assert isinstance(settings, TrafficSimSettings)
        from segtrack.dataset.simulator import CLASS_NAMES
        from segtrack.dataset.sources import traffic_sim

        shutil.rmtree(folder / traffic_sim.FOLDER, ignore_errors=True)
        catalogue.add(traffic_sim.render_images(settings, folder, workers))
        catalogue.db.execute("UPDATE images SET split = declared")
        found = traffic_sim.render_videos(settings, folder)
        classes = class_map(CLASS_NAMES, settings.classes)
        checks.raise_errors(folder)
        published = publish(catalogue, classes, folder, workers)
        checks.write(folder)
        facts = {
            "fingerprint": _fingerprint(classes.names, published, found),
            "names": classes.names,
            "counts": published.images,
            "annotations": published.annotations,
            "splits": published.digests,
            "class_map": classes.mapping,
            "warnings": checks.warnings(),
        }
        (folder / FILE).write_text(json.dumps(facts, indent=1, ensure_ascii=False))
        rows = [sequences.to_json(s, folder) for s in found]
        (folder / "sequences.json").write_text(json.dumps(rows, indent=1, ensure_ascii=False))
        report("data/warnings", checks.count("warning"))
        report("data/sequences", len(found))
        for split in SPLITS:
            report(f"data/images/{split}", published.images[split])
            report(f"data/annotations/{split}", published.annotations[split])
    dataset = Dataset.load(folder)
    if sum(dataset.counts.values()):
        scored = "test" if dataset.counts["test"] else "val"
        write_coco(dataset, scored, folder / "test.coco.json")
        write_contact_sheet(dataset, folder / "contact_sheet.jpg")


def _fingerprint(names: tuple[str, ...], published: Published, found: list[Sequence]) -> str:
    content = {
        "names": names,
        "splits": published.digests,
        "sequences": sorted(_digest(s) for s in found),
    }
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def _digest(sequence: Sequence) -> str:
    digest = hashlib.sha256(f"{sequence.name}\0{sequence.sha256}\0{sequence.role}".encode())
    for path in (sequence.gt, sequence.mots, sequence.det):
        digest.update(path.read_bytes() if path else b"\0")
    return digest.hexdigest()
