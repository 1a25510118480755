"""A constitutive law at the quadrature points of a UFL form.

Stress and tangent are quadrature functions; the field fills them for the owned cells before a
vector or matrix is assembled (`_callbacks`).
"""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import basix.ufl
import numpy as np
import ufl
from dolfinx import fem
from dolfinx.fem.petsc import NonlinearProblem
from dolfinx.mesh import EntityMap, Mesh, MeshTags
from mpi4py import MPI
from numpy.typing import NDArray
from ufl.algorithms import expand_derivatives
from ufl.constantvalue import Zero
from ufl.domain import extract_domains

from dmn_fem.fem._averages import by_part, over_cells
from dmn_fem.fem._callbacks import integrate_first
from dmn_fem.fem._compile import compile_once
from dmn_fem.fem._fingerprint import answers
from dmn_fem.fem._frame import frame_of
from dmn_fem.fem._mapping import cell_function
from dmn_fem.fem._placement import allocate, input_numbers, mesh_of, tagged_cells
from dmn_fem.laws import Code, Law, PointRecord, Status
from dmn_fem.notation import Array


class MaterialField:
    """A law at every quadrature point of a mesh, or of some of its cells.

    Collective. Attributes:
        law: The law.
        state: Internal variables of the owned points, cell by cell.
        stress: Quadrature function in Mandel notation, to be used in the form.
        dx: The measure that goes with it.
        status: What the law said of the owned points when it was last asked.
        dt: Time step that the law is given.
        external: Values of the external fields at the owned points when it was last asked.
        internal_work: Work of the stress over all accepted steps, ∫∫ σ:dε weight dx, on all ranks.

    Args:
        law: Any law that fulfils `dmn_fem.laws.Law`.
        strain: UFL vector of the total strain in Mandel notation, for example `mandel_strain(u)`.
        degree: Polynomial degree that the quadrature integrates exactly.
        subdomain: Tags of cells and the tag where the law holds; everywhere by default. All
            fields of a form share the tags.
        external: Scalar UFL expressions (constants, functions, ...) of the external fields that the
            law reads, by name, for example ``{"temperature": T}``. They are evaluated at the
            quadrature points whenever the law is asked; the jacobian holds them fixed.
        mesh: Where the field lives, if the functions in the strain live on several meshes or on
            another one: a submesh keeps stress and tangent of its own cells alone, while the
            displacement lives on the parent. A form has one mesh to integrate over: for several
            such fields in a form give the parent's tags, too, then `dx` is over the parent.
        entity_maps: Of `dolfinx.mesh.create_submesh`, between the meshes of the functions in the
            strain and that of the field; the problem needs them, too. With the map of a submesh
            the field also knows the numbers of its cells in the input of the parent.
        frame: Axes of the law, global ones by default: a direction, its axis 1 (in space the other
            two follow by the least rotation from the global ones), or a rotation matrix whose
            columns are its axes. Either UFL, evaluated once at every quadrature point, or an array
            with a row for every owned cell of the mesh. Strains are turned into the frame, stress,
            tangent and averages back. What the state holds is along these axes, so they must stay:
            `accept` refuses a frame that has changed.
        network: For a law of several networks, the number of its own for every owned cell of the
            mesh, as `Database.at_points` gives it.
        weight: Positive UFL scalar by which the form multiplies `dx`: the radius of a body of
            revolution, a thickness. Internal work and averages over cells are taken with it. It is
            evaluated once.

    Raises:
        ValueError: If strain, mesh and law are of different dimensions, external fields are
            missing, unknown or no scalars, or the strain is on other meshes than the field and no
            map leads there. On all ranks, if no cell has the tag, a frame is none, a weight is not
            positive, or the state of the law is laid out differently on another rank.
    """

    def __init__(
        self,
        law: Law,
        strain: Any,
        degree: int = 2,
        subdomain: tuple[MeshTags, int] | None = None,
        external: Mapping[str, Any] | None = None,
        mesh: Mesh | None = None,
        entity_maps: Sequence[EntityMap] = (),
        frame: Any = None,
        network: NDArray[np.integer] | None = None,
        weight: Any = 1.0,
    ) -> None:
        mesh = mesh_of(strain, mesh, entity_maps)
        if mesh.topology.dim != law.dimension or strain.ufl_shape != (law.strain_size,):
            raise ValueError(
                f"the law has dimension {law.dimension} and {law.strain_size} strain components, "
                f"the mesh dimension {mesh.topology.dim} and the strain shape {strain.ufl_shape}"
            )
        compile_once(law, mesh.comm)
        self.law = law
        self.mesh = mesh
        size = law.strain_size
        name = mesh.basix_cell().name

        def element(shape: tuple[int, ...]) -> Any:
            return basix.ufl.quadrature_element(name, value_shape=shape, degree=degree)

        space = fem.functionspace(mesh, element((size,)))
        points, self._quadrature_weights = element(()).custom_quadrature()
        if not np.array_equal(space.dofmap.list.ravel(), np.arange(space.dofmap.list.size)):
            raise RuntimeError("this DOLFINx numbers quadrature points in an unknown way")
        self.stress = fem.Function(space, name="stress")
        self._tangent = fem.Function(fem.functionspace(mesh, element((size, size))), name="tangent")
        self._strain = strain
        self._points = points
        self._entity_maps = tuple(entity_maps)
        self._expression = self._compiled(strain)
        given = {field: ufl.as_ufl(value) for field, value in (external or {}).items()}
        if set(given) != set(law.external):
            raise ValueError(
                f"the law reads {', '.join(law.external) or 'no external fields'} and is given "
                f"{', '.join(given) or 'no external fields'}"
            )
        for field, value in given.items():
            if value.ufl_shape != ():
                raise ValueError(f"{field} has the shape {value.ufl_shape}; it must be a scalar")
        self._outside = {field: self._compiled(value) for field, value in given.items()}
        self.external: dict[str, Array] = {}
        self._position = fem.Expression(ufl.SpatialCoordinate(mesh), points)

        owned = mesh.topology.index_map(mesh.topology.dim).size_local
        metadata = {"quadrature_degree": degree, "quadrature_scheme": "default"}
        self.dx = ufl.Measure("dx", domain=mesh, metadata=metadata)
        self.cells = np.arange(owned, dtype=np.int32)
        self._where: slice | NDArray[np.int32] = slice(0, owned)
        if subdomain is not None:
            tags, tag = subdomain
            whole, tagged = tagged_cells(strain, mesh, tags, tag, entity_maps)
            if whole is mesh:
                self._where = self.cells = tagged[tagged < owned]
            self.dx = ufl.Measure(
                "dx", whole, subdomain_id=tag, subdomain_data=tags, metadata=metadata
            )

        self._frame = frame_of(frame, self._compiled, law, mesh, self.cells)
        self.state = allocate(law, network, mesh, self.cells, len(points))
        self._volumes = self._weighted_volumes(ufl.as_ufl(weight))
        self._strains = np.zeros((self.cells.size, len(points), size))
        self._integrated: Array | None = None
        self._tangent_is_current = False
        self._accepted_strain = np.zeros_like(self._strains)
        self._accepted_stress = np.zeros_like(self._strains)
        self.internal_work = 0.0
        count = self.state.points
        self.status = Status(np.ones(count, dtype=np.int8), np.zeros(count, dtype=np.int32))
        self.dt = 0.0

    def _compiled(self, expression: Any) -> fem.Expression:
        """What evaluates a UFL expression at the quadrature points."""
        if not extract_domains(expression):  # of numbers alone: nothing in it tells the mesh
            expression = fem.Constant(self.mesh, 1.0) * expression
        # Expressions of DOLFINx 0.10 know no maps.
        maps = {"entity_maps": list(self._entity_maps)} if self._entity_maps else {}
        return fem.Expression(expression, self._points, comm=self.mesh.comm, **maps)

    def _weighted_volumes(self, weight: Any) -> Array:
        """Volume of every quadrature point times the weight of the form, (cells, points)."""
        if weight.ufl_shape != ():
            raise ValueError(f"the weight has the shape {weight.ufl_shape}; it must be a scalar")
        volume = self._compiled(weight * abs(ufl.JacobianDeterminant(self.mesh)))
        values = volume.eval(self.mesh, self.cells).reshape(self.cells.size, len(self._points))
        if self.mesh.comm.allreduce(not (values > 0).all(), op=MPI.LOR):
            raise ValueError("the weight is not positive at every quadrature point")
        return np.asarray(values * self._quadrature_weights)

    def _local(self, strains: Array) -> Array:
        """Strains in the axes of the law."""
        return strains if self._frame is None else self._frame.to_local(strains)

    def _values(self, function: fem.Function) -> Array:
        """A view of a quadrature function, (cells, points, ...), ghosts at the end."""
        return function.x.array.reshape(-1, len(self._points), *function.ufl_shape)

    def jacobian(self, F: Any, u: Any, *others: "MaterialField") -> Any:
        """Derivative of a form with respect to the unknown, also through the stress.

        Args:
            F: Residual form; of several unknowns a sequence of forms.
            u: The unknown function, or a sequence of them.
            others: More fields whose stress is in the form.

        Returns:
            A form, or rows of forms, one row for each of several residuals.
        """
        if isinstance(F, Sequence):
            return [[self.jacobian(row, column, *others) for column in u] for row in F]
        du = ufl.TrialFunction(u.function_space)
        J = ufl.derivative(F, u, du)
        for field in (self, *others):
            increment = expand_derivatives(ufl.derivative(field._strain, u, du))
            if not isinstance(increment, Zero):
                J += ufl.derivative(F, field.stress, ufl.dot(field._tangent, increment))
        return J

    def attach(self, problem: NonlinearProblem) -> None:
        """Integrate the law before the residual or the Jacobian of a problem is assembled.

        Several fields may be attached to one problem, and the problem may have several unknowns.
        """
        integrate_first(problem, self._integrate)

    def _integrate(self, needs_tangent: bool) -> None:
        """Stress, new state and, if needed, tangent at the present strain, if not yet there."""
        self._expression.eval(self.mesh, self.cells, values=self._strains)
        outside = {
            name: each.eval(self.mesh, self.cells).ravel() for name, each in self._outside.items()
        }
        if (
            self._integrated is not None
            and (self._tangent_is_current or not needs_tangent)
            and np.array_equal(self._strains, self._integrated)
            and all(np.array_equal(outside[name], self.external[name]) for name in outside)
        ):
            return
        size, points = self.law.strain_size, self.state.points
        stresses, tangents = self._values(self.stress), self._values(self._tangent)
        stress = stresses[self._where].reshape(points, size)
        tangent = tangents[self._where].reshape(points, size, size) if needs_tangent else None
        strain = self._local(self._strains).reshape(points, size)
        self.status = self.law.integrate(strain, self.state, stress, tangent, self.dt, outside)
        if self._frame is not None:
            by_cell = self._strains.shape
            stress[:] = self._frame.to_global(stress.reshape(by_cell)).reshape(stress.shape)
            if tangent is not None:
                turned = self._frame.to_global_matrix(tangent.reshape(*by_cell, size))
                tangent[:] = turned.reshape(tangent.shape)
        stress[self.status.codes == Code.FAILED] = np.nan
        if not isinstance(self._where, slice):  # those were copies, not views
            stresses[self._where] = stress.reshape(self._strains.shape)
            if tangent is not None:
                tangents[self._where] = tangent.reshape(*self._strains.shape, size)
        self._integrated, self.external = self._strains.copy(), outside
        self._tangent_is_current = needs_tangent

    def accept(self) -> None:
        """The step converged: what the displacement now implies becomes the past. Collective.

        Raises:
            RuntimeError: On all ranks, if a point fails at this displacement; nothing is accepted.
            ValueError: On all ranks, if the frame has changed since the field was made.
        """
        self._integrate(needs_tangent=False)
        moved = self._frame is not None and self._frame.changed
        failed, moved = self.mesh.comm.allreduce(np.array([self.status.failed, moved]))
        if failed or moved:
            self.revert()
        if moved:
            raise ValueError(
                "the frame has changed since the field was made, and its past is along the old "
                "axes; make the field when its frame has its values"
            )
        if failed:
            raise RuntimeError("points failed at the displacement that was to be accepted")
        self.state.accept()
        stress = self._values(self.stress)[self._where]
        twice = (self._accepted_stress + stress) * (self._strains - self._accepted_strain)
        work = 0.5 * float(np.sum(twice.sum(axis=2) * self._volumes))
        self.internal_work += self.mesh.comm.allreduce(work)
        self._accepted_stress[:] = stress
        self._accepted_strain[:] = self._strains
        self._integrated = None

    def revert(self) -> None:
        """The step failed: state and stress are again as they were accepted."""
        self.state.revert()
        self._values(self.stress)[self._where] = self._accepted_stress
        self._integrated = None

    @property
    def input_cells(self) -> NDArray[np.int64] | None:
        """Numbers of the owned cells in the input of the mesh, on any number of ranks the same.

        None on a submesh without its entity map: nothing tells which cells they were.
        """
        return input_numbers(self.mesh, self.cells, self._entity_maps)

    def export(self, cells: NDArray[np.integer]) -> tuple[dict[str, Array], Array]:
        """What was accepted in some of the field's cells, as `load` takes it for all.

        Args:
            cells: Positions in the attribute `cells`.

        Returns:
            The state of their points, cell by cell, and the stress, (cells, points, strain_size).
        """
        points = cells[:, None] * len(self._points) + np.arange(len(self._points))
        return self.state.export(points.ravel()), self._accepted_stress[cells]

    def load(self, state: Mapping[str, Array], stress: Array, internal_work: float) -> None:
        """Set what was accepted, at the present displacement; undoes everything since.

        Args:
            state: As `dmn_fem.laws.State.export` gives it for the owned points.
            stress: At the owned points, (cells, points, strain_size).
            internal_work: As the attribute.

        Raises:
            ValueError: If the state has other fields; nothing is changed then.
        """
        self.state.load(state)
        self._accepted_stress[:] = stress
        self._accepted_strain[:] = self._expression.eval(self.mesh, self.cells)
        self.internal_work = internal_work
        self.revert()

    def point_record(self, index: int, message: str = "") -> PointRecord:
        """The last integration of an owned point, in the law's axes, to be integrated alone.

        Args:
            index: Number of the point among the owned ones, as in `status` and `state`.
            message: What happened, for those who read it.
        """
        cell, point = divmod(index, len(self._points))
        owned = self.cells[cell : cell + 1]
        here = np.array([index])
        return PointRecord(
            strain=self._local(self._strains)[cell, point].copy(),
            strain_before=self._local(self._accepted_strain)[cell, point].copy(),
            state={name: values[0] for name, values in self.state.export(here).items()},
            dt=self.dt,
            external={name: float(values[index]) for name, values in self.external.items()},
            position=self.positions(owned)[0, point],
            cell=-1 if self.input_cells is None else int(self.input_cells[cell]),
            point=point,
            network=int(self.state.network[index]),
            message=message,
        )

    def in_global_axes(self, values: Array) -> Array:
        """Mandel vectors of all owned points in the law's axes, (cells, points, s), turned."""
        return values if self._frame is None else self._frame.to_global(values)

    def positions(self, cells: NDArray[np.int32]) -> Array:
        """Coordinates of the quadrature points of some cells, (cells, points, dimension)."""
        values = self._position.eval(self.mesh, cells)
        return values.reshape(len(cells), len(self._points), self.mesh.geometry.dim)

    def cell_average(self, name: str) -> fem.Function:
        """Average over each cell as a function of degree 0, for pictures and files. Collective.

        Args:
            name: ``stress``, ``strain``, or a quantity that the law averages over a phase, such as
                ``matrix.plastic_strain``; of several parts ``matrix.back_stress.1`` and so on.

        Returns:
            A scalar, or a symmetric (3, 3) tensor where the quantity is a Mandel vector; zero in
            cells where the law does not hold.

        Raises:
            ValueError: If there is no such quantity.
        """
        size = self.law.strain_size
        own = {
            "stress": self._accepted_stress.reshape(-1, size),
            "strain": self._expression.eval(self.mesh, self.cells).reshape(-1, size),
        }
        # Also the strain, where the model does not know all of it.
        known = by_part(self.law.averages(self.state))
        quantities = {**own, **known}
        if name not in quantities:
            raise ValueError(f"no quantity {name!r}; there are {', '.join(sorted(quantities))}")
        values = quantities[name]
        width = values.shape[1] if values.ndim > 1 else 1
        values = values.reshape(self.cells.size, len(self._points), width)
        if name in known and values.shape[-1] in (4, 6):
            values = self.in_global_axes(values)
        average = over_cells(values, self._volumes)
        owned = self.mesh.topology.index_map(self.mesh.topology.dim).size_local
        everywhere = np.zeros((owned, *(average.shape[1:] if average.ndim == 3 else ())))
        everywhere[self.cells] = average.reshape(-1, *everywhere.shape[1:])
        return cell_function(everywhere, self.mesh, name)

    @cached_property
    def answers(self) -> Array:
        """What the law answers to fixed strains, (cells, points, n); other fields answer others."""
        networks = self.state.network.reshape(self.cells.size, len(self._points))
        return answers(self.law, networks, self._frame)
