"""Particles of two kinds."""

import numpy as np
import pytest

from dmn_fem.microstructure import MixedParticles, discs, of_two_kinds, spheres


@pytest.mark.parametrize("composite", [True, False])
@pytest.mark.parametrize("particles", [discs(0.4, 8, 1, 0.15), spheres(0.3, 8, 1, 0.1)])
def test_both_kinds_together_are_all_particles(particles, composite) -> None:
    grid = 40 if particles.dimension == 2 else 24
    plain = particles.image(grid, composite)
    image = of_two_kinds(particles, 0.25, 3).image(grid, composite)
    assert image.names == ("matrix", "first", "second")
    assert image.matrix == "matrix"
    together = image.share("first") + image.share("second")
    np.testing.assert_allclose(together, plain.share("inclusion"), atol=1e-15)
    fractions = image.volume_fractions
    # A voxel between two kinds counts for one of them: the shares are met nearly.
    assert fractions[2] == pytest.approx(0.25 * fractions[1:].sum(), rel=0.02)


def test_kinds_are_where_their_particles_are() -> None:
    particles = discs(0.3, 6, 2, 0.1)
    mixed = of_two_kinds(particles, 0.5, 2)
    phases = mixed.image(64).phases
    for center, second in zip(particles.centers, mixed.second, strict=True):
        assert phases[tuple((center * 64).astype(int))] == 1 + second


def test_ends_are_of_one_kind_and_shares_are_nested() -> None:
    particles = discs(0.3, 10, 0, 0.1)
    none, some, more, every = (of_two_kinds(particles, k, 5).second for k in (0, 0.3, 0.7, 1))
    assert (none.sum(), some.sum(), more.sum(), every.sum()) == (0, 3, 7, 10)
    assert (more >= some).all()
    plain = particles.image(32)
    np.testing.assert_array_equal(of_two_kinds(particles, 0, 5).image(32).phases, plain.phases)
    assert not np.array_equal(some, of_two_kinds(particles, 0.3, 6).second)


def test_what_is_refused() -> None:
    with pytest.raises(ValueError, match="whole number of the 10 particles"):
        of_two_kinds(discs(0.3, 10, 0), 0.25, 0)
    with pytest.raises(ValueError, match=r"share is 1\.1"):
        of_two_kinds(discs(0.3, 10, 0), 1.1, 0)
    with pytest.raises(ValueError, match="one radius"):
        MixedParticles(discs(0.3, 10, 0, variation=0.2), np.zeros(10, bool))
