"""Leave one out."""

from collections.abc import Callable
from dataclasses import asdict

import numpy as np
import pytest

from dmn_fem.database import Database, Descriptor
from dmn_fem.network import Network
from dmn_fem.training import Samples, evaluate, leave_one_out

FRACTIONS = (0.1, 0.2, 0.3, 0.4)


@pytest.fixture
def family(random_network: Callable[..., Network]) -> Database:
    """Networks that lie on a line of the interpolation, but for one that is another network."""
    first, last = random_network(8, 0.1, 1), random_network(8, 0.4, 2)
    descriptor = [Descriptor("volume_fraction")]
    line = Database([first, last], descriptor, [[0.1], [0.4]])
    networks = [line.at(volume_fraction=v) for v in FRACTIONS]
    networks[2] = random_network(8, 0.3, 7)
    return Database(networks, descriptor, [[v] for v in FRACTIONS])


def test_it_is_the_error_of_what_the_neighbours_give(
    family: Database, sampled: Callable[..., Samples]
) -> None:
    samples = [sampled(network, 10) for network in family.networks]
    errors = leave_one_out(family, samples)
    assert errors[0] is None
    assert errors[3] is None
    stand_in = Database(
        [family.networks[0], family.networks[2]], family.descriptors, [[0.1], [0.3]]
    ).at(volume_fraction=0.2)
    assert errors[1] is not None
    expected = evaluate(stand_in, samples[1]).stiffness
    assert asdict(errors[1]) == pytest.approx(asdict(expected), rel=1e-9)
    assert errors[2] is not None
    assert errors[2].mean > 0.05


def test_phase_fractions_are_those_of_the_samples(
    family: Database, sampled: Callable[..., Samples]
) -> None:
    fractions = np.array([0.79, 0.21])
    answer = family.left_out(1)
    assert answer is not None
    samples = [sampled(network, 4) for network in family.networks]
    samples[1] = sampled(answer.with_phase_fraction(fractions), 4)
    found = leave_one_out(family, samples)[1]
    assert found is not None
    assert found.maximum < 1e-12


def test_every_network_needs_samples(family: Database, sampled: Callable[..., Samples]) -> None:
    with pytest.raises(ValueError, match="1 microstructures; the database has 4"):
        leave_one_out(family, [sampled(family.networks[0], 4)])
