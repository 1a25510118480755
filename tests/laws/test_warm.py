from dmn_fem.laws import COMMON_LAWS, warm_up
from dmn_fem.laws._phases import HARDENINGS, LAWS
from dmn_fem.online import material_law


def test_common_laws_are_named_as_in_phases_files():
    for name, law in COMMON_LAWS.items():
        kind, _, hardening = name.partition(", ")
        assert type(law) is LAWS[kind]
        if hardening in HARDENINGS:
            assert type(law.hardening) is HARDENINGS[hardening]


def test_a_warm_law_compiles_nothing_more():
    from numba.core.event import install_recorder

    warm_up(material_law(COMMON_LAWS["j2_plasticity, linear"], 2))
    with install_recorder("numba:compile") as recorder:
        warm_up(material_law(COMMON_LAWS["j2_plasticity, linear"], 2))
    assert recorder.buffer == []
