"""What compiled loops load."""

import subprocess
import sys

PROGRAM = """
import sys, numba, numpy as np
from trafficsim.order import back_to_front
assert back_to_front(np.zeros((0, 4)), (0.0, 0.0), np.zeros(0)).tolist() == []
assert "numba.np.arraymath" in sys.modules
assert "scipy.linalg" not in sys.modules
assert (numba.njit(lambda a: a @ a)(np.full((2, 2), 2.0)) == 8.0).all()
"""


def test_the_first_call_does_not_load_scipys_linear_algebra() -> None:
    """Which takes 0.4 s; a loop that multiplies matrices still finds it."""
    subprocess.run([sys.executable, "-c", PROGRAM], check=True)
