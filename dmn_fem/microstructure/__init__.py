"""Periodic phase images, and the generators that make them."""

from dmn_fem.microstructure._cell import ParticleCell
from dmn_fem.microstructure._image import PhaseImage, laminate
from dmn_fem.microstructure._interface import CutVoxels
from dmn_fem.microstructure._particles import Particles, discs, spheres

__all__ = ["CutVoxels", "ParticleCell", "Particles", "PhaseImage", "discs", "laminate", "spheres"]
