"""A laminate and its adjoint, as plain arithmetic on numbers, arrays or `Lanes`.

Stiffnesses are lists of their distinct components, row by row of the upper triangle, in engineering
notation (tensor components, so that H holds the normal's own components); of matrices that are not
symmetric both triangles are kept, row by row. A matrix may have more rows than there are strains in
the plane or in space: H is zero there, no jump touches them, and they come last. The out-of-plane
strain of two dimensions is such a row; so is "1", which turns [[C, p], [pᵀ, 0]] into the law
σ = C ε + p of a leaf.

With B = -K⁻¹ Hᵀ D (the jump per macroscopic strain) C̄ = f1 C1 + f2 C2 + f1 f2 D H B, symmetric or
not. Symmetric, it is the minimum over B of

    C̄ = f1 C1 + f2 C2 + f1 f2 (D H B + (D H B)ᵀ + Bᵀ K B),  D = C1 - C2,  K = Hᵀ (f2 C1 + f1 C2) H,

so that the derivatives of C̄ are those at fixed B: the adjoint needs no derivative of an inverse.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

AXES = {2: ((0, 2), (2, 1)), 3: ((0, 3, 4), (3, 1, 5), (4, 5, 2))}
"""Row of the strain component ij."""
MANDEL_ORDER = {2: (0, 1, 3, 2), 3: (0, 1, 2, 3, 4, 5)}
"""Mandel component in every row of a member with all strains: 33, of no jump, is last in 2D."""
STRAINS = {2: 3, 3: 6}
"""Rows that jumps touch."""


def positions(size: int, triangles: int = 1) -> list[list[int]]:
    """Where the components of a matrix stand among those kept: of one triangle or of two."""
    if triangles == 2:
        return [[size * i + j for j in range(size)] for i in range(size)]
    place = [[0] * size for _ in range(size)]
    pairs = ((i, j) for i in range(size) for j in range(i, size))
    for number, (i, j) in enumerate(pairs):
        place[i][j] = place[j][i] = number
    return place


def kept_components(size: int, triangles: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows and columns of the components of a matrix that are kept, in their order."""
    if triangles == 2:
        rows, columns = np.indices((size, size)).reshape(2, -1)
        return rows, columns
    return np.triu_indices(size)


def laminate(
    dimension: int,
    size: int,
    first: Any,
    second: Any,
    share: Any,
    normal: Sequence[Any],
    result: Any,
    jump: Any,
    triangles: int = 1,
) -> list[Any]:
    """The stiffness of a laminate, and what its adjoint and its members' strains need.

    Written so that few values are alive at once: entry by entry of the children, each read once,
    then row by row of the result, from the last one on.

    Args:
        dimension: 2 or 3.
        size: Rows of the stiffnesses.
        first: Components of C1 that are kept: size (size + 1) / 2 distinct ones, or all size².
        second: Those of C2.
        share: f1.
        normal: Components of n, (dimension,).
        result: Receives those of C̄.
        jump: Receives B row by row, (dimension · size,).
        triangles: 1 of symmetric matrices, 2 of others.

    Returns:
        The upper triangle of K.
    """
    place, axes, rows = positions(size, triangles), range(dimension), AXES[dimension]
    symmetric = triangles == 1
    # H has one entry, n_b, in row (a, b) of column a.
    entries = [[(a, b) for a in axes for b in axes if rows[a][b] == i] for i in range(size)]
    products = {(b, c): normal[b] * normal[c] for b in axes for c in range(b, dimension)}
    acoustic: dict[tuple[int, int], Any] = {}
    coupling: list[dict[int, Any]] = [{} for _ in range(size)]  # D H
    transposed = coupling if symmetric else [dict[int, Any]() for _ in range(size)]  # (Hᵀ D)ᵀ
    kept = [
        (i, j, _both(i, j) if symmetric else [(i, j)])
        for row in range(size)
        for column in range(row, size)
        for i, j in ([(row, column)] if symmetric else _both(row, column))
    ]
    for i, j, meant in kept:
        a, b = first[place[i][j]], second[place[i][j]]
        difference = a - b
        result[place[i][j]] = b + share * difference
        for row, column in meant:
            for axis, along in entries[column]:
                _add(coupling[row], axis, difference * normal[along])
            for axis, along in [] if symmetric else entries[row]:
                _add(transposed[column], axis, difference * normal[along])
        swapped = a - share * difference
        # K = Hᵀ (f2 C1 + f1 C2) H
        for row, column in meant:
            for e, b in entries[row]:
                for m, c in entries[column]:
                    if e <= m or not symmetric:
                        _add(acoustic, (e, m), swapped * products[min(b, c), max(b, c)])
    factors = _factors(dimension, acoustic, symmetric)
    product = share * (1.0 - share)
    columns: dict[int, list[Any]] = {}
    scaled: dict[int, list[Any]] = {}
    for i in reversed(range(size)):
        columns[i] = _minus_solve(*factors, [transposed[i][axis] for axis in axes])
        for axis in axes:
            jump[axis * size + i] = columns[i][axis]
        scaled[i] = [product * coupling[i][axis] for axis in axes]
        for j in range(i, size):
            for row, column in [(i, j)] if symmetric else _both(i, j):
                value = result[place[row][column]]
                for axis in axes:
                    value = value + scaled[row][axis] * columns[column][axis]
                result[place[row][column]] = value
    return [acoustic[a, e] for a in axes for e in range(a, dimension)]


def adjoint(
    dimension: int,
    size: int,
    first: Sequence[Any],
    second: Sequence[Any],
    share: Any,
    normal: Any,
    jump: Sequence[Any],
    acoustic: Sequence[Any],
    sensitivity: Sequence[Any],
    children: bool,
) -> tuple[Any, list[Any], list[Any], list[Any]]:
    """Derivatives of a loss with respect to what `laminate` was given.

    Args:
        dimension: As in `laminate`, and so on.
        size: Rows.
        first: C1.
        second: C2.
        share: f1.
        normal: n.
        jump: B, from `laminate`.
        acoustic: K, from `laminate`.
        sensitivity: X with dL = Σ_ij X_ij dC̄_ij, its distinct components.
        children: Whether those of the children are wanted.

    Returns:
        dL/df1; dL/dn, (dimension,); X1 and X2 of the children (empty if not wanted).
    """
    place, axes, rows = positions(size), range(dimension), AXES[dimension]
    touched = range(STRAINS[dimension])
    other = 1.0 - share
    product = share * other
    x = [[sensitivity[place[i][j]] for j in range(size)] for i in range(size)]
    b = [[jump[a * size + i] for i in range(size)] for a in axes]
    k = _full(dimension, acoustic)
    # Y = X Bᵀ, Z = B X Bᵀ
    y = [[_dot((x[i][j], b[a][j]) for j in range(size)) for a in axes] for i in range(size)]
    upper = [
        _dot((b[a][i], y[i][e]) for i in range(size)) for a in axes for e in range(a, dimension)
    ]
    z = _full(dimension, upper)
    # H has one entry, n_c, in row (a, c) of column a.
    entries = {
        i: [(a, normal[c]) for a in axes for c in axes if rows[a][c] == i] for i in range(size)
    }
    hz = [[_dot((n, z[a][e]) for a, n in entries[i]) for e in axes] for i in touched]

    # <X, D> + (f1 - f2) <K, Z> - f1 f2 <Hᵀ D H, Z>, Hᵀ D H = -(B H)ᵀ K
    share_gradient = _dot(
        (x[i][j] if i == j else 2.0 * x[i][j], first[place[i][j]] - second[place[i][j]])
        for i in range(size)
        for j in range(i, size)
    )
    bh = [[_dot((b[a][rows[e][c]], normal[c]) for c in axes) for e in axes] for a in axes]
    kz = [[_dot((k[a][m], z[m][e]) for m in axes) for e in axes] for a in axes]
    trace = _dot((1.0, kz[a][a]) for a in axes)
    share_gradient = share_gradient + (share - other) * trace
    share_gradient = share_gradient + product * _dot(
        (bh[a][e], kz[a][e]) for a in axes for e in axes
    )

    # 2 f1 f2 (D Y + (f2 C1 + f1 C2) H Z), of the entries where H is not zero
    part_1 = [
        [y[i][e] + other * hz[i][e] if i in touched else y[i][e] for e in axes] for i in range(size)
    ]
    part_2 = [
        [share * hz[i][e] - y[i][e] if i in touched else 0.0 - y[i][e] for e in axes]
        for i in range(size)
    ]
    normal_gradient = []
    for c in axes:
        total = _dot(
            pair
            for a in axes
            for j in range(size)
            for pair in (
                (first[place[rows[a][c]][j]], part_1[j][a]),
                (second[place[rows[a][c]][j]], part_2[j][a]),
            )
        )
        normal_gradient.append(2.0 * product * total)
    if not children:
        return share_gradient, normal_gradient, [], []

    # X1 = f1 A1 X A1ᵀ with A1 = 1 + f2 H B, X2 = f2 A2 X A2ᵀ with A2 = 1 - f1 H B
    first_x, second_x = [], []
    for i in range(size):
        for j in range(i, size):
            terms = [(n, y[j][a]) for a, n in entries[i]] + [(n, y[i][a]) for a, n in entries[j]]
            value = x[i][j]
            if not terms:
                first_x.append(share * value)
                second_x.append(other * value)
                continue
            linear = _dot(terms)
            one, two = value + other * linear, value - share * linear
            if entries[i] and entries[j]:
                square = _dot((hz[i][a], n) for a, n in entries[j])
                one, two = one + other * other * square, two + share * share * square
            first_x.append(share * one)
            second_x.append(other * two)
    return share_gradient, normal_gradient, first_x, second_x


type _Entries = dict[tuple[int, int], Any]


def _factors(
    dimension: int, matrix: _Entries, symmetric: bool
) -> tuple[list[Any], _Entries, _Entries]:
    """D⁻¹, L and U of K = L D U, L and U of unit diagonals: without pivots, no square roots.

    Stable if the symmetric part of K is positive definite; if K is symmetric, U = Lᵀ.
    """
    k, inverse, lower, upper = dict(matrix), [], {}, {}
    for i in range(dimension):
        inverse.append(1.0 / k[i, i])
        for j in range(i + 1, dimension):
            upper[i, j] = k[i, j] * inverse[i]
            lower[j, i] = upper[i, j] if symmetric else k[j, i] * inverse[i]
        for j in range(i + 1, dimension):
            for m in range(j if symmetric else i + 1, dimension):
                k[j, m] = k[j, m] - lower[j, i] * k[i, m]
    return inverse, lower, upper


def _minus_solve(
    inverse: list[Any], lower: _Entries, upper: _Entries, right: list[Any]
) -> list[Any]:
    """-K⁻¹ r."""
    value, axes = list(right), range(len(right))
    for i in axes:
        for j in range(i + 1, len(right)):
            value[j] = value[j] - lower[j, i] * value[i]
    value = [-(value[i] * inverse[i]) for i in axes]
    for i in reversed(axes):
        for j in range(i + 1, len(right)):
            value[i] = value[i] - upper[i, j] * value[j]
    return value


def _both(i: int, j: int) -> list[tuple[int, int]]:
    """Where a component stands in its symmetric matrix."""
    return [(i, j)] if i == j else [(i, j), (j, i)]


def _add(sums: dict[Any, Any], key: Any, value: Any) -> None:
    """Add to one of several sums."""
    sums[key] = sums[key] + value if key in sums else value


def _dot(pairs: Iterable[tuple[Any, Any]]) -> Any:
    """Σ a b, without a zero to start from."""
    total = None
    for left, right in pairs:
        term = left * right
        total = term if total is None else total + term
    return total


def _full(dimension: int, upper: Sequence[Any]) -> list[list[Any]]:
    """A symmetric matrix from its upper triangle."""
    place = positions(dimension)
    return [[upper[place[i][j]] for j in range(dimension)] for i in range(dimension)]
