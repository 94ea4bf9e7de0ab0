"""The prepare stage: any source in, the canonical form out."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from segtrack.base.metrics import Report
from segtrack.dataset import contact_sheet, sequences
from segtrack.dataset.assignment import assign_splits
from segtrack.dataset.box_masks import Segmenting, segment_boxes
from segtrack.dataset.canonical import FILE, Dataset, write_coco
from segtrack.dataset.catalogue import Catalogue
from segtrack.dataset.checks import Checks
from segtrack.dataset.classes import ClassMap, class_map
from segtrack.dataset.contact_sheet import write_contact_sheet
from segtrack.dataset.image_checks import check_classes, check_images, index_content
from segtrack.dataset.label_checks import check_labels
from segtrack.dataset.layers import cut_layers
from segtrack.dataset.licences import check_sources
from segtrack.dataset.listing import LEFT_OUT
from segtrack.dataset.publish import Published, publish
from segtrack.dataset.sequence_sources import sequences_from, with_roles
from segtrack.dataset.sequences import VideoSequence
from segtrack.dataset.sources.port import Content, Place, source_of
from segtrack.dataset.video_names import unique_names
from segtrack.dataset.workers import worker_count
from segtrack.settings import SPLITS, DatasetSettings

_EMPTY_HINT = "check dataset.path; images are files such as .jpg, .jpeg, .png, .tif, .webp, .avif"


def prepare(
    settings: DatasetSettings,
    seed: int,
    folder: Path,
    report: Report,
    cache: Path,
    segmenting: Segmenting | None = None,
) -> None:
    """Read a data set, check it and write its canonical form into ``folder``.

    Args:
        settings: which data set.
        seed: of the splits.
        folder: result; remains of an earlier attempt in it are overwritten.
        report: gets ``data/...`` numbers.
        cache: folder that lasts between calls and remembers facts of unchanged files.
        segmenting: makes masks of labels that are only boxes, which else stay rectangles.

    Raises:
        DataError: the data set cannot be used. Errors of single files come together, as
            ``ChecksFailed``, once all were found; their report lies in ``cache``.
        SettingsError: ``dataset.classes`` or ``dataset.group_by`` does not fit the data set.
    """
    started = time.perf_counter()
    with Catalogue(folder) as catalogue:
        checks = Checks(catalogue)
        if known := source_of(settings).class_names(settings):
            class_map(known, settings.classes)  # refuses wrong names before the work of reading
        content = source_of(settings).read(settings, Place(folder, cache, catalogue, checks))
        found = _sequences(settings, content, checks)
        classes = class_map(content.names, settings.classes)
        where = settings.path or settings.source
        if settings.layered:
            cut_layers(catalogue, checks, where, worker_count(settings.workers))
        if segmenting is not None:
            segment_boxes(catalogue, checks, segmenting, cache, where)
        index_content(catalogue)
        assign_splits(catalogue, checks, classes, settings, seed)
        check_images(catalogue, checks)
        check_labels(catalogue, checks)
        if catalogue.count():
            check_classes(catalogue, checks, classes, where)
        elif not found:
            left_out = [str(f) for code, _, f in checks.summary("warning") if code == LEFT_OUT]
            hint = "; ".join([_EMPTY_HINT, *left_out])
            checks.error("empty", where, "holds no image and no video", hint)
        if settings.require_sources:
            check_sources(catalogue, checks, Path(settings.sources), content.prefix)
        checks.write(folder)
        checks.raise_errors(where, cache)
        published = publish(catalogue, classes, folder, worker_count(settings.workers))
        estimated = settings.layered or content.visible_estimated
        more = {"visible_estimated": estimated, "prefix": content.prefix}
        _write_facts(folder, classes, published, found, checks.warnings(), more)
        report("data/warnings", checks.count("warning"))
        report("data/sequences", len(found))
        report("speed/files_read", content.files_read)
        for split in SPLITS:
            report(f"data/images/{split}", published.images[split])
            report(f"data/annotations/{split}", published.annotations[split])
        report("speed/prepare_images", catalogue.count() / (time.perf_counter() - started))
    dataset = Dataset.load(folder)
    if sum(dataset.counts.values()):
        scored = "test" if dataset.counts["test"] else "val"
        write_coco(dataset, scored, folder / "test.coco.json")
        write_contact_sheet(dataset, folder / contact_sheet.FILE)


def _sequences(
    settings: DatasetSettings, content: Content, checks: Checks
) -> tuple[VideoSequence, ...]:
    """The source's own sequences and those of ``dataset.videos``, with their roles."""
    found = content.sequences
    if settings.videos:
        found = unique_names([*found, *sequences_from(settings.videos, checks.warn)], checks.warn)
    return with_roles(found, *source_of(settings).roles(settings))


def _write_facts(
    folder: Path,
    classes: ClassMap,
    published: Published,
    found: tuple[VideoSequence, ...],
    warnings: list[str],
    more: Mapping[str, Any],
) -> None:
    facts = {
        "fingerprint": _fingerprint(classes.names, published, found),
        "names": classes.names,
        "counts": published.images,
        "annotations": published.annotations,
        "classes": {
            split: dict(zip(classes.names, counts.tolist(), strict=True))
            for split, counts in published.classes.items()
        },
        "splits": published.digests,
        "class_map": classes.mapping,
        "warnings": warnings,
        **more,
    }
    (folder / FILE).write_text(json.dumps(facts, indent=1, ensure_ascii=False), encoding="utf-8")
    rows = [sequences.to_json(s, folder) for s in found]
    (folder / "sequences.json").write_text(
        json.dumps(rows, indent=1, ensure_ascii=False), encoding="utf-8"
    )


def _fingerprint(
    names: tuple[str, ...], published: Published, found: tuple[VideoSequence, ...]
) -> str:
    content = {
        "names": names,
        "splits": published.digests,
        "sequences": sorted(_digest(s) for s in found),
    }
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def _digest(sequence: VideoSequence) -> str:
    digest = hashlib.sha256(f"{sequence.name}\0{sequence.sha256}\0{sequence.role}".encode())
    for path in (sequence.gt, sequence.mots, sequence.det):
        digest.update(path.read_bytes() if path else b"\0")
    return digest.hexdigest()
