"""Plain colours by part, for models that are geometry alone, and the parts that geometry files do not mark."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from skimage.measure import points_in_poly

from zoo.morphable.data import MorphableData

__all__ = ["COLOURS", "eye_parts", "lips_and_brows", "plain_albedo"]

COLOURS: dict[str, tuple[float, float, float]] = {
    "skin": (0.34, 0.20, 0.14),
    "lips": (0.27, 0.105, 0.085),
    "brows": (0.07, 0.045, 0.03),
    "mouth": (0.16, 0.055, 0.05),
    "eye_socket": (0.27, 0.13, 0.10),
    "gums": (0.30, 0.11, 0.10),
    "teeth": (0.58, 0.54, 0.46),
    "sclera": (0.62, 0.60, 0.57),
    "iris": (0.12, 0.075, 0.045),
    "pupil": (0.012, 0.012, 0.012),
    "tears": (0.55, 0.50, 0.47),
    "lashes": (0.02, 0.015, 0.012),
}
"""Linear reflectance of each part; a choice that looks sane under neutral light, nobody's measurement."""

IRIS_DEGREES = 25.0
PUPIL_DEGREES = 9.0
"""Angles seen from the eyeball's centre: an iris of 11.8 mm and a pupil of 4 mm on a ball of 24 mm, nearly."""


def plain_albedo(data: MorphableData) -> NDArray[np.float32]:
    """One linear colour a part: skin where a model has no labels, or a part whose name has no colour here.

    Borders between parts of one surface are softened over the neighbouring vertices, so that they do not show the mesh.

    Returns:
        (V,3) float32.
    """
    if data.labels is None:
        return np.tile(np.array(COLOURS["skin"], np.float32), (len(data.mean), 1))
    palette = np.array([COLOURS.get(name, COLOURS["skin"]) for name in data.label_names], np.float32)
    colours = palette[data.labels]
    ends = np.concatenate([data.triangles[:, [0, 1, 2, 1, 2, 0]], data.triangles[:, [1, 2, 0, 0, 1, 2]]]).reshape(2, -1)
    neighbours = sparse.csr_array((np.ones(ends.shape[1], np.float32), ends), shape=(len(colours), len(colours)))
    degree = np.asarray(neighbours.sum(1), np.float32)[:, None]
    around = neighbours @ colours / np.maximum(degree, 1)
    return np.where(degree > 0, 0.5 * colours + 0.5 * around, colours).astype(np.float32)


def eye_parts(eyeball: NDArray[np.float32]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which vertices of an eyeball that looks about ahead (along z) are iris, and which are pupil.

    The gaze goes through the middle of the cornea, which bulges out of the ball; without one, along z.

    Args:
        eyeball: (N,3) vertices of one eye.

    Returns:
        Two (N,) masks; they do not overlap.
    """
    # a sphere through the back half, where no cornea bulges: |p|^2 = 2 c.p + (r^2 - |c|^2)
    back = eyeball[eyeball[:, 2] <= np.median(eyeball[:, 2])].astype(np.float64)
    system = np.column_stack([2 * back, np.ones(len(back))])
    *centre, rest = np.linalg.lstsq(system, (back**2).sum(1), rcond=None)[0]
    offset = eyeball - np.array(centre)
    distance = np.linalg.norm(offset, axis=1)
    bulge = offset[(distance > 1.04 * np.sqrt(max(rest + np.dot(centre, centre), 0))) & (offset[:, 2] > 0)]
    gaze = bulge.mean(0) if len(bulge) else np.array([0.0, 0.0, 1.0])
    cosine = offset @ (gaze / np.linalg.norm(gaze)) / np.maximum(distance, 1e-12)
    pupil = cosine > np.cos(np.radians(PUPIL_DEGREES))
    return (cosine > np.cos(np.radians(IRIS_DEGREES))) & ~pupil, pupil


def lips_and_brows(
    vertices: NDArray[np.float32], landmarks: NDArray[np.float32]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which vertices lie within the lips' outline, and which under the brows, as seen from the front.

    Args:
        vertices: (N,3) of the face's skin alone, neutral, in the head frame.
        landmarks: (68,3) iBUG points.

    Returns:
        Two (N,) masks.
    """
    points = vertices[:, :2]
    lips = points_in_poly(points, landmarks[48:60, :2])
    # a brow is the strip above its five points, thinner outside, a tenth of the distance between the pupils high
    height = 0.1 * np.linalg.norm(landmarks[36:42].mean(0) - landmarks[42:48].mean(0))
    brows = np.zeros(len(points), bool)
    for outer_to_inner in (landmarks[17:22, :2], landmarks[26:21:-1, :2]):
        thickness = height * np.array([0.35, 0.8, 1.0, 1.0, 0.9])[:, None]
        up = np.array([[0.0, 0.65]])
        strip = np.concatenate([outer_to_inner + up * thickness, (outer_to_inner - up * thickness)[::-1]])
        brows |= points_in_poly(points, strip)
    front = vertices[:, 2] > landmarks[[36, 45], 2].min() - 2 * height
    return lips & front, brows & front
