"""A microstructure at every quadrature point, at the price of a constitutive law."""

__version__ = "0.1.0"
