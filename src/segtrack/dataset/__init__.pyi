from .canonical import Dataset as Dataset
from .canonical import ImageRow as ImageRow
from .preparation import prepare as prepare
from .sequence_sources import sequences_from as sequences_from
from .sequence_sources import sequences_of as sequences_of
from .sequences import Sequence as Sequence
from .signatures import signature as signature
from .video import read_frames as read_frames
