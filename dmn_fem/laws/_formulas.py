"""Laws as formulas of one point; see `_lane_laws`."""

from dmn_fem._lanes import exp, repeat, sqrt, where


def linear_elastic(dimension, parameters, strain, old, dt):
    """σ = C ε; the parameters are the stiffness, row by row."""
    size = len(strain)
    tangent = [[parameters[i * size + j] for j in range(size)] for i in range(size)]
    return [_dot(row, strain) for row in tangent], tangent, []


def j2_plasticity(dimension, parameters, strain, old, dt):
    """Radial return, isotropic hardening, consistent tangent (Simo and Hughes 1998, box 3.2)."""
    size = len(strain)
    young_modulus, poisson_ratio = parameters[0], parameters[1]
    initial, linear, saturation, rate = (parameters[3 + i] for i in range(4))
    bulk = young_modulus / (3.0 - 6.0 * poisson_ratio)
    shear = young_modulus / (2.0 + 2.0 * poisson_ratio)
    before = old[size]

    def hardening(equivalent):
        decay = saturation * exp(-(rate * equivalent))
        return (
            initial + linear * equivalent + saturation - decay,
            linear + rate * decay,
        )

    elastic = [strain[i] - old[i] for i in range(size)]
    mean = (elastic[0] + elastic[1] + elastic[2]) * (1.0 / 3.0)
    deviator = [each - mean if i < 3 else each for i, each in enumerate(elastic)]
    trial = [2.0 * shear * each for each in deviator]
    norm_squared = _dot(trial, trial)
    equivalent_stress = sqrt(1.5 * norm_squared)
    limit, _ = hardening(before)
    flows = equivalent_stress > limit * (1.0 + 1e-12)

    def step(increment):
        # The residual is convex and decreasing: Newton's method from zero cannot pass the root.
        limit, slope = hardening(before + increment)
        residual = equivalent_stress - 3.0 * shear * increment - limit
        return residual > 1e-13 * equivalent_stress, increment + residual / (3.0 * shear + slope)

    (increment,) = repeat(lambda x: _masked(flows, *step(x)), [0.0 * before], 50)
    _, slope = hardening(before + increment)
    size_of = where(flows, equivalent_stress, 1.0)
    ratio = increment / size_of
    shrink = 1.0 - 3.0 * shear * ratio
    rank_one = 2.0 * shear * (1.0 / (1.0 + slope / (3.0 * shear)) - (1.0 - shrink))
    rank_one = where(flows, 1.5 * rank_one / (size_of * size_of), 0.0)
    scaled = [rank_one * each for each in trial]
    soft = 2.0 * shear * shrink
    volume = bulk - soft * (1.0 / 3.0)
    tangent = [[-(scaled[i] * trial[j]) for j in range(size)] for i in range(size)]
    for i in range(size):
        tangent[i][i] = tangent[i][i] + soft
        for j in range(3):
            if i < 3:
                tangent[i][j] = tangent[i][j] + volume
    pressure = 3.0 * bulk * mean
    stress = [shrink * each + pressure if i < 3 else shrink * each for i, each in enumerate(trial)]
    new = [old[i] + 1.5 * ratio * trial[i] for i in range(size)]
    return stress, tangent, [*new, before + increment]


def _masked(condition, more, value):
    """A step of `repeat` in some lanes; the others stay at zero."""
    return condition & more, where(condition, value, 0.0)


def _dot(first, second):
    """Σ a b."""
    total = first[0] * second[0]
    for a, b in zip(first[1:], second[1:], strict=True):
        total = total + a * b
    return total
