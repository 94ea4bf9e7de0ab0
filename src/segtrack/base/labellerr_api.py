"""What Labellerr's API fixes, said once: for the settings, the adapters and the loopback platform.

Source: its documentation (labellerr.com/docs) and SDK (github.com/Labellerr/SDKPython).
"""

from __future__ import annotations

NOT_ASSIGNED = "None"  # status of a file that nobody works on; pre-annotated ones keep it
# Every status that is documented, and those whose files can be exported.
STATUSES = (
    NOT_ASSIGNED,
    "assigned",
    "review",
    "r_assigned",
    "client_review",
    "cr_assigned",
    "accepted",
    "rejected",
    "client_rejected",
    "skipped",
    "r_skipped",
    "cr_skipped",
    "critical",
    "r_critical",
    "cr_critical",
)
REVIEWED = STATUSES[2:7]
READY = 300  # status_code of a data set or project that may be used
FORMATS = ("json", "coco_json", "csv", "png", "video_json")
SUFFIXES = {"image": (".jpg", ".jpeg", ".png", ".tiff"), "video": (".mp4",)}
# What ``bulk_assign`` takes, by the documentation of June 2026: stages of the work, not statuses.
ASSIGNED_STATUSES = ("annotation", "review", "client_review", "accepted", "rejected")
DATASET_FILES, DATASET_BYTES = 2_500, int(2.5 * 1024**3)  # of one data set, at most
VIDEO_BYTES = 500_000_000  # of one video: "100 to 500 MB", says the documentation of April 2026
# Where an account shows its keys and its client id.
API_KEYS = "https://<workspace>.labellerr.com/workspace/api-keys"
# Who asks, by the names of variables of the environment, in the order of ``Credentials``.
VARIABLES = ("LABELLERR_API_KEY", "LABELLERR_API_SECRET", "LABELLERR_CLIENT_ID")
LOOPBACK = ("KEY", "SECRET", "CID")  # what the loopback platform takes where none are set
