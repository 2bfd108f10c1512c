"""Colours for models that are geometry alone, taken from the procedural face; parts that geometry files do not mark."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.spatial import cKDTree
from skimage.measure import points_in_poly

from zoo.morphable.canonical import canonical_coordinates, landmark_positions, template
from zoo.morphable.data import MorphableData

__all__ = ["eye_parts", "lips_and_brows", "painted_albedo"]

IRIS_DEGREES = 28.0
PUPIL_DEGREES = 9.0
"""Angles seen from the eyeball's centre: an iris of 11.8 mm and a pupil of 4 mm on a ball of 24 mm, nearly."""

_SKIN = ("skin", "ear", "neck", "hair", "brows", "lips")
"""The parts that make up the head's outer surface, of the template and of a target."""
_EYE = ("sclera", "iris", "pupil")
_MEANS = {name: (name,) for name in (*_SKIN, *_EYE, "mouth", "eye_socket", "gums", "teeth", "tongue")} | {
    "gums": ("gums", "mouth"),
    "tears": ("sclera",),
    "lashes": ("lashes",),
}
"""Which of the template's parts give their mean colour to a target's part that is not matched point by point."""
_FEW = 8
"""Fewer vertices than this make no eyeball."""
_STEPS = 4
"""Into how many steps an edge of the template is cut in looking for the point of its surface nearest to a vertex."""


def painted_albedo(data: MorphableData) -> tuple[NDArray[np.float32], NDArray[np.float32], str]:
    """The procedural face's colours and their variation, transferred to another head.

    Skin takes the colour of the nearest point of the template's skin once the head is warped onto it
    (``canonical_coordinates``), so that lips, brows, beard and hairline follow the landmarks. Eyeballs take theirs by
    the angle from the gaze within iris, pupil and white as labelled; teeth, gums and the rest by label. Without labels
    all is skin, and without landmarks each part has the mean colour of its counterpart.

    Returns:
        Mean (V,3) and basis (V,3,80) per standard deviation, float32, and their encoding: that of the procedural face.
    """
    face = template()
    assert face.albedo_mean is not None
    assert face.albedo_basis is not None
    flat = np.concatenate([face.albedo_mean[..., None], face.albedo_basis], 2).reshape(len(face.mean), -1)
    inside = [face.vertices_of(*parts) for parts in _MEANS.values()] + [face.extras["nostril"] > 0.6]
    means = np.stack([flat[part].mean(0) for part in inside])
    colours = (_weights(data, face) @ np.concatenate([flat, means])).reshape(len(data.mean), 3, -1)
    return np.ascontiguousarray(colours[..., 0]), np.ascontiguousarray(colours[..., 1:]), face.albedo_encoding


def _weights(data: MorphableData, face: MorphableData) -> sparse.csr_array:
    """Shares of the template's vertices, and of means over its parts, in the colour of each of the target's vertices.

    Returns:
        (V, W + number of ``_MEANS`` + 1 for the nostrils' depths); rows sum to one.
    """
    names = np.array(data.label_names or ("skin",))
    label = names[np.zeros(len(data.mean), np.int64) if data.labels is None else data.labels]
    rows, columns, shares = [], [], []

    def add(vertices: NDArray[np.int64], sources: NDArray[np.int64], share: NDArray[np.float64]) -> None:
        """(N,) vertices take (N,K) shares of (N,K) sources."""
        rows.append(np.repeat(vertices, sources.shape[1]))
        columns.append(sources.ravel())
        shares.append(share.ravel())

    def add_mean(vertices: NDArray[np.int64], part: str) -> None:
        column = np.full((len(vertices), 1), len(face.mean) + list(_MEANS).index(part))
        add(vertices, column, np.ones(column.shape))

    eyes = np.isin(label, _EYE)
    known = np.isin(label, list(_MEANS))
    skin = np.flatnonzero(~eyes & (~known | np.isin(label, _SKIN)))
    placed = landmark_positions(data) is not None
    for name in np.unique(label):
        if not placed or name not in (*_SKIN, *_EYE):
            add_mean(np.flatnonzero(label == name), name if name in _MEANS else "skin")
    if placed:
        place = canonical_coordinates(data)[skin]
        corners, share, depth = _nearest_on_skin(place, face)
        # noses are pierced in many shapes: what lies deep under the template's nose is inside a nostril
        by_nostrils = (np.abs(np.abs(place[:, 0]) - 8) < 6) & (np.abs(place[:, 1] + 36) < 13) & (place[:, 2] > 94)
        dark = np.where(by_nostrils, np.clip((depth - 2.0) / 1.5, 0, 1), 0)[:, None]
        add(skin, corners, share * (1 - dark))
        add(skin, np.full((len(skin), 1), len(face.mean) + len(_MEANS)), dark)
        pupil = face.vertices_of("pupil")
        for left in (True, False):
            ball = np.flatnonzero(eyes & ((data.mean[:, 0] > 0) == left))
            source = np.flatnonzero(face.vertices_of(*_EYE) & ((face.mean[:, 0] > 0) == left))
            if len(ball) <= _FEW:
                add_mean(ball, "sclera")
                continue
            own, goal = _polar(data.mean[ball], label[ball] == "pupil"), _polar(face.mean[source], pupil[source])
            for name in _EYE:
                taking, giving = label[ball] == name, face.vertices_of(name)[source]
                distance, index = cKDTree(_flat(goal[giving])).query(_flat(own[taking]), k=3)
                share = 1.0 / np.maximum(distance, 1e-3)
                add(ball[taking], source[giving][index], share / share.sum(1, keepdims=True))
    entries = (np.concatenate(shares), (np.concatenate(rows), np.concatenate(columns)))
    weights = sparse.csr_array(entries, shape=(len(data.mean), len(face.mean) + len(_MEANS) + 1), dtype=np.float32)
    return _softened(weights, data.triangles, skin)


def _softened(weights: sparse.csr_array, triangles: NDArray[np.int64], skin: NDArray[np.int64]) -> sparse.csr_array:
    """Rows of the skin's vertices, half averaged over their neighbours in it, so that borders do not show the mesh."""
    count = weights.shape[0]
    inside = np.zeros(count, bool)
    inside[skin] = True
    corners = triangles[inside[triangles].all(1)]
    ends = np.concatenate([corners[:, [0, 1, 2, 1, 2, 0]], corners[:, [1, 2, 0, 0, 1, 2]]]).reshape(2, -1)
    around = sparse.csr_array((np.ones(ends.shape[1], np.float32), ends), shape=(count, count))
    degree = np.asarray(around.sum(1)).ravel()
    keep = np.where(degree > 0, 0.5, 1.0).astype(np.float32)
    share = ((1.0 - keep) / np.maximum(degree, 1)).astype(np.float32)
    return sparse.csr_array(sparse.diags_array(keep) @ weights + sparse.diags_array(share) @ (around @ weights))


def _nearest_on_skin(
    points: NDArray[np.float32], face: MorphableData
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """Triangles' corners (N,3) of the template's skin nearest to (N,3) points, their shares, and how deep points lie.

    Points and depths (N,), positive inside the head, are in millimetres.
    """
    triangles = face.triangles[face.vertices_of(*_SKIN)[face.triangles].all(1)]
    steps = [(i, j, _STEPS - i - j) for i in range(_STEPS + 1) for j in range(_STEPS + 1 - i)]
    grid = np.array(steps, np.float64) / _STEPS
    corners = 1000.0 * face.metres_per_unit * face.mean[triangles]
    surface = np.einsum("gk,tkc->tgc", grid, corners).reshape(-1, 3)
    _, nearest = cKDTree(surface).query(points)
    triangle, place = np.divmod(nearest, len(grid))
    a, b, c = corners[triangle].swapaxes(0, 1)
    outwards = np.cross(b - a, c - a)
    outwards /= np.maximum(np.linalg.norm(outwards, axis=1, keepdims=True), 1e-12)
    depth = ((surface[nearest] - points) * outwards).sum(1)
    return triangles[triangle], grid[place], depth


def _polar(eyeball: NDArray[np.float32], pupil: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Where (N,3) vertices lie on an eyeball, seen from its centre: angle from the gaze and around it, (N,2) radians.

    The gaze goes through the middle of the pupil where one is marked.
    """
    offset, gaze = _centre_and_gaze(eyeball)
    if pupil.any():
        gaze = offset[pupil].mean(0)
    ahead = gaze / np.linalg.norm(gaze)
    right = np.cross([0.0, 1.0, 0.0], ahead)
    right /= np.linalg.norm(right)
    x, y, z = (offset @ np.stack([right, np.cross(ahead, right), ahead], 1)).T
    return np.stack([np.arctan2(np.hypot(x, y), z), np.arctan2(y, x)], 1)


def _flat(polar: NDArray[np.float64]) -> NDArray[np.float64]:
    """Places of one part of an eye in a plane, from its inner (0.1) to its outer edge (1.1): (N,2).

    Between its edges, since irises and pupils of models differ in size.
    """
    angle, around = polar.T
    if not len(angle):
        return np.zeros((0, 2))
    radius = 0.1 + (angle - angle.min()) / max(float(np.ptp(angle)), 1e-6)
    return np.stack([radius * np.cos(around), radius * np.sin(around)], 1)


def _centre_and_gaze(eyeball: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(N,3) vertices seen from the eyeball's centre, and (3,) where the eye looks.

    The gaze goes through the middle of the cornea, which bulges out of the ball; without one, along z.
    """
    # a sphere through the back half, where no cornea bulges: |p|^2 = 2 c.p + (r^2 - |c|^2)
    back = eyeball[eyeball[:, 2] <= np.median(eyeball[:, 2])].astype(np.float64)
    system = np.column_stack([2 * back, np.ones(len(back))])
    *centre, rest = np.linalg.lstsq(system, (back**2).sum(1), rcond=None)[0]
    offset = eyeball - np.array(centre)
    distance = np.linalg.norm(offset, axis=1)
    bulge = offset[(distance > 1.04 * np.sqrt(max(rest + np.dot(centre, centre), 0))) & (offset[:, 2] > 0)]
    return offset, bulge.mean(0) if len(bulge) else np.array([0.0, 0.0, 1.0])


def eye_parts(eyeball: NDArray[np.float32]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which vertices of an eyeball that looks about ahead (along z) are iris, and which are pupil.

    Args:
        eyeball: (N,3) vertices of one eye.

    Returns:
        Two (N,) masks; they do not overlap.
    """
    angle = np.degrees(_polar(eyeball, np.zeros(len(eyeball), bool))[:, 0])
    return (angle < IRIS_DEGREES) & (angle >= PUPIL_DEGREES), angle < PUPIL_DEGREES


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
