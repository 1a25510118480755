"""Training: networks fitted to homogenised stiffnesses, with PyTorch."""

from dmn_fem.training._checkpoint import CheckpointError, CheckpointWarning
from dmn_fem.training._fit import Fit, Progress, Settings, fit, fit_best
from dmn_fem.training._model import TorchNetwork
from dmn_fem.training._samples import ErrorReport, Errors, Samples, TrainingData, evaluate

__all__ = [
    "CheckpointError",
    "CheckpointWarning",
    "ErrorReport",
    "Errors",
    "Fit",
    "Progress",
    "Samples",
    "Settings",
    "TorchNetwork",
    "TrainingData",
    "evaluate",
    "fit",
    "fit_best",
]
