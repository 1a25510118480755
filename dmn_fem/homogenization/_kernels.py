"""Compiled inner loops of the full-field solver.

A displacement or force has shape (d, n1, ..., nd), one value a node; voxel (i, j, k) has edge one
and the node (i, j, k) as its lowest corner, and everything is periodic. Strains and stresses have
shape (voxels, s),
Mandel components, with s = 3 (in plane: 11, 22, √2·12) or 4 (with 33) in 2D and 6 in 3D; in 2D the
shear is the last component either way. A stiffness is looked up: ``stiffness[index[voxel]]``.

The gradient at a voxel's centre needs only differences along the voxel's diagonals (Willot's
rotated scheme, equal to linear elements with one Gauss point). Each dimension has one pair of small
functions, the gradient of one component and its adjoint, on which all the loops stand.
"""

import numpy as np

from dmn_fem._compiled import njit

_HALF = 0.5
_QUARTER = 0.25
_SHEAR = 1.0 / np.sqrt(2.0)


@njit(cache=True, error_model="numpy")
def _gradient_2d(u, i, j, ip, jp):
    """Twice the gradient of one component."""
    main = u[ip, jp] - u[i, j]
    other = u[ip, j] - u[i, jp]
    return main + other, main - other


@njit(cache=True, error_model="numpy")
def _spread_2d(f, i, j, ip, jp, g1, g2):
    """Adjoint of `_gradient_2d`."""
    main = g1 + g2
    other = g1 - g2
    f[ip, jp] += main
    f[i, j] -= main
    f[ip, j] += other
    f[i, jp] -= other


@njit(cache=True, error_model="numpy")
def _gradient_3d(u, i, j, k, ip, jp, kp):
    """Four times the gradient of one component."""
    a = u[ip, jp, kp] - u[i, j, k]
    b = u[ip, jp, k] - u[i, j, kp]
    c = u[ip, j, kp] - u[i, jp, k]
    d = u[i, jp, kp] - u[ip, j, k]
    return a + b + c - d, a + b - c + d, a - b + c + d


@njit(cache=True, error_model="numpy")
def _spread_3d(f, i, j, k, ip, jp, kp, g1, g2, g3):
    """Adjoint of `_gradient_3d`."""
    a = g1 + g2 + g3
    b = g1 + g2 - g3
    c = g1 - g2 + g3
    d = g2 + g3 - g1
    f[ip, jp, kp] += a
    f[i, j, k] -= a
    f[ip, jp, k] += b
    f[i, j, kp] -= b
    f[ip, j, kp] += c
    f[i, jp, k] -= c
    f[i, jp, kp] += d
    f[ip, j, k] -= d


@njit(cache=True, error_model="numpy")
def strain_2d(u, mean, strain):
    """Strain at the voxel centres: mean strain plus symmetric gradient of u (2, n1, n2)."""
    n1, n2 = u.shape[1:]
    shear = mean.size - 1
    for i in range(n1):
        ip = i + 1 if i + 1 < n1 else 0
        for j in range(n2):
            jp = j + 1 if j + 1 < n2 else 0
            voxel = i * n2 + j
            g11, g12 = _gradient_2d(u[0], i, j, ip, jp)
            g21, g22 = _gradient_2d(u[1], i, j, ip, jp)
            for c in range(mean.size):
                strain[voxel, c] = mean[c]
            strain[voxel, 0] += _HALF * g11
            strain[voxel, 1] += _HALF * g22
            strain[voxel, shear] += _HALF * _SHEAR * (g12 + g21)


@njit(cache=True, error_model="numpy")
def force_2d(stress, force):
    """Adjoint of the gradient of `strain_2d`, applied to a stress (voxels, s)."""
    n1, n2 = force.shape[1:]
    shear = stress.shape[1] - 1
    force[:] = 0.0
    for i in range(n1):
        ip = i + 1 if i + 1 < n1 else 0
        for j in range(n2):
            jp = j + 1 if j + 1 < n2 else 0
            voxel = i * n2 + j
            s11 = _HALF * stress[voxel, 0]
            s22 = _HALF * stress[voxel, 1]
            s12 = _HALF * _SHEAR * stress[voxel, shear]
            _spread_2d(force[0], i, j, ip, jp, s11, s12)
            _spread_2d(force[1], i, j, ip, jp, s12, s22)


@njit(cache=True, error_model="numpy")
def apply_2d(u, stiffness, index, force):
    """Force of the stress C : sym grad u, in one pass: `strain_2d`, stiffness, `force_2d`."""
    n1, n2 = u.shape[1:]
    shear = stiffness.shape[1] - 1
    half_shear = _HALF * _SHEAR
    force[:] = 0.0
    for i in range(n1):
        ip = i + 1 if i + 1 < n1 else 0
        for j in range(n2):
            jp = j + 1 if j + 1 < n2 else 0
            c = stiffness[index[i * n2 + j]]
            g11, g12 = _gradient_2d(u[0], i, j, ip, jp)
            g21, g22 = _gradient_2d(u[1], i, j, ip, jp)
            e1 = _HALF * g11
            e2 = _HALF * g22
            e3 = half_shear * (g12 + g21)
            s11 = _HALF * (c[0, 0] * e1 + c[0, 1] * e2 + c[0, shear] * e3)
            s22 = _HALF * (c[1, 0] * e1 + c[1, 1] * e2 + c[1, shear] * e3)
            s12 = half_shear * (c[shear, 0] * e1 + c[shear, 1] * e2 + c[shear, shear] * e3)
            _spread_2d(force[0], i, j, ip, jp, s11, s12)
            _spread_2d(force[1], i, j, ip, jp, s12, s22)


@njit(cache=True, error_model="numpy")
def strain_3d(u, mean, strain):
    """Strain at the voxel centres: mean strain plus symmetric gradient of u (3, n1, n2, n3)."""
    n1, n2, n3 = u.shape[1:]
    for i in range(n1):
        ip = i + 1 if i + 1 < n1 else 0
        for j in range(n2):
            jp = j + 1 if j + 1 < n2 else 0
            for k in range(n3):
                kp = k + 1 if k + 1 < n3 else 0
                e = strain[(i * n2 + j) * n3 + k]
                g11, g12, g13 = _gradient_3d(u[0], i, j, k, ip, jp, kp)
                g21, g22, g23 = _gradient_3d(u[1], i, j, k, ip, jp, kp)
                g31, g32, g33 = _gradient_3d(u[2], i, j, k, ip, jp, kp)
                e[0] = mean[0] + _QUARTER * g11
                e[1] = mean[1] + _QUARTER * g22
                e[2] = mean[2] + _QUARTER * g33
                e[3] = mean[3] + _QUARTER * _SHEAR * (g12 + g21)
                e[4] = mean[4] + _QUARTER * _SHEAR * (g13 + g31)
                e[5] = mean[5] + _QUARTER * _SHEAR * (g23 + g32)


@njit(cache=True, error_model="numpy")
def force_3d(stress, force):
    """Adjoint of the gradient of `strain_3d`, applied to a stress (voxels, 6)."""
    n1, n2, n3 = force.shape[1:]
    force[:] = 0.0
    for i in range(n1):
        ip = i + 1 if i + 1 < n1 else 0
        for j in range(n2):
            jp = j + 1 if j + 1 < n2 else 0
            for k in range(n3):
                kp = k + 1 if k + 1 < n3 else 0
                s = stress[(i * n2 + j) * n3 + k]
                s12 = _QUARTER * _SHEAR * s[3]
                s13 = _QUARTER * _SHEAR * s[4]
                s23 = _QUARTER * _SHEAR * s[5]
                _spread_3d(force[0], i, j, k, ip, jp, kp, _QUARTER * s[0], s12, s13)
                _spread_3d(force[1], i, j, k, ip, jp, kp, s12, _QUARTER * s[1], s23)
                _spread_3d(force[2], i, j, k, ip, jp, kp, s13, s23, _QUARTER * s[2])


@njit(cache=True, error_model="numpy")
def apply_3d(u, stiffness, index, force):
    """Force of the stress C : sym grad u, in one pass: `strain_3d`, stiffness, `force_3d`."""
    n1, n2, n3 = u.shape[1:]
    shear_scale = _QUARTER * _SHEAR
    force[:] = 0.0
    for i in range(n1):
        ip = i + 1 if i + 1 < n1 else 0
        for j in range(n2):
            jp = j + 1 if j + 1 < n2 else 0
            for k in range(n3):
                kp = k + 1 if k + 1 < n3 else 0
                c = stiffness[index[(i * n2 + j) * n3 + k]]
                g11, g12, g13 = _gradient_3d(u[0], i, j, k, ip, jp, kp)
                g21, g22, g23 = _gradient_3d(u[1], i, j, k, ip, jp, kp)
                g31, g32, g33 = _gradient_3d(u[2], i, j, k, ip, jp, kp)
                e0 = _QUARTER * g11
                e1 = _QUARTER * g22
                e2 = _QUARTER * g33
                e3 = shear_scale * (g12 + g21)
                e4 = shear_scale * (g13 + g31)
                e5 = shear_scale * (g23 + g32)
                s11 = _QUARTER * _row(c[0], e0, e1, e2, e3, e4, e5)
                s22 = _QUARTER * _row(c[1], e0, e1, e2, e3, e4, e5)
                s33 = _QUARTER * _row(c[2], e0, e1, e2, e3, e4, e5)
                s12 = shear_scale * _row(c[3], e0, e1, e2, e3, e4, e5)
                s13 = shear_scale * _row(c[4], e0, e1, e2, e3, e4, e5)
                s23 = shear_scale * _row(c[5], e0, e1, e2, e3, e4, e5)
                _spread_3d(force[0], i, j, k, ip, jp, kp, s11, s12, s13)
                _spread_3d(force[1], i, j, k, ip, jp, kp, s12, s22, s23)
                _spread_3d(force[2], i, j, k, ip, jp, kp, s13, s23, s33)


@njit(cache=True, error_model="numpy")
def _row(c, e0, e1, e2, e3, e4, e5):
    """One row of a 6 x 6 stiffness times a strain."""
    return c[0] * e0 + c[1] * e1 + c[2] * e2 + c[3] * e3 + c[4] * e4 + c[5] * e5


@njit(cache=True, error_model="numpy")
def stress(strain, stiffness, index, out):
    """Stress C : strain of every voxel, all arrays (voxels, s)."""
    voxels, size = strain.shape
    for voxel in range(voxels):
        c = stiffness[index[voxel]]
        for a in range(size):
            value = 0.0
            for b in range(size):
                value += c[a, b] * strain[voxel, b]
            out[voxel, a] = value


@njit(cache=True, error_model="numpy")
def green_2d(green, forces):
    """Multiply Fourier coefficients (2, frequencies) by their symmetric matrices (3, ...)."""
    for q in range(forces.shape[1]):
        f1, f2 = forces[0, q], forces[1, q]
        forces[0, q] = green[0, q] * f1 + green[2, q] * f2
        forces[1, q] = green[2, q] * f1 + green[1, q] * f2


@njit(cache=True, error_model="numpy")
def green_3d(green, forces):
    """Multiply Fourier coefficients (3, frequencies) by their symmetric matrices (6, ...)."""
    for q in range(forces.shape[1]):
        f1, f2, f3 = forces[0, q], forces[1, q], forces[2, q]
        forces[0, q] = green[0, q] * f1 + green[3, q] * f2 + green[4, q] * f3
        forces[1, q] = green[3, q] * f1 + green[1, q] * f2 + green[5, q] * f3
        forces[2, q] = green[4, q] * f1 + green[5, q] * f2 + green[2, q] * f3


@njit(cache=True, error_model="numpy")
def advance(step, direction, force, displacement, remaining):
    """Conjugate gradient step along a direction: all flat arrays, the last two change."""
    for i in range(displacement.size):
        displacement[i] += step * direction[i]
        remaining[i] -= step * force[i]


@njit(cache=True, error_model="numpy")
def turn(correction, factor, direction):
    """Next direction, correction + factor · the last: flat arrays, in place."""
    for i in range(direction.size):
        direction[i] = correction[i] + factor * direction[i]


@njit(cache=True, error_model="numpy")
def dot(a, b):
    """Scalar product of two flat arrays: one thread and one order of summation, unlike BLAS."""
    lanes = np.zeros(8)
    whole = a.size - a.size % 8
    for start in range(0, whole, 8):
        for lane in range(8):
            lanes[lane] += a[start + lane] * b[start + lane]
    total = lanes.sum()
    for rest in range(whole, a.size):
        total += a[rest] * b[rest]
    return total
