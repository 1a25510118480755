"""Networks as constitutive laws for many points, and the one-point driver."""

from dmn_fem.online._network_law import NetworkLaw, material_law
from dmn_fem.online._paths import STANDARD_PATHS, deviatoric_error, standard_path
from dmn_fem.online._point import LoadPath, Response, drive

__all__ = [
    "STANDARD_PATHS",
    "LoadPath",
    "NetworkLaw",
    "Response",
    "deviatoric_error",
    "drive",
    "material_law",
    "standard_path",
]
