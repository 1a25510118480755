"""Design: what a composite of given phases does over the descriptors of a database."""

from dmn_fem.design._constants import elastic_constants, universal_anisotropy
from dmn_fem.design._estimates import estimates
from dmn_fem.design._grid import CORNERS, ORIENTATION, grid
from dmn_fem.design._map import design_map
from dmn_fem.design._plastic import Hardening, hardening
from dmn_fem.design._table import DesignMap

__all__ = [
    "CORNERS",
    "ORIENTATION",
    "DesignMap",
    "Hardening",
    "design_map",
    "elastic_constants",
    "estimates",
    "grid",
    "hardening",
    "universal_anisotropy",
]
