from .differences import UNSET as UNSET
from .differences import differing as differing
from .differences import settings_of as settings_of
from .evaluated import KeptEvaluation as KeptEvaluation
from .finding import find as find
from .kept import KeptRun as KeptRun
from .kept import KeptSweep as KeptSweep
from .tracked import KeptVideo as KeptVideo
