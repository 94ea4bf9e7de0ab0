"""A run as a document: what it scored, on what, how it was made, and what that does not say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from segtrack import scoring
from segtrack.base.errors import DataError
from segtrack.base.names import level
from segtrack.base.words import counted
from segtrack.command.report_caveats import run_caveats
from segtrack.command.report_parts import (
    Section,
    data_section,
    document_of,
    facts,
    method_section,
    number_of,
    percent,
    sections,
    split_of,
    table_of,
)
from segtrack.report import (
    Block,
    Cell,
    Document,
    Figure,
    Heading,
    Items,
    Number,
    Paragraph,
    Table,
)
from segtrack.runs import KeptRun

_AP = (
    ("AP, IoU .50:.95", "map50_95"),
    ("AP, IoU .50", "map50"),
    ("AP, IoU .75", "map75"),
    ("AP, small objects", "map_small"),
    ("AP, medium", "map_medium"),
    ("AP, large", "map_large"),
    ("AR, 100 detections", "ar100"),
)
_BOTH = ("map50_95", "map50")
_TRACK = ("HOTA", "DetA", "AssA", "MOTA", "IDF1")
_COUNTS = ("IDSW", "FP", "FN")
_IMAGE_FIGURES = (
    ("figures/mask_precision_recall.png", "Precision over recall of masks, by class"),
    ("figures/confusion_matrix.png", "Which class was taken for which"),
    ("figures/visible_fraction.png", "Recall by how much of an object is visible"),
    ("gallery/sheet.jpg", "The images that were found worst, the worst first"),
)
_STILLS = 4
_TRACK_FIGURES = (
    ("videos", "Scores of each video"),
    ("hota_over_alpha", "HOTA over localisation thresholds"),
    ("recall_by_visibility", "Recall by visibility"),
    ("kept_after_occlusion", "Identities after an occlusion"),
)


def run_document(
    run: KeptRun, scratch: Path, address: str = "", question: str = "", made: str = ""
) -> Document:
    """The report of a run.

    Args:
        run: one that has ended.
        scratch: folder for pictures that are made of its videos.
        address: of the run in MLflow's pages; empty where there is none.
        question: what it was made to find out.
        made: by what and when the report was.

    Raises:
        DataError: the run kept nothing that there is to say something of.
    """
    results = sections(_images(run), _tracking(run, scratch), _training(run), _review(run))
    data = data_section(run)
    if not results and not data:
        raise DataError(
            f"{run.label}: the run kept nothing to report: no data set, no training, no evaluation "
            f"and no tracks"
        )
    blocks: list[Block] = facts(run, address, question)
    blocks += results
    if caveats := tuple(run_caveats(run)):
        blocks += [Heading("What cannot be claimed"), Items(caveats)]
    blocks += data
    blocks += method_section(run)
    return Document(run.name, tuple(blocks), made)


def _images(run: KeptRun) -> Section:
    found = run.evaluation
    if found is None:
        return
    split = split_of(found.metrics)
    size = found.counts
    yield Heading("Images")
    yield Paragraph(
        f"Evaluated on {counted(size['images'], 'images')} of the split {split} with "
        f"{counted(size['objects'], 'objects')}; COCO's figures by pycocotools, masks at each "
        f"image's own resolution, in percent."
    )
    rows: list[tuple[Cell, ...]] = [
        (name, *(percent(found.metrics.get(f"{split}/{kind}_{key}")) for kind in ("mask", "box")))
        for name, key in _AP
    ]
    yield Table("", ("", "masks", "boxes"), tuple(rows))
    classes = sorted(found.per_class, key=lambda row: -number_of(row["objects"]))
    yield Table(
        "By class",
        ("class", "images", "objects", "mask AP", "mask AP50", "box AP", "box AP50"),
        tuple(
            (
                row["class"],
                int(number_of(row["images"])),
                int(number_of(row["objects"])),
                *(percent(row.get(f"{kind}_{key}")) for kind in ("mask", "box") for key in _BOTH),
            )
            for row in classes
        ),
    )
    for name, caption in _IMAGE_FIGURES:
        if (path := found.file(name)) is not None:
            yield Figure(path, caption)


def _tracking(run: KeptRun, scratch: Path) -> Section:
    if not run.videos:
        return
    yield Heading("Tracking")
    names = [video.name for video in run.videos]
    yield Paragraph(f"{counted(len(names), 'videos')}, scores in percent.")
    scored = False
    for kind, ending in (("boxes", ""), ("masks", "_masks")):
        rows = table_of(run, f"tracking/scores/videos{ending}.csv")
        scored = scored or bool(rows)
        if rows:
            yield _video_table(rows, f"By video, {kind}")
    yield from _class_tables(run)
    if not scored:
        yield _tracks_table(run)
    yield from _stills(run, scratch)
    for stem, caption in _TRACK_FIGURES:
        for kind, ending in (("boxes", ""), ("masks", "_masks")):
            path = run.file(f"tracking/scores/{stem}{ending}.png")
            if path is not None:
                yield Figure(path, f"{caption}, {kind}")


def _stills(run: KeptRun, scratch: Path) -> Iterator[Figure]:
    """The frame in the middle of the first annotated videos."""
    from segtrack.dataset import middle_frame

    annotated = [video for video in run.videos if video.annotated is not None]
    for number, video in enumerate(annotated[:_STILLS]):
        path = scratch / f"still_{number}.jpg"
        if video.annotated is not None and middle_frame(video.annotated, path):
            yield Figure(path, f"A frame of {video.name}: masks, ids, classes, scores and trails")


def _video_table(rows: Sequence[Mapping[str, str]], caption: str) -> Table:
    singles = [row for row in rows if row["role"] != "combined"]
    roles = any(row["role"] for row in singles)
    cells: list[list[Cell]] = [
        [
            "all together" if row["video"] == "all" and row["role"] == "combined" else row["video"],
            *([row["role"]] if roles else []),
            *(percent(row[name]) for name in _TRACK),
            *(int(number_of(row[name])) for name in _COUNTS),
        ]
        for row in (rows if len(singles) > 1 else singles)
    ]
    return Table(
        caption,
        ("video", *(["role"] if roles else []), *_TRACK, *_COUNTS),
        tuple(map(tuple, cells)),
    )


def _class_tables(run: KeptRun) -> Iterator[Table]:
    """By class, with how many objects of the ground truth it is of."""
    totals = scoring.combined(run.scores)
    for kind, title in ((scoring.BOX, "boxes"), (scoring.MASK, "masks")):
        rows: list[tuple[Cell, ...]] = []
        for (of, name), counts in totals.items():
            if of != kind or not scoring.has_objects(counts):
                continue
            values = scoring.summary(counts)
            support = scoring.objects(counts)
            scores = (Number(100 * float(values[score])) for score in _TRACK)
            rows.append((name, support, *scores, *(int(values[score]) for score in _COUNTS)))
        if rows:
            rows.sort(key=lambda row: -int(str(row[1])))
            head = ("class", "boxes" if kind == scoring.BOX else "masks", *_TRACK, *_COUNTS)
            yield Table(f"By class, {title}", head, tuple(rows))


def _tracks_table(run: KeptRun) -> Table:
    """What was found where there is nothing to score it by."""
    prefix, rows = "track/video/", []
    for video in run.videos:
        own = {
            k: v for k, v in run.metrics.items() if k.startswith(f"{prefix}{level(video.name)}/")
        }
        values = (own.get(f"{prefix}{level(video.name)}/{name}") for name in ("tracks", "objects"))
        rows.append((video.name, *(None if v is None else int(v) for v in values)))
    return Table(
        "What was found; there is no ground truth", ("video", "tracks", "objects"), tuple(rows)
    )


def _training(run: KeptRun) -> Section:
    kinds = ("mask", "box")
    keys = ("map50_95", "map50", "precision", "recall")
    best = {k: run.metrics.get(f"val/best/{k}") for k in (f"{a}_{b}" for a in kinds for b in keys)}
    if not any(value is not None for value in best.values()):
        return
    yield Heading("Training")
    epochs = len(run.history("val/mask_map50_95")) or len(run.history("val/box_map50_95"))
    yield Paragraph(
        f"{counted(epochs, 'epochs')}; the weights of the epoch that was best on the validation "
        f"images were kept. By ultralytics' validator, which is not that of the test, in percent:"
    )
    rows: list[tuple[Cell, ...]] = [
        (kind, *(percent(best[f"{kind}_{key}"]) for key in keys)) for kind in kinds
    ]
    yield Table("Validation", ("", "mAP50-95", "mAP50", "precision", "recall"), tuple(rows))


def _review(run: KeptRun) -> Section:
    rows = [row for row in table_of(run, "review/outcomes.csv") if row["class"] == "all"]
    if not rows:
        return
    yield Heading("Review")
    document = document_of(run, "review/review.json")
    yield Paragraph(
        f"What people made of its predictions on {counted(document['images'], 'images')}; "
        f"precision and recall in percent, at an IoU of .5 with what they left."
    )
    whole = ("sent", "accepted", "corrected", "deleted", "added")
    yield Table(
        "By confidence",
        ("confidence", *whole, "precision", "recall"),
        tuple(
            (
                row["band"],
                *(int(number_of(row[name])) if row[name] else None for name in whole),
                *(percent(row[name]) if row[name] else None for name in ("precision", "recall")),
            )
            for row in rows
        ),
    )
    yield Paragraph(str(document["calibration"]))
    if (path := run.file("review/acceptance.png")) is not None:
        yield Figure(path, "Share of predictions accepted as they were, over confidence")
    tracks = [row for row in table_of(run, "review/videos/classes.csv") if row["class"] == "all"]
    if tracks:
        yield Paragraph(
            f"Of {tracks[0]['sent']} tracks {tracks[0]['accepted']} were accepted, "
            f"{tracks[0]['corrected']} corrected, {tracks[0]['split']} split, "
            f"{tracks[0]['joined']} joined, {tracks[0]['deleted']} deleted and "
            f"{tracks[0]['added']} added."
        )
