from .journal import SWEEP_KEYS as SWEEP_KEYS
from .journal import SWEEP_PATHS as SWEEP_PATHS
from .journal import Journal as Journal
from .journal import cells as cells
from .journal import connect as connect
from .journal import record as record
from .journal import run_weights as run_weights
from .journal import sweep_keys as sweep_keys
