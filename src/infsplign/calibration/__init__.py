"""Fits guidance to a pipeline that nobody here has seen, without labels: which layers, until when, and how much.

The order of the work: `prompts` -> `sampling` (attention of all layers) -> `readings` (arrays) -> `scoring` -> `choosing` -> `preset`, all
in `calibrating`.
"""

from infsplign.calibration.calibrating import calibrate
from infsplign.calibration.choosing import BoundScore
from infsplign.calibration.judging import Judge
from infsplign.calibration.preset import Calibration
from infsplign.calibration.prompts import pair_prompts
from infsplign.calibration.readings import Readings
from infsplign.calibration.running import Sampling
from infsplign.calibration.scoring import LayerScores, score_layers

__all__ = ["BoundScore", "Calibration", "Judge", "LayerScores", "Readings", "Sampling", "calibrate", "pair_prompts", "score_layers"]
