"""Periodic phase images, and the generators that make them."""

from dmn_fem.microstructure._cell import ParticleCell
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
from dmn_fem.microstructure._image import PhaseImage, laminate
from dmn_fem.microstructure._interface import CutVoxels
from dmn_fem.microstructure._particles import Particles, discs, spheres
from dmn_fem.microstructure._pictures import from_labels, mirror, otsu, segment, stitch
from dmn_fem.microstructure._voxel_files import read_voxels, vtk_messages, write_voxels

__all__ = [
    "CutVoxels",
    "ParticleCell",
    "Particles",
    "PhaseDescription",
    "PhaseImage",
    "describe",
    "discs",
    "from_labels",
    "laminate",
    "lineal_path",
    "mirror",
    "normal_tensor",
    "orientation_tensor",
    "otsu",
    "radial_average",
    "read_voxels",
    "segment",
    "specific_surface",
    "spheres",
    "stitch",
    "two_point_correlation",
    "vtk_messages",
    "write_voxels",
]
