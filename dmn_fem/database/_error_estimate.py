"""How large the elastic error is at a point, from the errors at the networks."""

from typing import Any

import numpy as np

from dmn_fem.database._errors import DatabaseError
from dmn_fem.database._space import ROUND_OFF, DescriptorSpace, Mixture
from dmn_fem.notation import Array

_LEAST = 0.01  # curvature along a descriptor over the largest one: errors scatter


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
        left_out = [(each.get("leave_one_out") or {}).get("mean") for each in errors]
    except (AttributeError, KeyError, TypeError):
        raise DatabaseError(
            "the errors of this database's networks are not of the kind that an estimate takes"
        ) from None
    at_networks = float(mixture.weights @ held_out[mixture.members])
    if len(mixture.members) == 1:
        return at_networks
    stand_ins = {
        number: (found, error)
        for number, error in enumerate(left_out)
        if error is not None and (found := space.left_out[number]) is not None
    }
    if not stand_ins:
        raise DatabaseError("this database holds no leave-one-out errors: no estimate")
    spreads = np.array([found.spread for found, _ in stand_ins.values()])
    found_errors = np.array([error for _, error in stand_ins.values()])
    curvature = _curvature(spreads, found_errors)
    relative = np.full(len(errors), np.nan)
    relative[list(stand_ins)] = found_errors / (spreads @ curvature)
    ours = relative[mixture.members]
    largest = np.nanmax(relative if np.isnan(ours).all() else ours)
    ours = np.where(np.isnan(ours), largest, ours)
    return at_networks + float(mixture.spread @ curvature * (mixture.weights @ ours))


def _curvature(spreads: Array, errors: Array) -> Array:
    """How curved the networks are over each descriptor, (D,), least squares over all errors.

    A descriptor along which nothing was left out counts as the most curved one.
    """
    from scipy.optimize import nnls  # half a second, and not every estimate comes here

    curvature, _ = nnls(spreads, errors)
    largest = curvature.max() or 1.0
    known = spreads.max(axis=0) > ROUND_OFF
    return np.where(known, np.maximum(curvature, _LEAST * largest), largest)
