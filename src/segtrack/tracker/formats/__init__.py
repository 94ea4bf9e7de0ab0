"""Readers and writers of the text formats that trackers and benchmarks exchange."""

from segtrack.tracker.formats.kitti import KittiTable, read_kitti, write_kitti
from segtrack.tracker.formats.mot import MotTable, read_mot, write_mot
from segtrack.tracker.formats.mots import MotsTable, read_mots, write_mots
from segtrack.tracker.formats.results_json import Results, read_results

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
