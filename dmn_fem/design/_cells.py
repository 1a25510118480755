"""The microstructures that a database was made of, at any of its descriptors."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from pydantic import ValidationError

from dmn_fem.database import Database
from dmn_fem.homogenization import DataRecipe, Inclusion
from dmn_fem.microstructure import PhaseImage
from dmn_fem.notation import Array


class Inclusions(NamedTuple):
    """What mean-field estimates know of a microstructure.

    Attributes:
        matrix: Number of the phase that surrounds the others; None if none does.
        shape: Shape of the inclusions.
        orientation: Orientation tensor of fibres, (3, 3); None if all have the shape's axis.
    """

    matrix: int | None
    shape: Inclusion
    orientation: Array | None


def orientation_tensor(values: Mapping[str, Any]) -> Array | None:
    """The fibre orientation tensor, (3, 3), that descriptors tell; None if they tell none.

    ``orientation`` is the tensor, or its three eigenvalues in any order, ``orientation_1`` and
    ``orientation_2`` are the two largest of these; the largest stands along axis 1.
    """
    if "orientation" in values:
        tensor = np.asarray(values["orientation"], dtype=float)
        return np.diag(np.sort(tensor)[::-1]) if tensor.ndim == 1 else tensor
    if "orientation_1" in values and "orientation_2" in values:
        first, second = float(values["orientation_1"]), float(values["orientation_2"])
        return np.diag([first, second, 1 - first - second])
    return None


def inclusions(database: Database, values: Mapping[str, Any]) -> Inclusions:
    """The inclusions of the recipe's microstructure at a point of the descriptor space.

    Without a recipe, or where no phase surrounds particles or fibres, there is no matrix.
    """
    recipe = database.provenance.get("recipe")
    table = recipe.get("microstructure", {}) if isinstance(recipe, Mapping) else {}
    described = {**table, **values}
    match described.get("generator"):
        case "discs" | "mixed_discs" | "spheres":
            return Inclusions(0, Inclusion(), None)
        case "cylinders":
            return Inclusions(0, Inclusion(np.inf), None)
        case "fibres" if "aspect_ratio" in described:
            shape = Inclusion(float(described["aspect_ratio"]))
            return Inclusions(0, shape, orientation_tensor(described))
    return Inclusions(None, Inclusion(), None)


def read_recipe(database: Database) -> DataRecipe:
    """The recipe that a database was made from.

    Raises:
        ValueError: If it records none, or one that this version cannot read.
    """
    recipe = database.provenance.get("recipe")
    if not isinstance(recipe, Mapping) or not recipe:
        raise ValueError("the database records no recipe; full fields need its microstructure")
    known = {name: recipe[name] for name in DataRecipe.model_fields if name in recipe}
    try:
        return DataRecipe.model_validate(known)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ValueError(
            f"the database's recipe cannot be read for full fields: {where}: {first['msg']}"
        ) from None


def cell_image(recipe: DataRecipe, values: Mapping[str, Any]) -> PhaseImage:
    """The phase image of a recipe at a point of its descriptor space.

    Raises:
        ValueError: If the recipe is over other descriptors, or the cell cannot be made.
    """
    asked = dict(values)
    if "orientation" in values:
        asked["orientation"] = np.asarray(orientation_tensor(values)).tolist()
    return recipe.image(recipe.cell(**asked))
