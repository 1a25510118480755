"""Networks as constitutive laws for many points, and the one-point driver."""

from dmn_fem.online._network_law import NetworkLaw, material_law
from dmn_fem.online._point import LoadPath, Response, drive

__all__ = ["LoadPath", "NetworkLaw", "Response", "drive", "material_law"]
