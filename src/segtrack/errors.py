"""The one family of exceptions. A traceback is for bugs only; these end in one clear message."""


class SegtrackError(Exception):
    """Something a user can mend; the message says what was wrong, the value, the file, and how."""

    exit_code = 1


class SettingsError(SegtrackError):
    """Settings that cannot work. Found before any work is done; no MLflow run is made."""

    exit_code = 2


class DataError(SegtrackError):
    """Unusable input data: images, labels, video, weights."""

    exit_code = 2


class StageError(SegtrackError):
    """A stage failed while it worked (disk full, training diverged, ...)."""
