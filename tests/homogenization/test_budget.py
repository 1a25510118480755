"""Error budgets: the arithmetic on known errors, and the estimate against a finer grid."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dmn_fem.homogenization import BudgetSettings, ErrorBudget, draw_phase_stiffness, homogenize
from dmn_fem.homogenization._budget import least_order
from dmn_fem.microstructure import PhaseImage, discs

EXACT = np.stack([np.eye(3), 2 * np.eye(3)])


def with_errors(*errors: float) -> np.ndarray:
    """Stiffnesses that are off by relative errors, one a sample."""
    return EXACT * (1 + np.array(errors))[:, None, None]


def budget(**variants: np.ndarray) -> ErrorBudget:
    return ErrorBudget(
        np.array([3, 5]),
        with_errors(0.04, 0.02),
        {"tolerance": with_errors(0.04, 0.02)} | variants,
        least_order=1.0,
    )


@pytest.mark.parametrize("order", [0.5, 1.0])
def test_coarser_grid_alone_counts_as_of_least_order(order: float) -> None:
    coarse = with_errors(0.04 * 2**order, 0.02 * 2**order)
    found = replace(budget(coarse=coarse), least_order=order).discretisation
    assert found is not None
    assert (found.order, found.observed) == (order, False)
    assert found.error.maximum == pytest.approx(0.04, rel=0.05)
    assert found.error.mean == pytest.approx(0.03, rel=0.05)


@pytest.mark.parametrize("order", [1.0, 1.5, 2.0])
def test_finer_grid_gives_the_order_and_the_error(order: float) -> None:
    coarse = with_errors(0.04 * 2**order, 0.02 * 2**order)
    fine = with_errors(0.04 / 2**order, 0.02 / 2**order)
    found = budget(coarse=coarse, fine=fine).discretisation
    assert found is not None
    assert found.observed
    assert found.order == pytest.approx(order, abs=0.1)
    assert found.error.maximum == pytest.approx(0.04, rel=0.1)
    assert found.error.mean == pytest.approx(0.03, rel=0.1)


@pytest.mark.parametrize(("rate", "order"), [(0.2, 1.0), (5.0, 2.0)])
def test_order_is_held_between_the_least_one_and_two(rate: float, order: float) -> None:
    coarse = with_errors(0.02 * 2**rate, 0.01 * 2**rate)
    fine = with_errors(0.02 / 2**rate, 0.01 / 2**rate)
    found = budget(coarse=coarse, fine=fine).discretisation
    assert found is not None
    assert found.order == order


def test_grids_that_agree_have_no_error() -> None:
    same = with_errors(0.04, 0.02)
    found = budget(coarse=same, fine=same).discretisation
    assert found is not None
    assert found.error.maximum == 0.0


def test_scatter_of_realisations() -> None:
    """Of the relative values 1, 1.02 and 0.98 the deviation is 0.02; t is 4.303 for three."""
    reference = EXACT
    variants = {
        "tolerance": EXACT,
        "realisation_1": with_errors(0.02, 0.0),
        "realisation_2": with_errors(-0.02, 0.0),
    }
    found = ErrorBudget(np.array([0, 1]), reference, variants, 1.0).realisations
    assert found is not None
    assert found.count == 3
    assert found.standard_deviation.maximum == pytest.approx(0.02)
    assert found.standard_deviation.mean == pytest.approx(0.01)
    assert found.confidence_95.maximum == pytest.approx(4.303 * 0.02 / np.sqrt(3), rel=1e-3)


def test_interval_holds_the_mean_of_the_ensemble() -> None:
    """In 95 % of many ensembles, each of six realisations with one scattering component."""
    rng = np.random.default_rng(0)
    inside = []
    for _ in range(400):
        values = 1 + 0.05 * rng.standard_normal(6)
        names = ["tolerance", *(f"realisation_{k}" for k in range(1, 6))]
        variants = {
            name: np.diag([value, 0, 0])[None] for name, value in zip(names, values, strict=True)
        }
        reference = np.diag([values[0], 0, 0])[None]
        found = ErrorBudget(np.array([0]), reference, variants, 1.0).realisations
        assert found is not None
        inside.append(abs(values.mean() - 1) <= found.confidence_95.mean * values.mean())
    assert np.mean(inside) == pytest.approx(0.95, abs=0.03)


def test_tolerance_and_what_is_not_available() -> None:
    found = budget(tolerance=with_errors(0.04 + 1e-5, 0.02))
    assert found.discretisation is None
    assert found.realisations is None
    assert found.tolerance.maximum == pytest.approx(1e-5, rel=0.05)
    summary = found.summary()
    assert summary["samples"] == 2
    assert summary["discretisation"] is summary["realisations"] is None


@settings(deadline=None)
@given(count=st.integers(1, 40), wanted=st.integers(1, 12), seed=st.integers(0, 5))
def test_choice_is_spread_and_does_not_change_when_a_set_grows(count, wanted, seed) -> None:
    stiffness = draw_phase_stiffness(2, 2, 60, seed)
    budget = BudgetSettings(samples=wanted)
    chosen = budget.choose(stiffness[:count])
    assert len(set(chosen)) == len(chosen) == min(wanted, count)
    assert chosen.max() < count
    contrast = np.diff(np.linalg.slogdet(stiffness)[1], axis=1)[:, 0]
    pool = contrast[: min(count, 4 * wanted)]
    if len(chosen) > 1:
        assert {pool.min(), pool.max()} <= set(contrast[chosen])
    if count >= 4 * wanted:
        np.testing.assert_array_equal(chosen, budget.choose(stiffness))


@pytest.mark.parametrize("kind", ["inclusions", "no matrix", "whole voxels"])
def test_estimates_cover_the_error_against_a_fine_grid(kind: str) -> None:
    """From half and double the grid, against four times the grid."""
    cell, grid = discs(0.3, 6, 1, 0.15), 32
    stiffness = draw_phase_stiffness(2, 2, 40, 0)
    chosen = BudgetSettings(samples=5).choose(stiffness)

    def image(length: int) -> PhaseImage:
        whole = cell.image(length, composite=kind != "whole voxels")
        return replace(whole, matrix=None) if kind == "no matrix" else whole

    def effective(image: PhaseImage) -> np.ndarray:
        return np.stack([homogenize(image, stiffness[j], 1e-3).stiffness for j in chosen])

    order = least_order(image(grid))
    assert order == (1.0 if kind == "inclusions" else 0.5)
    found = effective(image(grid))
    coarse, fine = effective(image(grid // 2)), effective(image(2 * grid))
    reference = effective(cell.image(4 * grid))
    difference = np.linalg.norm(found - reference, axis=(1, 2))
    error = difference / np.linalg.norm(reference, axis=(1, 2))
    for variants in ({"coarse": coarse}, {"coarse": coarse, "fine": fine}):
        estimate = ErrorBudget(chosen, found, variants, order).discretisation
        assert estimate is not None
        assert 0.8 * error.mean() < estimate.error.mean < 6 * error.mean()
