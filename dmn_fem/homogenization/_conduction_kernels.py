"""Compiled inner loops of the full-field solver for a scalar field.

Layout and scheme are those of `dmn_fem.homogenization._kernels`; a field has one component,
(1, n1, ..., nd), a gradient or flux has shape (voxels, d).
"""

from dmn_fem._compiled import njit
from dmn_fem.homogenization._kernels import _gradient_2d, _gradient_3d, _spread_2d, _spread_3d

_HALF = 0.5
_QUARTER = 0.25


@njit(cache=True, error_model="numpy")
def gradient_2d(u, mean, gradient):
    """Gradient at the voxel centres: mean gradient plus that of u (1, n1, n2)."""
    n1, n2 = u.shape[1:]
    for i in range(n1):
        ip = i + 1 if i + 1 < n1 else 0
        for j in range(n2):
            jp = j + 1 if j + 1 < n2 else 0
            g1, g2 = _gradient_2d(u[0], i, j, ip, jp)
            gradient[i * n2 + j, 0] = mean[0] + _HALF * g1
            gradient[i * n2 + j, 1] = mean[1] + _HALF * g2


@njit(cache=True, error_model="numpy")
def source_2d(flux, source):
    """Adjoint of `gradient_2d`, applied to a flux (voxels, 2)."""
    n1, n2 = source.shape[1:]
    source[:] = 0.0
    for i in range(n1):
        ip = i + 1 if i + 1 < n1 else 0
        for j in range(n2):
            jp = j + 1 if j + 1 < n2 else 0
            q = flux[i * n2 + j]
            _spread_2d(source[0], i, j, ip, jp, _HALF * q[0], _HALF * q[1])


@njit(cache=True, error_model="numpy")
def apply_2d(u, conductivity, index, source):
    """Source of the flux k · grad u, in one pass: `gradient_2d`, conductivity, `source_2d`."""
    n1, n2 = u.shape[1:]
    source[:] = 0.0
    for i in range(n1):
        ip = i + 1 if i + 1 < n1 else 0
        for j in range(n2):
            jp = j + 1 if j + 1 < n2 else 0
            k = conductivity[index[i * n2 + j]]
            g1, g2 = _gradient_2d(u[0], i, j, ip, jp)
            q1 = _QUARTER * (k[0, 0] * g1 + k[0, 1] * g2)
            q2 = _QUARTER * (k[1, 0] * g1 + k[1, 1] * g2)
            _spread_2d(source[0], i, j, ip, jp, q1, q2)


@njit(cache=True, error_model="numpy")
def gradient_3d(u, mean, gradient):
    """Gradient at the voxel centres: mean gradient plus that of u (1, n1, n2, n3)."""
    n1, n2, n3 = u.shape[1:]
    for i in range(n1):
        ip = i + 1 if i + 1 < n1 else 0
        for j in range(n2):
            jp = j + 1 if j + 1 < n2 else 0
            for k in range(n3):
                kp = k + 1 if k + 1 < n3 else 0
                g = gradient[(i * n2 + j) * n3 + k]
                g1, g2, g3 = _gradient_3d(u[0], i, j, k, ip, jp, kp)
                g[0] = mean[0] + _QUARTER * g1
                g[1] = mean[1] + _QUARTER * g2
                g[2] = mean[2] + _QUARTER * g3


@njit(cache=True, error_model="numpy")
def source_3d(flux, source):
    """Adjoint of `gradient_3d`, applied to a flux (voxels, 3)."""
    n1, n2, n3 = source.shape[1:]
    source[:] = 0.0
    for i in range(n1):
        ip = i + 1 if i + 1 < n1 else 0
        for j in range(n2):
            jp = j + 1 if j + 1 < n2 else 0
            for k in range(n3):
                kp = k + 1 if k + 1 < n3 else 0
                q = flux[(i * n2 + j) * n3 + k]
                q1, q2, q3 = _QUARTER * q[0], _QUARTER * q[1], _QUARTER * q[2]
                _spread_3d(source[0], i, j, k, ip, jp, kp, q1, q2, q3)


@njit(cache=True, error_model="numpy")
def apply_3d(u, conductivity, index, source):
    """Source of the flux k · grad u, in one pass: `gradient_3d`, conductivity, `source_3d`."""
    n1, n2, n3 = u.shape[1:]
    scale = _QUARTER * _QUARTER
    source[:] = 0.0
    for i in range(n1):
        ip = i + 1 if i + 1 < n1 else 0
        for j in range(n2):
            jp = j + 1 if j + 1 < n2 else 0
            for k in range(n3):
                kp = k + 1 if k + 1 < n3 else 0
                c = conductivity[index[(i * n2 + j) * n3 + k]]
                g1, g2, g3 = _gradient_3d(u[0], i, j, k, ip, jp, kp)
                q1 = scale * (c[0, 0] * g1 + c[0, 1] * g2 + c[0, 2] * g3)
                q2 = scale * (c[1, 0] * g1 + c[1, 1] * g2 + c[1, 2] * g3)
                q3 = scale * (c[2, 0] * g1 + c[2, 1] * g2 + c[2, 2] * g3)
                _spread_3d(source[0], i, j, k, ip, jp, kp, q1, q2, q3)
