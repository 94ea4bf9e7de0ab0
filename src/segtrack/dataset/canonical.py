"""``Dataset``: a prepared data set as the other stages see it."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from segtrack.base.errors import DataError
from segtrack.base.frames import row_groups, rows_with
from segtrack.dataset import sequences, tables, yolo_tree
from segtrack.dataset.sequences import VideoSequence

FILE = "dataset.json"


@dataclass(frozen=True)
class ImageRow:
    """One image.

    Attributes:
        image_id: from 0, in the order of the tables.
        file_name: unique name inside the data set.
        path: the file.
        width, height: px as displayed, after EXIF rotation.
        sha256: of the file, in hex.
    """

    image_id: int
    file_name: str
    path: Path
    width: int
    height: int
    sha256: str


@dataclass(frozen=True)
class Dataset:
    """A folder that ``prepare`` made.

    Attributes:
        folder: the stage's folder.
        fingerprint: digest of the content: image bytes and names, splits, annotations, class names,
            sequences; not of where it lies.
        names: class names by class id.
        counts: images per split.
        warnings: one line per kind of warning that the checks found.
        sequences: videos to track in.
        class_map: class name of the source to name in ``names``, for the classes that are used.
        split_fingerprints: digest of each split's content.
        visible_estimated: whether visible fractions are estimates of ``dataset.layered``.
        prefix: what its images are called by in ``sources.md``; see ``Content``.
    """

    folder: Path
    fingerprint: str
    names: tuple[str, ...]
    counts: dict[str, int]
    warnings: list[str]
    sequences: tuple[VideoSequence, ...]
    class_map: dict[str, str]
    split_fingerprints: dict[str, str]
    visible_estimated: bool = False
    prefix: str = ""

    @staticmethod
    def load(folder: Path) -> Dataset:
        """Open ``folder``.

        Raises:
            DataError: the folder holds no prepared data set.
        """
        path = folder / FILE
        try:
            raw = json.loads(path.read_text(encoding="utf-8"))
            found = json.loads((folder / "sequences.json").read_text(encoding="utf-8"))
        except (OSError, json.JSONDecodeError) as error:
            raise DataError(
                f"{path}: not readable as a prepared data set ({error}); run prepare again"
            ) from error
        return Dataset(
            folder,
            raw["fingerprint"],
            tuple(raw["names"]),
            raw["counts"],
            raw["warnings"],
            tuple(sequences.from_json(row, folder) for row in found),
            raw["class_map"],
            raw["splits"],
            raw.get("visible_estimated", False),  # written before there were estimates
            raw.get("prefix", ""),
        )

    @property
    def yolo_yaml(self) -> Path:
        """``data.yaml`` of the training tree."""
        return self.folder / yolo_tree.FOLDER / "data.yaml"

    def split_fingerprint(self, split: str) -> str:
        """Digest of the images, labels and class names of one split."""
        return self.split_fingerprints[split]

    def images(self, split: str) -> list[ImageRow]:
        """All images of a split; ``iter_images`` where there may be very many."""
        return list(self.iter_images(split))

    def iter_images(self, split: str) -> Iterator[ImageRow]:
        """The images of a split in the order of their ids, as a stream."""
        columns = ["file_name", "path", "width", "height", "sha256"]
        yield from map(self._image, self._rows(split, columns))

    def images_of(self, images: Collection[int]) -> Iterator[ImageRow]:
        """Some images by their ids, whatever their split, in the order of ids; quick for a few."""
        columns = ["image_id", "file_name", "path", "width", "height", "sha256"]
        table = rows_with(self.folder / "images.parquet", "image_id", images, columns)
        yield from map(self._image, table.to_pylist())

    def coco_images(
        self, split: str, images: Collection[int] | None = None
    ) -> Iterator[dict[str, Any]]:
        """Entries of COCO's ``images`` of a split in the order of their ids, as a stream.

        Args:
            images: ids of those that are wanted, quick for a few; None for all.
        """
        for row in self._rows(split, ["file_name", "width", "height"], images):
            yield {"id": row.pop("image_id"), **row}

    def image_rows(self, *columns: str) -> Iterator[dict[str, Any]]:
        """These columns of ``tables.IMAGES`` for every image, in the order of ids, as a stream."""
        return tables.rows_of(self.folder / "images.parquet", list(columns))

    def iter_labelled(self) -> Iterator[tuple[dict[str, Any], list[dict[str, Any]]]]:
        """The rows of every image, in the order of ids, each with those of its annotations.

        As ``tables.IMAGES`` and ``tables.ANNOTATIONS`` have them, as a stream; ``path`` is the
        file.
        """
        annotations = tables.rows_of(self.folder / "annotations.parquet")
        waiting = next(annotations, None)
        for row in tables.rows_of(self.folder / "images.parquet"):
            own = []
            while waiting is not None and waiting["image_id"] == row["image_id"]:
                own.append(waiting)
                waiting = next(annotations, None)
            yield row | {"path": self.folder / row["path"]}, own

    def iter_annotations(
        self, split: str, images: Collection[int] | None = None
    ) -> Iterator[dict[str, Any]]:
        """COCO annotations of a split in the order of their images, as a stream.

        Args:
            images: ids of those that are wanted, quick for a few; None for all.

        ``category_id`` is the class id; ``segmentation`` an RLE where the source has one, else
        polygons; beside COCO's keys there is ``visible_fraction`` (0..1 or None).
        """
        if images is not None:
            yield from self._some_annotations(split, images)
            return
        every = self._rows(split, ["width", "height"])
        held: list[dict[str, Any]] = []  # images of the split that rows may still come for
        for table in row_groups(self.folder / "annotations.parquet", tables.ANNOTATIONS.names):
            first, last = (table["image_id"][i].as_py() for i in (0, -1))
            held = [row for row in held if row["image_id"] >= first]
            while not held or held[-1]["image_id"] < last:
                row = next(every, None)
                if row is None:
                    break
                if row["image_id"] >= first:
                    held.append(row)
            sizes = {row["image_id"]: [row["height"], row["width"]] for row in held}
            wanted = pa.array(list(sizes), pa.int64())
            table = table.filter(pc.is_in(table["image_id"], value_set=wanted))
            for one in table.to_pylist():
                yield _coco_row(one, sizes[one["image_id"]])

    def coco(self, split: str) -> dict[str, Any]:
        """COCO ground truth of a split, as pycocotools takes it; category ids are class ids."""
        return {
            "info": {"description": f"segtrack {split} split", "fingerprint": self.fingerprint},
            "images": list(self.coco_images(split)),
            "annotations": list(self.iter_annotations(split)),
            "categories": coco_categories(self.names),
        }

    def _some_annotations(self, split: str, images: Collection[int]) -> Iterator[dict[str, Any]]:
        rows = self._rows(split, ["width", "height"], images)
        sizes = {row["image_id"]: [row["height"], row["width"]] for row in rows}
        table = rows_with(self.folder / "annotations.parquet", "image_id", sizes)
        for part in table.to_batches(max_chunksize=tables.ROW_GROUP):  # as a table they are small
            for one in part.to_pylist():
                yield _coco_row(one, sizes[one["image_id"]])

    def _image(self, row: dict[str, Any]) -> ImageRow:
        return ImageRow(**row | {"path": self.folder / row["path"], "sha256": row["sha256"].hex()})

    def _rows(
        self, split: str, columns: list[str], images: Collection[int] | None = None
    ) -> Iterator[dict[str, Any]]:
        """``image_id`` and these columns of a split's images, in the order of ids, as a stream."""
        path, columns = self.folder / "images.parquet", ["image_id", *columns, "split"]
        some = None if images is None else [rows_with(path, "image_id", images, columns)]
        for table in some or row_groups(path, columns):
            table = table.filter(pc.field("split") == split).drop_columns(["split"])
            yield from table.to_pylist()


def coco_categories(names: tuple[str, ...]) -> list[dict[str, Any]]:
    """COCO's ``categories``; the id is the class id."""
    return [{"id": i, "name": name} for i, name in enumerate(names)]


def write_coco(dataset: Dataset, split: str, path: Path) -> None:
    """Write ``coco(split)`` as a stream."""
    with path.open("w") as file:
        info = {"description": f"segtrack {split} split"}
        file.write(f'{{"info": {json.dumps(info)},\n"images": [')
        for i, image in enumerate(dataset.coco_images(split)):
            file.write((",\n" if i else "\n") + json.dumps(image))
        file.write('\n],\n"annotations": [')
        for i, row in enumerate(dataset.iter_annotations(split)):
            file.write((",\n" if i else "\n") + json.dumps(row))
        file.write(f'\n],\n"categories": {json.dumps(coco_categories(dataset.names))}\n}}\n')


def _coco_row(row: dict[str, Any], size: list[int]) -> dict[str, Any]:
    if row["rle"] is not None:
        segmentation: Any = {"size": size, "counts": row["rle"].decode()}
    else:
        segmentation = row["polygons"]
    return {
        "id": row["annotation_id"] + 1,  # pycocotools takes id 0 for "no match"
        "image_id": row["image_id"],
        "category_id": row["class_id"],
        "segmentation": segmentation,
        "bbox": [row["x"], row["y"], row["w"], row["h"]],
        "area": row["area"],
        "iscrowd": int(row["iscrowd"]),
        "visible_fraction": row["visible_fraction"],
    }
