"""Where MLflow's own pages show a run."""

from __future__ import annotations

from urllib.parse import urlparse

_LOCAL = "http://127.0.0.1:5000"  # of `make ui`


def page_of(uri: str, experiment: str, run_id: str) -> str:
    """The address of a run's page: on the server, without what one logs in with, or where
    ``make ui`` serves a database of this machine."""
    root = _LOCAL
    if uri.startswith(("http://", "https://")):
        parts = urlparse(uri.rstrip("/"))
        root = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
    return f"{root}/{place_of(experiment, run_id)}"


def place_of(experiment: str, run_id: str) -> str:
    """Where a run is within MLflow's pages."""
    return f"#/experiments/{experiment}/runs/{run_id}"
