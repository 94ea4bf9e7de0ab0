"""Draws of chance are numpy's, to the last bit and from the same numbers."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from trafficsim.chance import Rng, one_of, uniform

ODDS = (0.62, 0.18, 0.1, 0.1)


@pytest.mark.parametrize(
    ("ours", "numpys"),
    [
        (lambda r: uniform(r, 0.3, 1.7), lambda r: r.uniform(0.3, 1.7)),
        (lambda r: uniform(r, 5, -3), lambda r: -r.uniform(-5, 3)),
        (lambda r: one_of(r, (-1, 1)), lambda r: r.choice([-1, 1])),
        (lambda r: one_of(r, "abcd", ODDS), lambda r: r.choice(list("abcd"), p=ODDS)),
        (lambda r: one_of(r, (7,)), lambda r: r.choice([7])),
    ],
)
def test_they_are_numpys(ours: Callable[[Rng], object], numpys: Callable[[Rng], object]) -> None:
    one, other = np.random.default_rng(5), np.random.default_rng(5)
    drawn = [ours(one) for _ in range(2000)]
    if isinstance(drawn[0], float):
        assert drawn == pytest.approx([numpys(other) for _ in range(2000)], abs=1e-15)
    else:
        assert drawn == [numpys(other) for _ in range(2000)]
    assert one.bit_generator.state == other.bit_generator.state
