"""Any constitutive law in a DOLFINx model: the material field, load stepping and output.

Needs DOLFINx 0.10 or 0.11 (``pip install dmn-fem[fem]``); public names of DOLFINx alone are used.
"""

import importlib.util

if importlib.util.find_spec("dolfinx_solver") is not None:
    import dolfinx_solver  # noqa: F401 - the binary wheel: puts MPI ahead of its libraries

SUPPORTED_DOLFINX = ("0.10", "0.11")

try:
    import dolfinx
except ImportError as error:
    raise ImportError(
        f"dmn_fem.fem needs DOLFINx {' or '.join(SUPPORTED_DOLFINX)} ({error}): "
        "pip install 'dmn-fem[fem]', or use the package of your system"
    ) from error

if ".".join(dolfinx.__version__.split(".")[:2]) not in SUPPORTED_DOLFINX:
    raise ImportError(
        f"dmn_fem.fem needs DOLFINx {' or '.join(SUPPORTED_DOLFINX)}, "
        f"the installed one is {dolfinx.__version__}"
    )

from dmn_fem.fem._checkpoint import load_checkpoint, save_checkpoint  # noqa: E402
from dmn_fem.fem._failure import StepFailed  # noqa: E402
from dmn_fem.fem._kinematics import (  # noqa: E402
    axial_strain,
    axisymmetric_strain,
    mandel_strain,
)
from dmn_fem.fem._linear_solver import choose_linear_solver  # noqa: E402
from dmn_fem.fem._mapping import cell_function, cell_values, cell_values_from  # noqa: E402
from dmn_fem.fem._material import MaterialField  # noqa: E402
from dmn_fem.fem._mesh import TaggedMesh, read_mesh  # noqa: E402
from dmn_fem.fem._output import draw_cells, equivalent_stress, reaction_force  # noqa: E402
from dmn_fem.fem._partition import interleaved_partitioner  # noqa: E402
from dmn_fem.fem._path_control import PathControl, PathStep  # noqa: E402
from dmn_fem.fem._picture import draw_body  # noqa: E402
from dmn_fem.fem._programme import Programme  # noqa: E402
from dmn_fem.fem._results import History, ResultFile  # noqa: E402
from dmn_fem.fem._stepper import Step, Stepper  # noqa: E402
from dmn_fem.fem._together import all_or_none  # noqa: E402

__all__ = [
    "History",
    "MaterialField",
    "PathControl",
    "PathStep",
    "Programme",
    "ResultFile",
    "Step",
    "StepFailed",
    "Stepper",
    "TaggedMesh",
    "all_or_none",
    "axial_strain",
    "axisymmetric_strain",
    "cell_function",
    "cell_values",
    "cell_values_from",
    "choose_linear_solver",
    "draw_body",
    "draw_cells",
    "equivalent_stress",
    "interleaved_partitioner",
    "load_checkpoint",
    "mandel_strain",
    "reaction_force",
    "read_mesh",
    "save_checkpoint",
]
