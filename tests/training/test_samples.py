"""Samples and errors."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from dmn_fem.network import Network
from dmn_fem.training import Samples, evaluate
from dmn_fem.training._samples import Errors


def test_a_network_has_no_error_on_its_own_samples(
    random_network: Callable[..., Network], sampled: Callable[..., Samples]
) -> None:
    network = random_network()
    report = evaluate(network, sampled(network))
    assert report.stiffness.maximum < 1e-11
    assert report.compliance.maximum < 1e-8


def test_errors_are_relative_frobenius_norms() -> None:
    reference = np.stack([np.diag([k, k, k]) for k in range(1, 22)]).astype(float)
    factor = 1 + 0.01 * np.arange(21.0)[:, None, None]
    errors = Errors.between(factor * reference, reference)
    assert errors.mean == pytest.approx(0.10)
    assert errors.percentile_95 == pytest.approx(0.19)
    assert errors.maximum == pytest.approx(0.20)


def test_errors_in_compliance_see_what_stiffness_hides(
    random_network: Callable[..., Network], sampled: Callable[..., Samples]
) -> None:
    network = random_network()
    samples = sampled(network)
    report = evaluate(network.with_phase_fraction(np.array([0.69, 0.31])), samples)
    assert report.stiffness != report.compliance
    assert 0 < report.stiffness.mean < report.stiffness.percentile_95 <= report.stiffness.maximum


def test_split_holds_out_the_last(
    random_network: Callable[..., Network], sampled: Callable[..., Samples]
) -> None:
    samples = sampled(random_network(), 10)
    training, held_out = samples.split(3)
    assert (training.count, held_out.count) == (7, 3)
    np.testing.assert_array_equal(held_out.stiffness, samples.stiffness[7:])
    assert len({each.digest() for each in (samples, training, held_out)}) == 3
    for number in (0, 10, -1):
        with pytest.raises(ValueError, match="of 10 samples 1 to 9"):
            samples.split(number)


def test_what_does_not_fit_is_refused(
    random_network: Callable[..., Network], sampled: Callable[..., Samples]
) -> None:
    samples = sampled(random_network(), 4)
    plane = np.zeros((4, 4, 4))
    with pytest.raises(ValueError, match=r"\(n, 3, 3\) in 2D"):
        replace(samples, stiffness=plane)
    with pytest.raises(ValueError, match="they must be"):
        replace(samples, stiffness=samples.stiffness[:3])
    with pytest.raises(ValueError, match="they must be"):
        replace(samples, phase_fraction=np.array([0.3, 0.3, 0.4]))
    with pytest.raises(ValueError, match="no samples"):
        replace(
            samples, stiffness=samples.stiffness[:0], phase_stiffness=samples.phase_stiffness[:0]
        )
    for wrong in (-samples.stiffness, samples.stiffness * np.nan):
        with pytest.raises(ValueError, match=r"^stiffness holds .* not positive definite"):
            replace(samples, stiffness=wrong)
