from .bootstrap import units as units
from .combine import score_metrics as score_metrics
from .score import SequenceScores as SequenceScores
from .score import score_tracks as score_tracks
from .truth import Truth as Truth
from .truth import build_truth as build_truth
