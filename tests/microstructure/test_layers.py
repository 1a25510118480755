"""Layers whose interfaces cut voxels."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dmn_fem.microstructure import layers


@given(
    st.lists(st.floats(0.1, 1.0), min_size=1, max_size=5),
    st.sampled_from([(2, 0), (2, 1), (3, 0), (3, 1), (3, 2)]),
    st.integers(50, 60),
)
def test_any_fractions_are_exact(
    thickness: list[float], dimension_axis: tuple[int, int], grid: int
) -> None:
    dimension, axis = dimension_axis
    grid = grid if dimension == 2 else grid // 2 + 30
    fractions = np.array(thickness) / sum(thickness)
    if fractions.min() * grid < 1:
        return
    image = layers(dimension, grid, fractions, axis)
    np.testing.assert_allclose(image.volume_fractions, fractions, atol=1e-8)
    assert image.phases.shape == (grid,) * dimension
    along = np.moveaxis(image.phases, axis, 0)
    assert (along == along[(slice(None), *[slice(1)] * (dimension - 1))]).all()
    np.testing.assert_array_equal(
        image.cut.normal, np.broadcast_to(np.eye(dimension)[axis], image.cut.normal.shape)
    )


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_whole_voxels_are_not_cut(axis: int) -> None:
    image = layers(3, 10, [0.2, 0.5, 0.3], axis)
    along = np.moveaxis(image.phases, axis, 0)
    np.testing.assert_array_equal(along[:, 0, 0], [0, 0, 1, 1, 1, 1, 1, 2, 2, 2])
    assert (along == along[:, :1, :1]).all()
    assert image.cut.voxel.size == 0
    assert image.names == ("layer_1", "layer_2", "layer_3")


def test_cut_voxels_are_the_fine_layers_coarsened() -> None:
    fractions = [0.23, 0.5, 0.27]
    image, fine = layers(2, 10, fractions), layers(2, 100, fractions).coarsen(10)
    np.testing.assert_array_equal(image.phases, fine.phases)
    np.testing.assert_array_equal(image.cut.voxel, fine.cut.voxel)
    np.testing.assert_allclose(image.cut.share, fine.cut.share)
    np.testing.assert_allclose(np.abs(image.cut.normal), np.abs(fine.cut.normal), atol=1e-12)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((2, 10, [0.3, 0.3]), "do not add up to one"),
        ((2, 10, [0.95, 0.05]), "at least a voxel thick"),
        ((2, 10, [1.2, -0.2]), "at least a voxel thick"),
        ((2, 10, [0.5, 0.5], 2), "axis is 2"),
        ((4, 10, [0.5, 0.5]), "dimension is 4"),
    ],
)
def test_what_cannot_be_is_refused(arguments: tuple, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        layers(*arguments)


def test_more_layers_than_a_byte_counts() -> None:
    image = layers(2, 300, np.full(300, 1 / 300))
    np.testing.assert_allclose(image.volume_fractions, 1 / 300)
