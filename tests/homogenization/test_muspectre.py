"""muSpectre as an independent oracle of the full field.

Its projection with the gradient "averaged upwind" is the rotated scheme reached by another way: it
iterates on compatible strains where the package has displacements and a reference medium. On odd
grids, where no hourglass mode exists, both must give the same stiffness up to the tolerances of
their solvers.

Reference:
    Leute et al. (2022), Elimination of ringing artifacts by finite-element projection in FFT-based
    homogenization, J. Comput. Phys. 453.
"""

import numpy as np
import pytest

from dmn_fem.homogenization import draw_phase_stiffness, homogenize
from dmn_fem.microstructure import PhaseImage, discs, spheres
from dmn_fem.notation import (
    IN_PLANE,
    component_scale,
    isotropic_stiffness,
    mandel_rotation,
    rotation_from_quaternion,
    to_mandel,
    to_tensor,
)

muspectre = pytest.importorskip("muSpectre", reason="muSpectre has no wheel for this Python")

COMPONENTS = {2: list(IN_PLANE), 3: list(range(6))}
VOIGT = {2: [0, 1, 3], 3: [0, 1, 2, 5, 4, 3]}  # 11, 22, 12 and 11, 22, 33, 23, 13, 12


def muspectre_stiffness(image: PhaseImage, phase_stiffness: np.ndarray) -> np.ndarray:
    """Effective Mandel stiffness, 6 x 6 in 3D and 3 x 3 in 2D, of any phases (P, 6, 6)."""
    from muFFT import Stencils2D, Stencils3D

    d = image.dimension
    cell = muspectre.Cell(
        list(image.shape),
        [float(n) for n in image.shape],
        muspectre.Formulation.small_strain,
        list((Stencils2D if d == 2 else Stencils3D).averaged_upwind),
    )
    kind = getattr(muspectre.material, f"MaterialLinearElasticGeneric1_{d}d")
    voigt = phase_stiffness / np.outer(component_scale(3), component_scale(3))
    materials = [
        kind.make(cell, name, np.asfortranarray(stiffness[np.ix_(VOIGT[d], VOIGT[d])]))
        for name, stiffness in zip(image.names, voigt, strict=True)
    ]
    phases = image.phases.ravel(order="F")
    for pixel, _ in cell.pixels.enumerate():
        materials[phases[pixel]].add_pixel(pixel)
    cell.initialise()
    columns = []
    for component in COMPONENTS[d]:
        strain = np.asfortranarray(to_tensor(np.eye(6)[component])[:d, :d])
        solver = muspectre.solvers.KrylovSolverCG(cell, 1e-9, 5000)
        result = muspectre.solvers.newton_cg(cell, strain, solver, 1e-6, 1e-6)
        assert result.success
        stress = np.zeros((3, 3))
        stress[:d, :d] = result.stress.reshape(d, d, -1, order="F").mean(axis=-1)
        columns.append(to_mandel(stress)[COMPONENTS[d]])
    return np.array(columns).T


def our_stiffness(image: PhaseImage, phase_stiffness: np.ndarray) -> np.ndarray:
    block = np.ix_(COMPONENTS[image.dimension], COMPONENTS[image.dimension])
    return homogenize(image, [phase[block] for phase in phase_stiffness], 1e-10).stiffness


@pytest.mark.parametrize("contrast", [0.01, 10, 100])
@pytest.mark.parametrize(
    "image",
    [discs(0.4, 5, seed=1).image(31), spheres(0.3, 3, seed=1).image(15)],
    ids=["discs", "spheres"],
)
def test_inclusions(image: PhaseImage, contrast: float) -> None:
    binary = PhaseImage(image.phases, image.names)
    phases = np.array([isotropic_stiffness(1.0, 0.4), isotropic_stiffness(contrast, 0.2)])
    expected = muspectre_stiffness(binary, phases)
    np.testing.assert_allclose(
        our_stiffness(binary, phases), expected, rtol=0, atol=1e-7 * abs(expected).max()
    )


@pytest.mark.parametrize("shape", [(15, 21), (7, 9, 11)])
def test_anisotropic_phases_at_random(shape: tuple[int, ...]) -> None:
    """Unequal axes, three phases that differ from voxel to voxel, and full stiffness matrices."""
    rng = np.random.default_rng(3)
    image = PhaseImage(rng.integers(0, 3, shape, dtype=np.uint8), ("a", "b", "c"))
    phases = draw_phase_stiffness(3, 3, 1, seed=2)[0]
    for phase in range(3):
        turn = mandel_rotation(rotation_from_quaternion(rng.normal(size=4)))
        turned = turn @ phases[phase] @ turn.T
        phases[phase] = 0.5 * (turned + turned.T)
    expected = muspectre_stiffness(image, phases)
    np.testing.assert_allclose(
        our_stiffness(image, phases), expected, rtol=0, atol=1e-7 * abs(expected).max()
    )
