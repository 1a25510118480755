"""Plane images drawn out along direction 1: cells of unidirectional fibres."""

from dataclasses import replace

import numpy as np

from dmn_fem.microstructure._image import PhaseImage


def extrude(image: PhaseImage) -> PhaseImage:
    """The 3D image whose cross-section normal to direction 1 is a plane image, everywhere.

    It is one voxel long: nothing varies along direction 1, so that a full field on it costs little
    more than one in the plane and is that of any length.

    Args:
        image: 2D; its directions 1 and 2 become 2 and 3.

    Raises:
        ValueError: If the image has three dimensions, or axes.
    """
    if image.dimension != 2:
        raise ValueError(
            f"the image has {image.dimension} dimensions; only a plane one is drawn out"
        )
    if image.axes is not None:
        raise ValueError("an image with axes cannot be drawn out; generate it in three dimensions")
    cut = image.cut
    if cut is not None:
        cut = replace(cut, normal=np.pad(cut.normal, ((0, 0), (1, 0))))
    return PhaseImage(image.phases[None], image.names, cut, image.matrix, image.slender)
