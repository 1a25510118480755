"""Leave one out: how well the other networks of a database stand in for each of them."""

from collections.abc import Sequence

from dmn_fem.database import Database
from dmn_fem.training._samples import Errors, Samples, evaluate


def leave_one_out(database: Database, samples: Sequence[Samples]) -> list[Errors | None]:
    """Errors in stiffness of what the others give where each network stands.

    It is what ``leave_one_out`` of the entries of ``provenance["errors"]`` holds, from which
    `Database.estimated_error` tells the error between the networks.

    Args:
        database: The networks.
        samples: Of the microstructure of every network, in their order; the phase fractions are
            set to those of the samples, which voxels round.

    Returns:
        An entry for every network, None at a vertex of the hull, where nothing stands in.

    Raises:
        ValueError: If there are not as many samples as networks, or of other phases.
    """
    if len(samples) != len(database.networks):
        raise ValueError(
            f"samples of {len(samples)} microstructures; the database has "
            f"{len(database.networks)} networks, and each needs its own"
        )
    errors: list[Errors | None] = []
    for number, each in enumerate(samples):
        network = database.left_out(number)
        if network is not None:
            network = network.with_phase_fraction(each.phase_fraction)
        errors.append(None if network is None else evaluate(network, each).stiffness)
    return errors
