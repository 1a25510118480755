"""A microstructure at every quadrature point of a DOLFINx model, at the price of a constitutive law."""

__version__ = "0.1.0"
