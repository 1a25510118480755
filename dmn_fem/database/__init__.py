"""Databases: networks over descriptors of the microstructure, one file, interpolated on demand.

All networks of a database share their leaf phases, hence their tree, and descend from one another
by transfer: that is what makes them interpolable (Liu, Wu and Koishi 2019). The file is of the
safetensors format: no pickle, opened without PyTorch and without HDF5.

References:
    Liu, Wu and Koishi (2019), Transfer learning of deep material network for seamless
    structure-property predictions, Comput. Mech. 64, 451-465.
"""

from dmn_fem.database._database import Database
from dmn_fem.database._errors import DatabaseError, ExtrapolationWarning
from dmn_fem.database._space import Descriptor, DescriptorSpace, Mixture

__all__ = [
    "Database",
    "DatabaseError",
    "Descriptor",
    "DescriptorSpace",
    "ExtrapolationWarning",
    "Mixture",
]
