"""Training: networks fitted to homogenised stiffnesses, with PyTorch."""

from dmn_fem.training._build import build
from dmn_fem.training._checkpoint import CheckpointError, CheckpointWarning
from dmn_fem.training._family import fit_family
from dmn_fem.training._fit import Fit, fit
from dmn_fem.training._inelastic import InelasticSamples
from dmn_fem.training._leave_one_out import leave_one_out
from dmn_fem.training._model import TorchNetwork
from dmn_fem.training._provenance import file_sha256, package_versions
from dmn_fem.training._pruning import prune, prune_family
from dmn_fem.training._recipe import Recipe
from dmn_fem.training._samples import ErrorReport, Errors, Samples, evaluate
from dmn_fem.training._settings import Frozen, Progress, Settings
from dmn_fem.training._starts import fit_best
from dmn_fem.training._transfer import rescale, transfer_chain

__all__ = [
    "CheckpointError",
    "CheckpointWarning",
    "ErrorReport",
    "Errors",
    "Fit",
    "Frozen",
    "InelasticSamples",
    "Progress",
    "Recipe",
    "Samples",
    "Settings",
    "TorchNetwork",
    "build",
    "evaluate",
    "file_sha256",
    "fit",
    "fit_best",
    "fit_family",
    "leave_one_out",
    "package_versions",
    "prune",
    "prune_family",
    "rescale",
    "transfer_chain",
]
