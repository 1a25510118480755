"""The same answers on processors of other registers."""

import json
import os
import platform
import subprocess
import sys
from functools import cache

import numpy as np
import pytest

X86 = {
    4: {"NUMBA_CPU_NAME": "haswell", "NUMBA_CPU_FEATURES": "+avx2,+fma"},
    2: {"NUMBA_CPU_NAME": "generic"},
}
PROCESSORS = X86 if platform.machine() == "x86_64" else {2: X86[2]}
PROGRAM = """
import json
import numpy as np
from dmn_fem._lanes import LANES
from dmn_fem.laws import DruckerPrager, J2Plasticity, LinearHardening, check
from dmn_fem.network import Network
from dmn_fem.online import NetworkLaw
rng = np.random.default_rng(1)
network = Network.random(2, ("matrix", "inclusion"), (0.7, 0.3), 8, rng)
matrix = J2Plasticity(100.0, 0.3, 0.1, LinearHardening(5.0))
law = NetworkLaw(network, {"matrix": matrix, "inclusion": J2Plasticity(900.0, 0.3, 1.0)}, 1e-13)
points = 11
direction = 0.001 * rng.normal(size=(points, 4))
state, stress, tangent = law.allocate(points), np.empty((points, 4)), np.empty((points, 4, 4))
for step in range(1, 4):
    status = law.integrate(step * direction, state, stress, tangent)
    assert status.failed == 0
    state.accept()
print(json.dumps([LANES, stress.tolist(), tangent.tolist(), check(matrix, 2).failures]))
"""


@cache
def answer(lanes: int | None) -> list:
    """Of this machine, or as if its registers held so many doubles."""
    environment = {name: text for name, text in os.environ.items() if "NUMBA_CPU" not in name}
    environment |= PROCESSORS[lanes] if lanes else {}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, env=environment, check=True
    )
    return json.loads(done.stdout)


@pytest.mark.parametrize("lanes", PROCESSORS)
def test_answers_do_not_depend_on_the_number_of_lanes(lanes: int) -> None:
    own, other = answer(None), answer(lanes)
    assert other[0] == lanes
    for found, expected in zip(other[1:3], own[1:3], strict=True):
        scale = np.abs(expected).max()
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12 * scale)
    assert other[3] == []
