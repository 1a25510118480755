"""Settings: what is frozen level by level, and what is refused."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from dmn_fem.network import Network
from dmn_fem.training import Frozen, Settings


@pytest.mark.parametrize(
    ("frozen", "expected"),
    [
        (Frozen(), [0, 1, 2, 3, 4, 5, 6]),
        (Frozen(upper_levels=1), [1, 2, 3, 4, 5, 6]),
        (Frozen(upper_levels=2), [3, 4, 5, 6]),
        (Frozen(lower_levels=1), [0, 1, 2]),
        (Frozen(lower_levels=2), [0]),
        (Frozen(upper_levels=1, lower_levels=1), [1, 2]),
        (Frozen(upper_levels=3), []),
        (Frozen(normals=True), []),
    ],
)
def test_levels_are_counted_from_both_ends(
    random_network: Callable[..., Network], frozen: Frozen, expected: list[int]
) -> None:
    trained = frozen.trained(random_network(8, dimension=3))
    assert trained["normal_angles"].shape == (7, 2)
    assert np.flatnonzero(trained["normal_angles"].all(axis=1)).tolist() == expected
    assert trained["normal_angles"].any(axis=1).sum() == len(expected)
    assert trained["leaf_activation"].all()


def test_an_uneven_tree_ends_with_its_deepest_nodes(random_network: Callable[..., Network]) -> None:
    trained = Frozen(lower_levels=1).trained(random_network(5))  # nodes 0 | 1 2 | 3
    assert trained["normal_angles"].ravel().tolist() == [True, True, True, False]


def test_weights_and_orientations_are_parts(random_network: Callable[..., Network]) -> None:
    network = random_network(4)
    assert "leaf_orientation" not in Frozen().trained(network)
    assert not Frozen(weights=True).trained(network)["leaf_activation"].any()
    oriented = replace(network, leaf_orientation=np.tile([1.0, 0, 0, 0], (4, 1)))
    assert Frozen(weights=True).trained(oriented)["leaf_orientation"].all()
    assert not Frozen(orientations=True).trained(oriented)["leaf_orientation"].any()
    assert Frozen(weights=True, normals=True).trained(oriented)["leaf_orientation"].all()


def test_something_must_be_left_to_train(random_network: Callable[..., Network]) -> None:
    with pytest.raises(ValueError, match="leaves nothing to train of 4 leaves"):
        Frozen(weights=True, upper_levels=2).trained(random_network(4))
    for name in ("upper_levels", "lower_levels"):
        message = f"{name} is 3; a network of 4 leaves has 2 levels of normals"
        with pytest.raises(ValueError, match=message):
            Frozen(**{name: 3}).trained(random_network(4))
    with pytest.raises(ValueError, match="lower_levels is -1"):
        Frozen(lower_levels=-1)


def test_settings_out_of_range_are_refused() -> None:
    with pytest.raises(ValueError, match="optimizer is 'sgd'"):
        Settings(optimizer="sgd")  # type: ignore[arg-type]
    for name in ("iterations", "memory", "epochs", "batch", "rate", "patience"):
        with pytest.raises(ValueError, match=f"{name} is 0"):
            Settings(**{name: 0})
    with pytest.raises(ValueError, match="improvement is 1"):
        Settings(improvement=1)
