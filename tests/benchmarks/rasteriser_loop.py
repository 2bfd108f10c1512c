"""The rasteriser's algorithm as a plain compiled loop, one face after the other: what hand-written code would take."""

from __future__ import annotations

import math

import numba
import numpy as np


@numba.njit(parallel=True, cache=False)
def loop(
    screen: np.ndarray, triangles: np.ndarray, height: int, width: int, cull: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Face ids (B, H, W) and depth of float32 ``screen`` (B, V, 3), with perspective; threads share the batch."""
    batch = screen.shape[0]
    face_ids = np.full((batch, height, width), -1, np.int64)
    depth = np.full((batch, height, width), np.float32(np.inf), np.float32)
    for item in numba.prange(batch):
        for face in range(triangles.shape[0]):
            a, b, c = triangles[face, 0], triangles[face, 1], triangles[face, 2]
            ax, ay, az = screen[item, a, 0], screen[item, a, 1], screen[item, a, 2]
            bx, by, bz = screen[item, b, 0], screen[item, b, 1], screen[item, b, 2]
            cx, cy, cz = screen[item, c, 0], screen[item, c, 1], screen[item, c, 2]
            area = (by - ay) * (cx - ax) - (bx - ax) * (cy - ay)
            if not (area > 1e-7 or (not cull and area < -1e-7)) or not min(az, bz, cz) > 1e-6:
                continue
            left, right = max(math.ceil(min(ax, bx, cx)), 0), min(math.floor(max(ax, bx, cx)), width - 1)
            top, bottom = max(math.ceil(min(ay, by, cy)), 0), min(math.floor(max(ay, by, cy)), height - 1)
            for row in range(top, bottom + 1):
                for column in range(left, right + 1):
                    px, py = np.float32(column), np.float32(row)
                    e0 = (by - py) * (cx - px) - (bx - px) * (cy - py)
                    e1 = (cy - py) * (ax - px) - (cx - px) * (ay - py)
                    e2 = (ay - py) * (bx - px) - (ax - px) * (by - py)
                    if min(e0, e1, e2) >= 0 or (not cull and max(e0, e1, e2) <= 0):
                        z = (e0 + e1 + e2) / (e0 / az + e1 / bz + e2 / cz)
                        best = depth[item, row, column]
                        if z < best or (z == best and face < face_ids[item, row, column]):
                            depth[item, row, column] = z
                            face_ids[item, row, column] = face
    return face_ids, depth
