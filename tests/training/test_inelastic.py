"""The inelastic stage: its gradient, and what it does to a network."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from dmn_fem.homogenization import sample, sample_inelastic
from dmn_fem.laws import J2Plasticity, LinearElastic, LinearHardening, OrthotropicElastic
from dmn_fem.microstructure import discs
from dmn_fem.network import Network
from dmn_fem.online import NetworkLaw
from dmn_fem.training import InelasticSamples, Samples, Settings, TorchNetwork, evaluate, fit

PHASES = "matrix", "inclusion"
J2 = J2Plasticity(100.0, 0.3, 0.1, LinearHardening(3.0))
STIFF = {"matrix": J2, "inclusion": LinearElastic(1000.0, 0.2)}
SOFT = {"matrix": J2, "inclusion": LinearElastic(1.0, 0.2)}
WOOD = {
    "matrix": J2,
    "inclusion": OrthotropicElastic((900.0, 300.0, 100.0), (0.2, 0.2, 0.2), (200.0, 100.0, 50.0)),
}


def samples(dimension: int, *materials) -> InelasticSamples:
    rng = np.random.default_rng(3)
    paths, size = 2 * len(materials), 4 if dimension == 2 else 6
    strain = rng.normal(0.0, 0.003, (paths, 2, size))
    if dimension == 2:
        strain[..., 2] = 0.0
    stress = rng.normal(0.0, 0.1, (paths, 2, size))
    return InelasticSamples(materials, np.arange(paths) // 2, strain, stress, 0.7)


@pytest.mark.parametrize("dimension", [2, 3])
@pytest.mark.parametrize("oriented", [False, True])
@pytest.mark.parametrize("leaves", [8, 11])
def test_gradient_against_differences(dimension: int, oriented: bool, leaves: int) -> None:
    rng = np.random.default_rng(1)
    network = Network.random(dimension, PHASES, [0.6, 0.4], leaves, rng)
    if oriented:
        quaternion = rng.normal(size=(leaves, 4)) * ([1, 0, 0, 1] if dimension == 2 else 1)
        quaternion /= np.linalg.norm(quaternion, axis=1, keepdims=True)
        network = replace(network, leaf_orientation=quaternion)
    data = samples(dimension, STIFF, WOOD if oriented else SOFT)
    module = TorchNetwork(network)
    data.loss(module).backward()
    assert len(list(module.parameters())) == (3 if oriented else 2)
    for parameter in module.parameters():
        direction = torch.tensor(rng.normal(size=parameter.shape))
        expected = float((parameter.grad * direction).sum())
        start, step, values = parameter.detach().clone(), 1e-5, []
        for sign in (1, -1):
            with torch.no_grad():
                parameter.copy_(start + sign * step * direction)
                values.append(data.loss(module).item())
                parameter.copy_(start)
        assert expected == pytest.approx((values[0] - values[1]) / (2 * step), rel=1e-6)


@pytest.mark.parametrize("activation", [-50.0, -100.0, -180.0, -250.0])
def test_gradient_of_dying_leaves_is_finite(activation: float) -> None:
    network = Network.random(2, PHASES, [0.6, 0.4], 8, np.random.default_rng(1))
    activations = network.leaf_activation.copy()
    activations[:2] = activation  # weights of 1e-87 to 0; the square of 1e-174 is 0
    module = TorchNetwork(replace(network, leaf_activation=activations))
    samples(2, STIFF, SOFT).loss(module).backward()
    for parameter in module.parameters():
        assert torch.isfinite(parameter.grad).all()
        assert parameter.grad.any()


def test_loss_and_errors_of_the_answer_itself_vanish() -> None:
    network = Network.random(2, PHASES, [0.6, 0.4], 8, np.random.default_rng(2))
    data = samples(2, STIFF, SOFT)
    stress = np.concatenate(
        [
            NetworkLaw(network, laws).follow(data.strain[data.material == number])[0]
            for number, laws in enumerate(data.materials)
        ]
    )
    exact = replace(data, stress=stress)
    assert exact.loss(TorchNetwork(network)).item() == pytest.approx(0.0, abs=1e-15)
    assert exact.errors(network).maximum < 1e-12
    deviator = stress[..., :3] - stress[..., :3].mean(-1, keepdims=True)
    wrong = stress.copy()
    wrong[..., :3] += 0.01 * deviator
    wrong[..., 3:] *= 1.01
    assert replace(data, stress=wrong).errors(network).maximum == pytest.approx(0.01 / 1.01)


def test_path_without_equilibrium_counts_as_not_answered(monkeypatch) -> None:
    monkeypatch.setattr("dmn_fem.training._inelastic._ITERATIONS", 0)
    network = Network.random(2, PHASES, [0.6, 0.4], 8, np.random.default_rng(2))
    data, module = samples(2, STIFF), TorchNetwork(network)
    loss = data.loss(module)
    loss.backward()
    assert loss.item() == pytest.approx(data.weight)
    assert not module.normal_angles.grad.any()
    assert data.errors(network).mean == 1.0


def test_split_and_digest() -> None:
    data = samples(2, STIFF, SOFT)
    training, checking = data.split(1)
    assert training.material.tolist() == checking.material.tolist() == [0, 1]
    np.testing.assert_array_equal(checking.strain, data.strain[[1, 3]])
    assert training.digest() != checking.digest()
    assert replace(data, weight=0.7).digest() == data.digest()
    for other in (
        replace(data, weight=0.8),
        replace(data, materials=(SOFT, STIFF)),
        replace(data, stress=data.stress + 1e-9),
    ):
        assert other.digest() != data.digest()
    with pytest.raises(ValueError, match="held_out is 2"):
        data.split(2)
    with pytest.raises(ValueError, match="weight is 0"):
        replace(data, weight=0.0)


def test_stage_lowers_the_inelastic_error_and_keeps_the_elastic_one(tmp_path) -> None:
    image = discs(0.4, 4, seed=2).image(12)
    elastic = Samples.of(sample(image, tmp_path / "elastic.h5", 40, 1, 1e-3)).split(10)
    found = sample_inelastic(image, tmp_path / "inelastic.h5", [SOFT], 8, (0.002, 0.008))
    inelastic, _ = InelasticSamples.of(found).split(2)
    start = Network.random(2, PHASES, elastic[0].phase_fraction, 16, np.random.default_rng(0))
    before = fit(start, *elastic, Settings(iterations=200)).network
    after = fit(before, *elastic, Settings(iterations=60), inelastic=inelastic)
    assert after.inelastic == inelastic.errors(after.network)
    assert after.inelastic.mean < 0.6 * inelastic.errors(before).mean
    assert evaluate(after.network, elastic[1]).stiffness.mean < 0.1
