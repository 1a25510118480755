"""Distances of voxels from capsules: rods with round ends, of which balls are the shortest."""

import math

import numpy as np

from dmn_fem._compiled import njit

SURFACES = 2
"""How many of the nearest surfaces a voxel knows: as many as may cut it."""

REACH = 2.0
"""Voxels from a surface within which its distance is computed."""


@njit(cache=True, error_model="numpy")
def nearest_surfaces(shape, centers, arms, radii):
    """Signed distances of all voxels from the surfaces nearest to them, in a periodic cell.

    The unit of length is the voxel.

    Args:
        shape: Voxels along three axes; one along the third in 2D.
        centers: (count, 3); of the third component 0.5 in 2D.
        arms: From the centre to that of one end, (count, 3).
        radii: (count,).

    Returns:
        Distances, (voxels, SURFACES), negative inside, infinite beyond `REACH`, and outward
        normals, (voxels, SURFACES, 3), of length one.
    """
    voxels = shape[0] * shape[1] * shape[2]
    distance = np.full((voxels, SURFACES), np.inf)
    normal = np.zeros((voxels, SURFACES, 3))
    normal[:, :, 0] = 1.0
    low, high = np.empty(3, np.int64), np.empty(3, np.int64)
    offset, outward = np.empty(3), np.empty(3)
    for capsule in range(radii.size):
        center, arm, radius = centers[capsule], arms[capsule], radii[capsule]
        squared_arm = arm[0] ** 2 + arm[1] ** 2 + arm[2] ** 2
        for axis in range(3):
            extent = abs(arm[axis]) + radius + REACH
            low[axis] = math.floor(center[axis] - extent)
            high[axis] = math.ceil(center[axis] + extent)
        if shape[2] == 1:
            low[2], high[2] = 0, 1
        for i in range(low[0], high[0]):
            offset[0] = i + 0.5 - center[0]
            for j in range(low[1], high[1]):
                offset[1] = j + 0.5 - center[1]
                for k in range(low[2], high[2]):
                    offset[2] = k + 0.5 - center[2]
                    along = 0.0
                    if squared_arm > 0.0:
                        for axis in range(3):
                            along += offset[axis] * arm[axis]
                        along = min(max(along / squared_arm, -1.0), 1.0)
                    length = 0.0
                    for axis in range(3):
                        outward[axis] = offset[axis] - along * arm[axis]
                        length += outward[axis] ** 2
                    length = math.sqrt(length)
                    value = length - radius
                    if value > REACH:
                        continue
                    voxel = (i % shape[0] * shape[1] + j % shape[1]) * shape[2] + k % shape[2]
                    if not value < distance[voxel, SURFACES - 1]:
                        continue
                    place = SURFACES - 1
                    while place > 0 and value < distance[voxel, place - 1]:
                        distance[voxel, place] = distance[voxel, place - 1]
                        normal[voxel, place] = normal[voxel, place - 1]
                        place -= 1
                    distance[voxel, place] = value
                    if length > 0.0:
                        for axis in range(3):
                            normal[voxel, place, axis] = outward[axis] / length
    return distance, normal
