"""Plane images drawn out: what stays of them."""

from dataclasses import replace

import numpy as np
import pytest

from dmn_fem.microstructure import MaterialAxes, discs, extrude, spheres


def test_every_section_is_the_plane_image() -> None:
    plane = discs(0.4, 5, 2).image(24)
    image = extrude(plane)
    assert image.shape == (1, 24, 24)
    assert (image.names, image.matrix, image.slender) == (plane.names, plane.matrix, False)
    np.testing.assert_array_equal(image.phases[0], plane.phases)
    np.testing.assert_array_equal(image.volume_fractions, plane.volume_fractions)
    assert image.cut is not None
    assert plane.cut is not None
    np.testing.assert_array_equal(image.cut.normal[:, 1:], plane.cut.normal)
    assert not image.cut.normal[:, 0].any()
    whole = extrude(discs(0.4, 5, 2).image(24, composite=False))
    assert whole.cut is None


def test_only_plane_images_are_drawn_out() -> None:
    with pytest.raises(ValueError, match="3 dimensions"):
        extrude(spheres(0.2, 3, 1).image(8))


def test_axes_are_not_lost() -> None:
    image = discs(0.4, 5, 2).image(8)
    axes = MaterialAxes(np.array([[1.0, 0.0, 0.0, 0.0]]), np.zeros((2, 8, 8), np.uint16))
    with pytest.raises(ValueError, match="an image with axes cannot be drawn out"):
        extrude(replace(image, axes=axes))
