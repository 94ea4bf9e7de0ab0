from .api import ByteTrack as ByteTrack
from .api import Comparison as Comparison
from .api import Data as Data
from .api import Evaluation as Evaluation
from .api import Run as Run
from .api import Scores as Scores
from .api import TrackedObjects as TrackedObjects
from .api import Tracking as Tracking
from .api import Training as Training
from .api import compare as compare
from .api import evaluate as evaluate
from .api import from_supervision as from_supervision
from .api import from_ultralytics as from_ultralytics
from .api import load_run as load_run
from .api import prepare as prepare
from .api import score as score
from .api import to_supervision as to_supervision
from .api import to_ultralytics as to_ultralytics
from .api import track as track
from .api import train as train
from .base.errors import DataError as DataError
from .base.errors import SegtrackError as SegtrackError
from .base.errors import SettingsError as SettingsError
from .base.errors import StageError as StageError

__version__: str
