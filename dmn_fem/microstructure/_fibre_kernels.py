"""Overlap of straight fibres: rods with round ends that push each other apart."""

import math

import numpy as np

from dmn_fem._compiled import njit


@njit(cache=True, error_model="numpy", inline="always")
def closest_points(offset, first, second, half):
    """Parameters s, t in -half … half of the closest points of two segments of equal length.

    Their points are s·first and offset + t·second.

    Args:
        offset: From the centre of the first to that of the second, (3,).
        first: Unit direction, (3,).
        second: Unit direction, (3,).
        half: Half the length of both.

    References:
        Ericson (2005), Real-time collision detection, section 5.1.9.
    """
    cosine = first[0] * second[0] + first[1] * second[1] + first[2] * second[2]
    along = first[0] * offset[0] + first[1] * offset[1] + first[2] * offset[2]
    across = second[0] * offset[0] + second[1] * offset[1] + second[2] * offset[2]
    squared_sine = 1.0 - cosine * cosine
    s = 0.0
    if squared_sine > 1e-12:
        s = min(max((along - cosine * across) / squared_sine, -half), half)
    else:
        # Parallel: the middle of what lies side by side.
        low = max(-half, along - half)
        high = min(half, along + half)
        s = min(max(0.5 * (low + high), -half), half)
    t = cosine * s - across
    if abs(t) > half:
        t = min(max(t, -half), half)
        s = min(max(along + cosine * t, -half), half)
    return s, t


@njit(cache=True, error_model="numpy")
def neighbours(centers, reach):
    """Pairs of fibres, and their periodic images, whose centres are closer than `reach`.

    Returns:
        Pairs, (pairs, 2), and the shift of the second one's centre, (pairs, 3).
    """
    pairs, shifts = [(0, 0) for _ in range(0)], [(0.0, 0.0, 0.0) for _ in range(0)]
    for i in range(len(centers)):
        for j in range(i):
            nearest = np.empty(3)
            wrap = np.empty(3)
            for axis in range(3):
                part = centers[j, axis] - centers[i, axis]
                wrap[axis] = -np.rint(part)
                nearest[axis] = part + wrap[axis]
            for a in range(-1, 2):
                for b in range(-1, 2):
                    for c in range(-1, 2):
                        squared = (nearest[0] + a) ** 2 + (nearest[1] + b) ** 2
                        squared += (nearest[2] + c) ** 2
                        if squared < reach * reach:
                            pairs.append((i, j))
                            shifts.append((wrap[0] + a, wrap[1] + b, wrap[2] + c))
    return np.array(pairs).reshape(-1, 2), np.array(shifts).reshape(-1, 3)


@njit(cache=True, error_model="numpy")
def push_apart(centers, directions, half, least, aim, pairs, shifts, moves, turns):
    """Moves and turns by which pairs that are too close come to the distance `aim`, half each.

    Each fibre answers to a push at a point of its axis like a slender rigid rod.

    Args:
        centers: (count, 3).
        directions: Unit vectors, (count, 3).
        half: Half the length of the axes.
        least: Distance of two axes below which they are too close.
        aim: Distance to which they are pushed.
        pairs: Of fibres that may be too close, (pairs, 2).
        shifts: Of the centre of the second of each pair, (pairs, 3).
        moves: Of the centres, (count, 3); written.
        turns: Of the directions, (count, 3); written.

    Returns:
        Number of pairs that were too close.
    """
    moves[:] = 0.0
    turns[:] = 0.0
    close = 0
    offset, line = np.empty(3), np.empty(3)
    for number in range(len(pairs)):
        i, j = pairs[number]
        squared = 0.0
        for axis in range(3):
            offset[axis] = centers[j, axis] + shifts[number, axis] - centers[i, axis]
            squared += offset[axis] ** 2
        if squared >= (2.0 * half + least) ** 2:
            continue
        s, t = closest_points(offset, directions[i], directions[j], half)
        squared = 0.0
        for axis in range(3):
            line[axis] = offset[axis] + t * directions[j, axis] - s * directions[i, axis]
            squared += line[axis] ** 2
        if squared >= least * least:
            continue
        close += 1
        distance = math.sqrt(squared)
        if distance > 1e-9:
            line /= distance
        else:
            first, second = directions[i], directions[j]
            line[0] = first[1] * second[2] - first[2] * second[1]
            line[1] = first[2] * second[0] - first[0] * second[2]
            line[2] = first[0] * second[1] - first[1] * second[0]
            line /= math.sqrt(line[0] ** 2 + line[1] ** 2 + line[2] ** 2) + 1e-9
        push = 0.5 * (aim - distance)
        # Moment of inertia of a slender rod of length 2·half and mass one.
        inertia = half * half / 3.0
        first_share = push / (1.0 + s * s / inertia)
        second_share = push / (1.0 + t * t / inertia)
        for axis in range(3):
            moves[i, axis] -= first_share * line[axis]
            moves[j, axis] += second_share * line[axis]
            turns[i, axis] -= first_share * s / inertia * line[axis]
            turns[j, axis] += second_share * t / inertia * line[axis]
    return close
