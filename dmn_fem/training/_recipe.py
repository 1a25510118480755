"""Recipes of databases, from a text file."""

from itertools import product
from typing import Annotated, Any, Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from dmn_fem.homogenization import DataRecipe, InelasticPlan
from dmn_fem.notation import Array

type Count = Annotated[int, Field(ge=1)]
type Seed = Annotated[int, Field(ge=0)]


class Training(BaseModel):
    """How the networks are trained.

    Attributes:
        leaves: Of every network.
        root: Descriptors of the member whose network is trained first; the first member, if not
            given. What is in the middle, or dense, makes a better root than what is dilute.
        seeds: Of the random starts there.
        iterations: Of L-BFGS from each of them.
        transfer_iterations: Of every further network.
        pruning: By what share of itself the mean training error of a network may rise when leaves
            that hardly matter die in all of them, behind the transfer; see `prune_family`. The
            training of all together makes up for it. None die, if not given.
        joint_iterations: Of all networks together in the end, see `fit_family`; none if 0.
        smoothness: Of the family, there; more of it where few networks span many descriptors.
        inelastic_iterations: Of all networks together on inelastic answers as well, behind that.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    leaves: Annotated[int, Field(ge=2)]
    root: dict[str, float | tuple[float, float, float]] | None = None
    seeds: Annotated[tuple[Seed, ...], Field(min_length=1)]
    iterations: Count
    transfer_iterations: Count
    # A recipe without it says nothing of it: what was made before it was known stays its own.
    pruning: Annotated[float, Field(ge=0)] | None = Field(
        None, exclude_if=lambda given: given is None
    )
    joint_iterations: Annotated[int, Field(ge=0)]
    smoothness: Annotated[float, Field(ge=0)] = 1e-4
    inelastic_iterations: Count | None = None


class Recipe(DataRecipe):
    """A family of networks over one descriptor or several.

    The network of one member, the root, is the best of several random starts; each further one is
    trained from that of its nearest neighbour among those before, see `nearest_first`; then leaves
    that hardly matter die in all of them, if the recipe says so; they are trained together, and
    once more with inelastic answers, if the recipe has that stage. The last `samples.held_out`
    samples are not trained on.
    """

    dimension: Literal[2, 3]
    network: Training
    inelastic: InelasticPlan | None = None

    @model_validator(mode="after")
    def _networks_fit_together(self) -> Self:
        if not 0 < self.samples.held_out < self.samples.count:
            raise ValueError("samples.held_out must be at least 1 and less than samples.count")
        if self.network.leaves < len(self.phases):
            raise ValueError(
                f"network.leaves is {self.network.leaves}; each of the {len(self.phases)} phases "
                "needs one"
            )
        if (self.inelastic is None) != (self.network.inelastic_iterations is None):
            raise ValueError("inelastic and network.inelastic_iterations belong together")
        if self.inelastic is not None:
            self._check(self.inelastic)
        if self.network.root is not None and self.network.root not in self._entries:
            raise ValueError(f"network.root is {self.network.root}; it must be a member's")
        return self

    def _check(self, inelastic: InelasticPlan) -> None:
        """Refuse an inelastic stage that would fail behind all elastic samples."""
        if inelastic.paths < 2:
            raise ValueError(f"inelastic.paths is {inelastic.paths}; one more is held out")
        for laws in inelastic.laws:
            if set(laws) != set(self.phases):
                raise ValueError(
                    f"inelastic.materials has a material of {', '.join(laws)}; the phases are "
                    f"{', '.join(self.phases)}"
                )

    @property
    def _entries(self) -> list[dict[str, Any]]:
        """Descriptors of the members as the recipe gives them."""
        return [
            dict(zip(self.descriptors, values, strict=True))
            for values in product(*self.descriptors.values())
        ]

    @property
    def root(self) -> int:
        """Number of the member whose network is trained first."""
        return 0 if self.network.root is None else self._entries.index(self.network.root)

    @property
    def values(self) -> Array:
        """Descriptors of the members as numbers, (K, D)."""
        return np.array([list(member.descriptors.values()) for member in self.members])


def nearest_first(values: Array, root: int = 0) -> list[tuple[int, int]]:
    """The order of transfer: members, each with the one that its network starts from.

    The tree grows from the root by the member that is nearest to one of it (Prim's algorithm),
    every descriptor being measured in its own range. Over one descriptor it is a chain, to both
    sides of the root.

    Args:
        values: Descriptors of the members, (K, D).
        root: Number of the member to start from.

    Returns:
        Pairs of a member and an earlier one, all members but the root.
    """
    span = np.ptp(values, axis=0)
    points = values / np.where(span > 0, span, 1.0)
    distance = np.linalg.norm(points[:, None] - points, axis=-1)
    done, pairs = [root], []
    left = [member for member in range(len(values)) if member != root]
    while left:
        between = distance[np.ix_(left, done)]
        # Rounding must not decide between neighbours that are equally near.
        row, column = np.argwhere(between <= between.min() + 1e-9)[0]
        member = left.pop(row)
        pairs.append((member, done[column]))
        done.append(member)
    return pairs
