"""Periodic phase images, and the generators that make them."""

from dmn_fem.microstructure._axes import MaterialAxes
from dmn_fem.microstructure._cell import (
    Cell,
    FibreCell,
    LayerCell,
    MixedParticleCell,
    ParticleCell,
    RandomFieldCell,
    WeaveCell,
    read_cell,
)
from dmn_fem.microstructure._descriptors import (
    PhaseDescription,
    describe,
    lineal_path,
    normal_tensor,
    orientation_tensor,
    radial_average,
    specific_surface,
    two_point_correlation,
)
from dmn_fem.microstructure._extrusion import extrude
from dmn_fem.microstructure._fibres import Fibres, fibres
from dmn_fem.microstructure._image import PhaseImage
from dmn_fem.microstructure._interface import CutVoxels
from dmn_fem.microstructure._layers import layers
from dmn_fem.microstructure._mixture import MixedParticles, of_two_kinds
from dmn_fem.microstructure._particles import Particles, discs, spheres
from dmn_fem.microstructure._pictures import from_labels, mirror, otsu, segment, stitch
from dmn_fem.microstructure._polycrystal import Polycrystal, laguerre, voronoi
from dmn_fem.microstructure._random_field import RandomField, random_field
from dmn_fem.microstructure._voxel_files import read_voxels, vtk_messages, write_voxels
from dmn_fem.microstructure._weave import Weave, weave

__all__ = [
    "Cell",
    "CutVoxels",
    "FibreCell",
    "Fibres",
    "LayerCell",
    "MaterialAxes",
    "MixedParticleCell",
    "MixedParticles",
    "ParticleCell",
    "Particles",
    "PhaseDescription",
    "PhaseImage",
    "Polycrystal",
    "RandomField",
    "RandomFieldCell",
    "Weave",
    "WeaveCell",
    "describe",
    "discs",
    "extrude",
    "fibres",
    "from_labels",
    "laguerre",
    "layers",
    "lineal_path",
    "mirror",
    "normal_tensor",
    "of_two_kinds",
    "orientation_tensor",
    "otsu",
    "radial_average",
    "random_field",
    "read_cell",
    "read_voxels",
    "segment",
    "specific_surface",
    "spheres",
    "stitch",
    "two_point_correlation",
    "voronoi",
    "vtk_messages",
    "weave",
    "write_voxels",
]
