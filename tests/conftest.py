"""Fixtures that every test may use."""

from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real images, video, weights and ground truth that lie beside the checkout."""
    if not SHARED.is_dir():
        pytest.skip(f"real data set folder is not there: {SHARED}")
    return SHARED
