import json

import pytest
from law_examples import LAWS

from dmn_fem.laws import (
    BackStress,
    ChabochePlasticity,
    DruckerPrager,
    GeneralisedMaxwell,
    Hardening,
    J2Plasticity,
    LinearElastic,
    LinearHardening,
    NortonCreep,
    OrthotropicElastic,
    PerzynaViscoplasticity,
    PowerHardening,
    PronyTerm,
    ScalarDamage,
    TabulatedHardening,
    TemperatureDependent,
    ThermalExpansion,
    TransverselyIsotropicElastic,
    VoceHardening,
    parse_phases,
    phase_tables,
    read_phases,
    void,
)

GOOD = """
[matrix]
law = "j2_plasticity"
young_modulus = 100
poisson_ratio = 0.3
yield_stress = 0.1
hardening = { type = "linear", modulus = 5.0 }
[second]
law = "j2_plasticity"
young_modulus = 100
poisson_ratio = 0.3
yield_stress = 0.1
hardening = { type = "voce", saturation = 0.1, rate = 20.0, modulus = 1.0 }
[third]
law = "j2_plasticity"
young_modulus = 100
poisson_ratio = 0.3
yield_stress = 0.1
hardening = { type = "table", plastic_strain = [0.0, 0.1], stress = [0.1, 0.2] }
[inclusion]
law = "linear_elastic"
young_modulus = 500.0
poisson_ratio = 0.19
[fibre]
law = "orthotropic_elastic"
young_moduli = [9.0, 5.0, 3.0]
poisson_ratios = [0.2, 0.3, 0.1]
shear_moduli = [1.0, 2.0, 4.0]
[ply]
law = "transversely_isotropic_elastic"
axial_modulus = 90.0
transverse_modulus = 30.0
axial_poisson_ratio = 0.2
transverse_poisson_ratio = 0.3
axial_shear_modulus = 20.0
[steel]
law = "chaboche_plasticity"
young_modulus = 100.0
poisson_ratio = 0.3
yield_stress = 0.1
kinematic = [{ modulus = 20.0, recall = 200.0 }, { modulus = 2.0 }]
hardening = { type = "power", strain = 0.01, exponent = 0.2 }
[hot]
law = "perzyna_viscoplasticity"
young_modulus = 100.0
poisson_ratio = 0.3
yield_stress = 0.1
drag = 0.05
exponent = 5.0
time = 100.0
[lead]
law = "norton_creep"
young_modulus = 100.0
poisson_ratio = 0.3
stress = 0.1
exponent = 5.0
time = 100.0
[polymer]
law = "generalised_maxwell"
young_modulus = 100.0
poisson_ratio = 0.3
terms = [{ relaxation_time = 1.0, shear_ratio = 0.3, bulk_ratio = 0.1 }]
[soil]
law = "drucker_prager"
young_modulus = 100.0
poisson_ratio = 0.3
cohesion = 0.1
friction_angle = 30.0
dilatancy_angle = 10.0
[concrete]
law = "scalar_damage"
young_modulus = 100.0
poisson_ratio = 0.3
strength = 0.1
softening = 0.4
time = 0.1
[pore]
law = "void"
beside = "inclusion"
[heated]
law = "temperature_dependent"
temperature = [20, 200.0]
[[heated.laws]]
law = "j2_plasticity"
young_modulus = 100.0
poisson_ratio = 0.3
yield_stress = 0.1
hardening = { type = "linear", modulus = 5.0 }
[[heated.laws]]
law = "j2_plasticity"
young_modulus = 80.0
poisson_ratio = 0.3
yield_stress = 0.05
hardening = { type = "linear", modulus = 3.0 }
[expanding]
law = "thermal_expansion"
coefficient = 1e-5
reference_temperature = 20.0
[expanding.mechanical]
law = "linear_elastic"
young_modulus = 700.0
poisson_ratio = 0.2
"""


def test_all_laws_are_read(tmp_path):
    file = tmp_path / "phases.toml"
    file.write_text(GOOD)
    assert read_phases(file) == {
        "matrix": J2Plasticity(100.0, 0.3, 0.1, LinearHardening(5.0)),
        "second": J2Plasticity(100.0, 0.3, 0.1, VoceHardening(0.1, 20.0, 1.0)),
        "third": J2Plasticity(100.0, 0.3, 0.1, TabulatedHardening((0.0, 0.1), (0.1, 0.2))),
        "inclusion": LinearElastic(500.0, 0.19),
        "fibre": OrthotropicElastic((9.0, 5.0, 3.0), (0.2, 0.3, 0.1), (1.0, 2.0, 4.0)),
        "ply": TransverselyIsotropicElastic(90.0, 30.0, 0.2, 0.3, 20.0),
        "steel": ChabochePlasticity(
            100.0, 0.3, 0.1, (BackStress(20.0, 200.0), BackStress(2.0)), PowerHardening(0.01, 0.2)
        ),
        "hot": PerzynaViscoplasticity(100.0, 0.3, 0.1, 0.05, 5.0, 100.0),
        "lead": NortonCreep(100.0, 0.3, 0.1, 5.0, 100.0),
        "polymer": GeneralisedMaxwell(100.0, 0.3, (PronyTerm(1.0, 0.3, 0.1),)),
        "soil": DruckerPrager(100.0, 0.3, 0.1, 30.0, 10.0),
        "concrete": ScalarDamage(100.0, 0.3, 0.1, 0.4, 0.1),
        "pore": void(LinearElastic(500.0, 0.19)),
        "heated": TemperatureDependent(
            (20.0, 200.0),
            (
                J2Plasticity(100.0, 0.3, 0.1, LinearHardening(5.0)),
                J2Plasticity(80.0, 0.3, 0.05, LinearHardening(3.0)),
            ),
        ),
        "expanding": ThermalExpansion(LinearElastic(700.0, 0.2), 1e-5, 20.0),
    }


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            'law = "linear_elastic"',
            'law = "elastic"',
            "'elastic'; it must be one of linear_elastic",
        ),
        ('law = "linear_elastic"\n', "", "law is missing"),
        ("poisson_ratio = 0.19", "poisson_ratio = 0.7", "poisson_ratio is 0.7"),
        ("poisson_ratio = 0.19", "poison_ratio = 0.19", "poisson_ratio: Field required"),
        ("poisson_ratio = 0.19", 'poisson_ratio = "low"', "poisson_ratio: "),
        ("poisson_ratio = 0.19", "poisson_ratio = 0.19\nextra = 1", "extra: "),
        ('type = "voce"', 'type = "swift"', r"\[second\] hardening: type is 'swift'"),
        ("recall = 200.0", "recall = -2.0", r"kinematic\.0: kinematic recall is -2"),
        ("bulk_ratio = 0.1", "bulk = 0.1", r"\[polymer\]: terms\.0\.bulk: "),
        ("friction_angle = 30.0", "friction_angle = 3.0", "dilatancy_angle is 10"),
        ("rate = 20.0", "rate = -20.0", r"\[second\] hardening: hardening rate is -20"),
        ("stress = [0.1, 0.2]", "stress = [0.3, 0.4]", "must be equal"),
        (
            "temperature = [20, ",
            "temperature = [20, 100, ",
            r"\[heated\]: there are 3 temperatures",
        ),
        ("yield_stress = 0.05", "yield_stress = 0", r"\[heated\] laws.1: yield_stress is 0"),
        (
            "modulus = 3.0",
            "modulus = -3.0",
            r"\[heated\] laws.1 hardening: hardening modulus is -3",
        ),
        ("young_modulus = 700.0\n", "", r"\[expanding\] mechanical: young_modulus: Field required"),
        ("coefficient = 1e-5", "coefficient = [1e-5]", r"\[expanding\]: coefficient"),
        ("[matrix]", "[matrix", "not a TOML file"),
        ('law = "orthotropic_elastic"', "law = 3", "law is 3"),
        ('beside = "inclusion"', 'beside = "grain"', r"\[pore\]: a void .* one of matrix, second"),
        ('beside = "inclusion"', 'beside = "pore"', "a void has one entry more, beside"),
        ('beside = "inclusion"', "", "a void has one entry more, beside"),
        ('beside = "inclusion"', 'beside = "matrix"\nstiffness = 1', "one entry more, beside"),
    ],
)
def test_errors_name_file_phase_and_entry(tmp_path, old, new, message):
    file = tmp_path / "phases.toml"
    assert old in GOOD
    file.write_text(GOOD.replace(old, new))
    with pytest.raises(ValueError, match=message) as error:
        read_phases(file)
    assert str(error.value).startswith(str(file))
    assert "\n" not in str(error.value)


def test_tables_give_the_same_laws():
    table = TabulatedHardening((0.0, 0.1), (0.2, 0.3))
    laws = {
        "linear": J2Plasticity(1.0, 0.3, 0.1, LinearHardening(2.0)),
        "voce": J2Plasticity(1.0, 0.3, 0.1, VoceHardening(0.1, 20.0, 1.0)),
        "table": J2Plasticity(1.0, 0.3, 0.2, table),
        "elastic": LinearElastic(5.0, 0.2),
        "wood": OrthotropicElastic((3.0, 2.0, 1.0), (0.1, 0.1, 0.1), (1.0, 0.5, 0.2)),
    }
    laws |= LAWS
    tables = json.loads(json.dumps(phase_tables(laws)))
    assert parse_phases(tables, "here") == laws
    with pytest.raises(ValueError, match=r"^here: \[a\]: law is 'magic'; it must be one of"):
        parse_phases({"a": {"law": "magic"}}, "here")


def test_law_without_a_name_has_no_table():
    class Own(LinearElastic):
        pass

    with pytest.raises(ValueError, match="mine: Own has no name in phases"):
        phase_tables({"mine": Own(1.0, 0.3)})


def test_hardening_without_a_name_has_no_table():
    class Own(Hardening):
        def strength(self, yield_stress, p):
            return yield_stress + p

    with pytest.raises(ValueError, match="Own has no name in phases"):
        phase_tables({"mine": J2Plasticity(1.0, 0.3, 0.1, Own())})
