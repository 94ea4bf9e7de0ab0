"""Readers and writers of the text formats that trackers and benchmarks exchange."""

from segtrack.formats.kitti import KittiTable, read_kitti, write_kitti
from segtrack.formats.mot import MotTable, read_mot, write_mot
from segtrack.formats.mots import MotsTable, read_mots, write_mots
from segtrack.scoring.results_json import Results, read_results

__all__ = [
    "KittiTable",
    "MotTable",
    "MotsTable",
    "Results",
    "read_kitti",
    "read_mot",
    "read_mots",
    "read_results",
    "write_kitti",
    "write_mot",
    "write_mots",
]
