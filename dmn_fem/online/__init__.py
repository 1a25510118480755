"""Networks as constitutive laws for many points, and the one-point driver."""

from dmn_fem.online._network_law import NetworkLaw, material_law

__all__ = ["NetworkLaw", "material_law"]
