"""Material axes of an image: what they accept, what its files and digest know of them."""

from dataclasses import replace

import numpy as np
import pytest

from dmn_fem.microstructure import MaterialAxes, PhaseImage, weave

STRAIGHT = np.array([[1.0, 0.0, 0.0, 0.0]])


def test_files_and_digest_know_the_axes(tmp_path) -> None:
    image = weave(0.3).image(16)
    image.save(tmp_path / "weave.npz")
    found = PhaseImage.load(tmp_path / "weave.npz").axes
    np.testing.assert_array_equal(found.quaternion, image.axes.quaternion)
    np.testing.assert_array_equal(found.number, image.axes.number)
    straight = replace(image, axes=None)
    assert image.digest != straight.digest
    turned = MaterialAxes(image.axes.quaternion, np.roll(image.axes.number, 1, axis=1))
    assert image.digest != replace(image, axes=turned).digest
    straight.save(tmp_path / "straight.npz")
    assert PhaseImage.load(tmp_path / "straight.npz").axes is None


@pytest.mark.parametrize(
    ("quaternion", "shape", "number", "message"),
    [
        (np.zeros((0, 4)), (1, 4, 4), 0, r"must be \(T, 4\)"),
        (2 * STRAIGHT, (1, 4, 4), 0, "length one"),
        (STRAIGHT, (4, 4), 0, "uint16 of 2 axes"),
        (STRAIGHT, (1, 4, 4), 1, "number 1, but there are 1"),
        (np.array([[0.6, 0.8, 0.0, 0.0]]), (1, 4, 4), 0, "about axis 3 alone"),
    ],
)
def test_no_axes(quaternion, shape, number, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MaterialAxes(quaternion, np.full(shape, number, dtype=np.uint16))


def test_axes_belong_to_their_image() -> None:
    axes = MaterialAxes(STRAIGHT, np.zeros((1, 4, 4), dtype=np.uint16))
    with pytest.raises(ValueError, match=r"this image needs \(1, 4, 6\)"):
        PhaseImage(np.zeros((4, 6), dtype=np.uint8), ("a",), axes=axes)
    with pytest.raises(ValueError, match="with axes cannot be coarsened"):
        PhaseImage(np.zeros((4, 4), dtype=np.uint8), ("a",), axes=axes).coarsen(2)
