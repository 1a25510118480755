import inspect
import sys
import textwrap
from types import SimpleNamespace

import numpy as np
import pytest

from dmn_fem.bridges import PointsFailed
from dmn_fem.bridges.micro_simulation import micro_simulation
from dmn_fem.notation import component_scale, stiffness_from_voigt


def macro_data(strain):
    """What Abaqus would send: engineering shears."""
    voigt = strain * component_scale(3)
    return {"strains1to3": list(voigt[:3]), "strains4to6": list(voigt[3:])}


def stress_of(answer):
    tensor = np.concatenate([answer["stresses1to3"], answer["stresses4to6"]])
    return tensor * component_scale(3)


def tangent_of(answer):
    entries = np.concatenate([answer[f"cmat{number}"] for number in range(1, 8)])
    voigt = np.zeros((6, 6))
    voigt[np.triu_indices(6)] = entries
    return stiffness_from_voigt(voigt + np.triu(voigt, 1).T)


def test_the_script_that_is_told_of_makes_a_class(make_law, monkeypatch):
    base = type("MicroSimulationInterface", (), {})
    monkeypatch.setitem(
        sys.modules, "micro_manager", SimpleNamespace(MicroSimulationInterface=base)
    )
    _, _, told = inspect.getdoc(micro_simulation).partition("script is::\n\n")
    names = {"law": make_law(3), "micro_simulation": micro_simulation}
    exec(textwrap.dedent(told.partition("\n\n")[0]), names)
    assert issubclass(names["MicroSimulation"], base)
    assert names["MicroSimulation"](3).get_global_id() == 3


def test_point_follows_the_law(make_law, path, follow):
    law, strains = make_law(3), path(6)
    simulation = micro_simulation(law)(7)
    assert simulation.get_global_id() == 7
    for strain, (stress, tangent) in zip(strains, follow(law, strains), strict=True):
        answer = simulation.solve(macro_data(strain), 1.0)
        assert all(len(part) == 3 for part in answer.values())
        np.testing.assert_allclose(stress_of(answer), stress, rtol=1e-12, atol=1e-15)
        np.testing.assert_allclose(tangent_of(answer), tangent, rtol=1e-10, atol=1e-10)


def test_a_step_that_the_coupling_repeats_starts_from_the_checkpoint(make_law, path):
    first, again, last, _ = path(6)
    simulation = micro_simulation(make_law(3))(0)
    simulation.solve(macro_data(first), 1.0)
    checkpoint = simulation.get_state()
    once = simulation.solve(macro_data(again), 1.0)
    simulation.solve(macro_data(last), 1.0)
    simulation.set_state(checkpoint)
    twice = simulation.solve(macro_data(again), 1.0)
    for name, part in once.items():
        np.testing.assert_array_equal(part, twice[name])


def test_a_point_without_a_stress_raises_and_keeps_its_state(make_law, path):
    simulation = micro_simulation(make_law(3))(0)
    simulation.solve(macro_data(path(6)[1]), 1.0)
    before = simulation.get_state()
    with pytest.raises(PointsFailed, match="1 of 1 points"):
        simulation.solve(macro_data(np.full(6, np.nan)), 1.0)
    after = simulation.get_state()
    for name, values in before.items():
        np.testing.assert_array_equal(values, after[name])


def test_two_dimensional_laws_are_refused(make_law):
    with pytest.raises(ValueError, match="two-dimensional"):
        micro_simulation(make_law(2))
