"""Every law in a network and in a unit cell; the second process compiles nothing."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from law_examples import LAWS

from dmn_fem.homogenization import UnitCellLaw
from dmn_fem.laws import LinearElastic
from dmn_fem.microstructure import discs
from dmn_fem.network import Network
from dmn_fem.online import NetworkLaw

INELASTIC = [name for name in LAWS if name not in ("elastic", "transverse", "orthotropic")]


@pytest.mark.parametrize("name", LAWS)
def test_in_a_network(name: str) -> None:
    """Along a path with unloading; the macroscopic tangent is consistent."""
    rng = np.random.default_rng(3)
    network = Network.random(3, ("matrix", "inclusion"), (0.7, 0.3), 8, rng)
    law = NetworkLaw(network, {"matrix": LAWS[name], "inclusion": LinearElastic(500.0, 0.2)}, 1e-11)
    outside = LAWS[name].external
    state, direction = law.allocate(3), 0.002 * rng.normal(size=(3, 6))
    stress, tangent, moved = np.empty((3, 6)), np.empty((3, 6, 6)), np.empty((3, 6))
    for share in (0.5, 1.0, 0.6, -0.5):
        strain = share * direction
        status = law.integrate(strain, state, stress, tangent, 0.5, outside)
        assert (status.codes == 1).all()
        before = state.new.copy()
        step = 1e-7 * rng.normal(size=6)
        law.integrate(strain + step, state, moved, None, 0.5, outside)
        up = moved.copy()
        law.integrate(strain - step, state, moved, None, 0.5, outside)
        scale = np.abs(tangent).max() * np.abs(step).max()
        np.testing.assert_allclose(tangent @ step, 0.5 * (up - moved), atol=2e-5 * scale)
        state.new[:] = before
        state.accept()


@pytest.mark.parametrize("name", INELASTIC)
def test_in_a_unit_cell(name: str) -> None:
    """One phase alone is the material; with inclusions the cell converges."""
    image, law = discs(0.3, 3, 1, 0.1).image(8), LAWS[name]
    strain = np.array([[0.002, -0.001, 0.0, 0.001]])
    dt = 0.05 if name == "damage" else 0.5  # slower, a softening cell has no stable answer
    one = UnitCellLaw(image, dict.fromkeys(image.names, law))
    homogeneous = NetworkLaw(Network.homogeneous("matrix", 2), {"matrix": law})
    found, expected = np.empty((1, 4)), np.empty((1, 4))
    assert one.integrate(strain, one.allocate(1), found, None, dt, law.external).codes[0] == 1
    homogeneous.integrate(strain, homogeneous.allocate(1), expected, None, dt, law.external)
    np.testing.assert_allclose(found, expected, rtol=1e-8, atol=1e-10)
    names = dict(zip(image.names, (law, LinearElastic(500.0, 0.2)), strict=True))
    cell = UnitCellLaw(image, names)
    state = cell.allocate(1)
    for share in (0.5, 1.0, 0.5):
        assert cell.integrate(share * strain, state, found, None, dt, law.external).codes[0] == 1
        state.accept()
    assert np.isfinite(found).all()


PROGRAM = """
import json
import numpy as np
from law_examples import LAWS
from dmn_fem.laws import _formulas
from dmn_fem.online import material_law
law = LAWS["chaboche"]
stress = np.empty((1, 4))
composite = material_law(law, 2)
composite.integrate(np.full((1, 4), 0.002), composite.allocate(1), stress)
_formulas.point_address(law, 2)
hits = [sum(each.stats.cache_hits.values()) for each in (_formulas._members, _formulas._one_point)]
misses = [
    sum(each.stats.cache_misses.values()) for each in (_formulas._members, _formulas._one_point)
]
print(json.dumps([hits, misses, stress.tolist()]))
"""


def test_a_second_process_compiles_nothing(tmp_path: Path) -> None:
    environment = os.environ | {
        "NUMBA_CACHE_DIR": str(tmp_path),
        "PYTHONPATH": str(Path(__file__).parent),
    }
    answers = []
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM],
            capture_output=True,
            text=True,
            env=environment,
            check=True,
        )
        answers.append(json.loads(done.stdout))
    loaded, none, _ = answers[1]
    assert min(loaded) > 0
    assert none == [0, 0]
    assert answers[0][2] == answers[1][2]
