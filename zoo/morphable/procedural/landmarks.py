"""Which vertices are the 68 iBUG points."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from zoo.morphable.procedural import eye, mouth
from zoo.morphable.procedural.mesh import Head

Array = NDArray[np.float64]
Index = NDArray[np.int64]

# Where the points of the left half lie on the mean face, (x, y, z) millimetres: the outline of the jaw from the ear to
# the chin, the brow from its middle outwards, the bridge from root to tip, the base of the nose from its middle.
_JAW = [(72, 2, 26), (69.5, -20, 40), (66.5, -40, 48), (62, -59, 52), (55.5, -76, 57), (43.5, -93, 68),
        (29.5, -104, 82), (15.5, -110, 93), (0, -113.5, 95)]  # fmt: skip
_BROW = [(12, 21, 104), (23, 23.8, 102), (34, 24.4, 98), (45, 22.6, 90), (54, 18.5, 79)]
_BRIDGE = [(0, 4, 103), (0, -11, 110), (0, -25, 118), (0, -35.5, 127)]
_BASE = [(0, -50.8, 111.0), (6.5, -47.5, 110), (13, -47, 107)]


def landmark_indices(head: Head) -> Index:
    """(68,) vertices; those of the right half mirror those of the left."""
    outside = np.concatenate([head.skin.mouth[(mouth.LINE_RING + 1) * mouth.SECTORS :], *head.skin.eyes])
    skin = np.setdiff1d(np.flatnonzero(head.part == 0), outside)
    tree = cKDTree(head.points[skin])
    middle = skin[np.abs(head.points[skin, 0]) < 1e-9]
    axis = cKDTree(head.points[middle])

    def nearest(places: Array) -> Index:
        found = skin[tree.query(places)[1]]
        return np.where(places[:, 0] == 0, middle[axis.query(places)[1]], found)

    def columns(ids: Index, sectors: int, ring: int, shares: list[float]) -> Index:
        return ids[ring * sectors + np.round(np.array(shares) * sectors).astype(np.int64) % sectors]

    jaw, brow, bridge, base = (nearest(np.array(places, np.float64)) for places in (_JAW, _BROW, _BRIDGE, _BASE))
    mirror = head.mirror
    # the left eye from its inner corner over the upper lid; columns count from the outer corner over the upper lid
    lids = columns(head.skin.eyes[0], eye.SECTORS, eye.MARGIN_RING, [0.5, 1 / 3, 1 / 6, 0.0, 5 / 6, 2 / 3])
    red = columns(head.skin.mouth, mouth.SECTORS, mouth.RED_RING,
                  [0.5, 0.385, 0.29, 0.25, 0.21, 0.115, 0.0, 0.88, 0.81, 0.75, 0.69, 0.62])  # fmt: skip
    line = columns(head.skin.mouth, mouth.SECTORS, mouth.LINE_RING, [0.482, 0.33, 0.25, 0.17, 0.018, 0.83, 0.75, 0.67])
    red[[0, 1, 2]] = mirror[red[[6, 5, 4]]]
    red[[10, 11]] = mirror[red[[8, 7]]]
    line[[0, 1, 7]] = mirror[line[[4, 3, 5]]]
    right_eye = mirror[lids[[3, 2, 1, 0, 5, 4]]]
    return np.concatenate(
        [
            mirror[jaw[:-1]],
            jaw[::-1],
            mirror[brow[::-1]],
            brow,
            bridge,
            mirror[base[:0:-1]],
            base,
            right_eye,
            lids,
            red,
            line,
        ]
    )
