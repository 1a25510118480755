"""Training: networks fitted to homogenised stiffnesses, with PyTorch."""

from dmn_fem.training._checkpoint import CheckpointError, CheckpointWarning
from dmn_fem.training._fit import Fit, Progress, Settings, fit, fit_best
from dmn_fem.training._model import TorchNetwork
from dmn_fem.training._recipe import Recipe, build
from dmn_fem.training._samples import ErrorReport, Errors, Samples, evaluate
from dmn_fem.training._transfer import rescale, transfer_chain

__all__ = [
    "CheckpointError",
    "CheckpointWarning",
    "ErrorReport",
    "Errors",
    "Fit",
    "Progress",
    "Recipe",
    "Samples",
    "Settings",
    "TorchNetwork",
    "build",
    "evaluate",
    "fit",
    "fit_best",
    "rescale",
    "transfer_chain",
]
