"""The table of what is written: one entry for each format."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from segtrack.convert.fitting import Holds
from segtrack.convert.material import Material
from segtrack.convert.places import Out
from segtrack.convert.writers import (
    coco,
    cvat,
    datumaro,
    fiftyone,
    labelme,
    labelstudio,
    mot,
    supervisely,
    table,
)
from segtrack.convert.writers import yolo as yolo_writer


@dataclass(frozen=True)
class Format:
    """A form that labels are written in.

    Attributes:
        title: whose it is, in words.
        holds: what it has room for.
        write: fills ``Out``; gets what ``fitting.fitted`` made of the material.
        suffix: of a single file of labels, which OUT may be instead of a folder; empty for none.
        tracks: it is of videos alone, whose objects have track ids.
        one_clip: a single file holds one video.
        bare: it takes neither frames nor videos.
        videos: it takes whole video files in place of frames.
        reads: the option of ``dataset`` that reads a folder of it back.
    """

    title: str
    holds: Holds
    write: Callable[[Material, Out], None]
    suffix: str = ""
    tracks: bool = False
    one_clip: bool = False
    bare: bool = False
    videos: bool = False
    reads: str = ""


FORMATS = {
    "yolo": Format("YOLO segmentation", yolo_writer.HOLDS, yolo_writer.write_yolo, reads="yolo"),
    "coco": Format("COCO instances", coco.HOLDS, coco.write_coco, ".json", reads="coco"),
    "cvat-images": Format(
        "CVAT for images 1.1", cvat.IMAGES_HOLD, cvat.write_cvat_images, ".xml", reads="cvat"
    ),
    "cvat-video": Format(
        "CVAT for video 1.1", cvat.VIDEO_HOLDS, cvat.write_cvat_video, ".xml", True, True
    ),
    "labelme": Format("LabelMe", labelme.HOLDS, labelme.write_labelme, reads="labelme"),
    "labelstudio": Format(
        "Label Studio",
        labelstudio.HOLDS,
        labelstudio.write_labelstudio,
        ".json",
        reads="labelstudio",
    ),
    "supervisely": Format(
        "Supervisely", supervisely.HOLDS, supervisely.write_supervisely, reads="supervisely"
    ),
    "datumaro": Format(
        "Datumaro", datumaro.HOLDS, datumaro.write_datumaro, ".json", reads="datumaro"
    ),
    "mot": Format(
        "MOTChallenge", mot.MOT_HOLDS, mot.write_mot_folder, ".txt", True, True, reads="sequences"
    ),
    "mots": Format(
        "MOTS", mot.MOTS_HOLDS, mot.write_mots_folder, ".txt", True, True, reads="sequences"
    ),
    "fiftyone": Format(
        "FiftyOne", fiftyone.HOLDS, fiftyone.write_fiftyone, tracks=True, videos=True
    ),
    "parquet": Format(
        "a Parquet table",
        table.PARQUET_HOLDS,
        table.write_parquet,
        ".parquet",
        tracks=True,
        bare=True,
    ),
    "csv": Format(
        "a CSV table", table.CSV_HOLDS, table.write_csv_table, ".csv", tracks=True, bare=True
    ),
}
