"""Laws in other people's interfaces; each module needs its neighbour installed, and no other.

- `external_operator`: the external function of a dolfinx-external-operator.
- `small_strain_model`: an ``IncrSmallStrainModel`` of fenics-constitutive.
- `material`: a ``Material`` of dolfinx_materials.
- `micro_simulation`: a ``MicroSimulation`` of the preCICE Micro Manager.

Any `dmn_fem.laws.Law` goes through them: networks, bare materials, unit cells. What these
interfaces have no word for is lost on the way: they know no failed points, so that a bridge raises
`PointsFailed` instead.
"""

from dmn_fem.bridges._failure import PointsFailed

__all__ = ["PointsFailed"]
