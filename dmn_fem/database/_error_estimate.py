"""How large the elastic error is at a point, from the errors at the networks."""

from typing import Any

import numpy as np

from dmn_fem.database._errors import DatabaseError
from dmn_fem.database._space import DescriptorSpace, Mixture
from dmn_fem.notation import Array


def estimate(space: DescriptorSpace, mixture: Mixture, errors: Any) -> float:
    """Estimated relative elastic error of a mixture of networks; see `Database.estimated_error`.

    Args:
        space: All networks.
        mixture: The networks at a point.
        errors: ``provenance["errors"]``, an entry for every network.

    Raises:
        DatabaseError: If `errors` do not suffice.
    """
    if not isinstance(errors, list) or len(errors) != len(space.points) or None in errors:
        raise DatabaseError("this database does not hold the errors of its networks: no estimate")
    try:
        held_out = np.array([each["held_out"]["stiffness"]["mean"] for each in errors], dtype=float)
        if len(mixture.members) == 1:
            return float(held_out[mixture.members[0]])
        curvature = _curvature(space, errors)
    except (KeyError, TypeError):
        raise DatabaseError(
            "the errors of this database's networks are not of the kind that an estimate takes"
        ) from None
    if np.isnan(curvature).all():
        raise DatabaseError("this database holds no leave-one-out errors: no estimate")
    ours = curvature[mixture.members]
    largest = np.nanmax(curvature if np.isnan(ours).all() else ours)
    ours = np.where(np.isnan(ours), largest, ours)
    return float(
        mixture.weights @ held_out[mixture.members] + mixture.spread * (mixture.weights @ ours)
    )


def _curvature(space: DescriptorSpace, errors: list[Any]) -> Array:
    """Leave-one-out error over the spread of what stood in, (K,), NaN where there is none."""
    curvature = np.full(len(errors), np.nan)
    for number, each in enumerate(errors):
        left_out = each.get("leave_one_out")
        stand_in = space.left_out(number) if left_out else None
        if left_out and stand_in:
            curvature[number] = left_out["mean"] / stand_in.spread
    return curvature
