from .bootstrap import METRICS as METRICS
from .bootstrap import check_paired as check_paired
from .bootstrap import drawn_scores as drawn_scores
from .measurement import Evaluation as Evaluation
from .measurement import measure as measure
from .stage import evaluate as evaluate
from .units import ImageUnits as ImageUnits
