"""The detector that needs no download: scikit-image's LBP cascade proposes, the landmark network decides."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import interpolate

from zoo.faces.face import Face
from zoo.faces.framing import FACE_CROP, crop_box_from_landmarks
from zoo.faces.landmarks import find_landmarks_of_all

__all__ = ["Candidate", "detect_with_cascade", "is_sure", "judged", "looks"]

Windows = NDArray[np.float64]
"""(N, 3): centre x, centre y and side of square windows, in pixels."""
Look = Callable[[NDArray[np.float32], float], Windows]

_LEVELS = (240, 480, 960)
"""Longest sides at which the picture is searched, one after the other until a face is found."""
_TILTED_LEVEL = 160
_TILTS = (-25.0, 25.0, -50.0, 50.0)
"""Degrees by which a small picture is turned, one after the other, when no face is upright in the coarsest one."""
_STEP = 1.15  # between one size of windows and the next
_SMALLEST_WINDOW = 24  # what the cascade was trained on
_CANDIDATES = 16

_LARGEST_ERROR = 12.0
_LARGEST_ERROR_OF_MANY, _MANY_VOTES = 18.0, 6
"""Per cent of the distance between the eyes, as the landmark network expects it. Of ten portraits and the astronaut, in
five versions each, the least sure face has 6.3; the surest mistake in them and in twelve pictures without a face from
the front has 16.3, and none of the mistakes below 24 has more than 3 votes."""
_LOWEST_CONFIDENCE = 0.5
_FARTHEST, _SCALES = 0.7, (0.45, 2.2)  # what the network may change in place and size: it finds a face beside the box
_CERTAIN_VOTES = 12


@dataclass(frozen=True)
class Candidate:
    """What the cascade takes for a face.

    Args:
        face: Its box and tilt.
        votes: How many windows saw it.
    """

    face: Face
    votes: int


def detect_with_cascade(image: Tensor) -> list[Face]:
    """Find upright to tilted frontal faces with the cascade of local binary patterns and the landmark network.

    The search goes from coarse to fine and stops at the first look with a face in it, so small faces in the
    background of a portrait are left out. Only if there is no upright face that is large, tilted ones are sought.

    A cascade answers yes or no, and a single window is often wrong. So every place that one window takes for a face is
    shown to the landmark network, which finds the points of a face there and knows well when there are none.

    Args:
        image: (3, H, W), sRGB-encoded, in [0, 1].

    Returns:
        Faces, the largest first; empty when there is none. Each has 68 landmarks, and roll, score and expected error
        from them. Only a face that many windows see, and whose points the network is not sure of, has none.

    Source:
        Cascade: Liao et al., "Learning multi-scale block local binary patterns for face recognition", ICB 2007, in
        the file that scikit-image ships.
    """
    for candidates in looks(image):
        faces = [face for face in judged(image, candidates) if face is not None]
        if faces:
            return _without_overlaps(faces)
    return []


def looks(image: Tensor) -> Iterator[list[Candidate]]:
    """The candidates of one look after another, from the quickest to the slowest; the fullest first in each."""
    grey = _grey(image)
    longest = max(grey.shape)
    levels = [level for level in _LEVELS if 1.4 * level < longest]
    if len(levels) < len(_LEVELS):
        levels.append(longest)
    for number, level in enumerate(levels):
        picture = _resized(grey, level / longest)
        yield _candidates(picture, longest / max(picture.shape), 0.0, _windows)
        if number == 0:
            yield _candidates(picture, longest / max(picture.shape), 0.0, _mirrored_windows)
            picture = _resized(picture, min(1.0, _TILTED_LEVEL / max(picture.shape)))
            for tilt in map(math.radians, _TILTS):
                yield _candidates(picture, longest / max(picture.shape), tilt, _windows)


def judged(image: Tensor, candidates: list[Candidate]) -> list[Face | None]:
    """What the landmark network makes of each candidate; None where it sees no face."""
    answers = find_landmarks_of_all(image, [candidate.face for candidate in candidates])
    return [_judged(candidate, answer) for candidate, answer in zip(candidates, answers, strict=True)]


def is_sure(face: Face, votes: int = 0) -> bool:
    """Whether the landmark network means that it has found a face; it may be less sure where many windows agree."""
    limit = _LARGEST_ERROR_OF_MANY if votes >= _MANY_VOTES else _LARGEST_ERROR
    return face.error is not None and face.error < limit and face.score > _LOWEST_CONFIDENCE


def _judged(candidate: Candidate, answer: Face) -> Face | None:
    assert answer.landmarks is not None
    x, y, side = crop_box_from_landmarks(answer.landmarks.double()).tolist()
    half = side / 2 * FACE_CROP.cascade_side / FACE_CROP.side
    seen = candidate.face
    moved = math.hypot(x - seen.centre[0], y - seen.centre[1]) / seen.side
    stays = moved < _FARTHEST and _SCALES[0] < 2 * half / seen.side < _SCALES[1]
    if stays and is_sure(answer, candidate.votes):
        return replace(answer, box=(x - half, y - half, x + half, y + half))
    if candidate.votes >= _CERTAIN_VOTES:
        return seen
    return None


def _candidates(picture: NDArray[np.float32], scale: float, tilt: float, look: Look) -> list[Candidate]:
    """Search a picture that is ``scale`` times smaller than the photo."""
    turned, back = _turned(picture, tilt)
    margin = min(turned.shape) // 8  # a face may be cut by the border
    windows, votes = _merge(look(np.pad(turned, margin, mode="edge"), _STEP))
    centres = (back(windows[:, :2] - margin) + 0.5) * scale - 0.5
    half = windows[:, 2] * scale / 2
    return [
        Candidate(Face((x - h, y - h, x + h, y + h), _vote_score(count), roll=tilt), count)
        for (x, y), h, count in zip(centres[:_CANDIDATES].tolist(), half.tolist(), votes.tolist(), strict=False)
    ]


def _vote_score(votes: int) -> float:
    return 1 - math.exp(-votes / _CERTAIN_VOTES)


def _windows(picture: NDArray[np.float32], step: float) -> Windows:
    """All windows that the cascade takes for a face, before any merging."""
    largest = min(picture.shape)
    if largest < _SMALLEST_WINDOW:
        return np.zeros((0, 3))
    found: list[dict[str, int]] = _cascade().detect_multi_scale(
        img=np.ascontiguousarray((picture * 255).round().astype(np.uint8)),
        scale_factor=step,
        step_ratio=1,
        min_size=(_SMALLEST_WINDOW, _SMALLEST_WINDOW),
        max_size=(largest, largest),
        min_neighbor_number=1,
        intersection_score_threshold=2,  # never reached: the merging below works better
    )
    # A window from pixel c that is w wide has its middle at c + (w - 1) / 2.
    corners = [(w["c"] + (w["width"] - 1) / 2, w["r"] + (w["width"] - 1) / 2, w["width"]) for w in found]
    return np.array(corners, dtype=np.float64).reshape(-1, 3)


def _mirrored_windows(picture: NDArray[np.float32], step: float) -> Windows:
    windows = _windows(picture[:, ::-1], step)
    windows[:, 0] = picture.shape[1] - 1 - windows[:, 0]
    return windows


def _merge(windows: Windows) -> tuple[Windows, NDArray[np.int64]]:
    """Join windows that see the same thing; the median and the number of each group, the fullest first."""
    from scipy.sparse.csgraph import connected_components

    if not len(windows):
        return windows, np.zeros(0, dtype=np.int64)
    side = windows[:, 2]
    smaller = np.minimum(side[:, None], side[None])
    apart = np.abs(windows[:, None, :2] - windows[None, :, :2]).max(axis=2)
    same = (apart < 0.25 * smaller) & (np.abs(np.log(side[:, None] / side[None])) < 0.3)
    count, group = connected_components(same, directed=False)
    votes = np.bincount(group, minlength=count)
    middle = np.array([np.median(windows[group == index], axis=0) for index in range(count)])
    order = np.argsort(-votes, kind="stable")
    return middle[order], votes[order]


def _without_overlaps(faces: list[Face]) -> list[Face]:
    """Keep the surest of faces that cover one another; the largest first."""
    kept: list[Face] = []
    for face in sorted(faces, key=lambda face: (face.landmarks is None, face.error or 0.0)):
        apart = [math.dist(face.centre, other.centre) > 0.5 * max(face.side, other.side) for other in kept]
        if all(apart):
            kept.append(face)
    return sorted(kept, key=lambda face: -face.side)


def _turned(picture: NDArray[np.float32], tilt: float) -> tuple[NDArray[np.float32], Any]:
    """The picture with a head of that roll set upright, and the way back for points."""
    if tilt == 0:
        return picture, lambda points: points
    from scipy.ndimage import affine_transform

    # In (x, y) with y down, a positive angle turns clockwise: what is upright in the result was tilted before.
    turn = np.array([[math.cos(tilt), -math.sin(tilt)], [math.sin(tilt), math.cos(tilt)]])
    height, width = picture.shape
    larger = np.ceil(np.abs(turn) @ [width, height]).astype(int)
    offset = np.array([(width - 1) / 2, (height - 1) / 2]) - turn @ ((larger - 1) / 2)
    turned = affine_transform(
        picture, turn[::-1, ::-1], offset[::-1], output_shape=tuple(larger[::-1]), order=1, mode="nearest"
    )
    return turned, lambda points: points @ turn.T + offset


def _grey(image: Tensor) -> NDArray[np.float32]:
    weights = image.new_tensor([0.299, 0.587, 0.114])[:, None, None]
    grey: NDArray[np.float32] = (image.detach() * weights).sum(0).float().clamp(0, 1).cpu().numpy()
    return grey


def _resized(picture: NDArray[np.float32], scale: float) -> NDArray[np.float32]:
    import torch

    height, width = (max(1, round(size * scale)) for size in picture.shape)
    if (height, width) == picture.shape:
        return picture
    source = torch.from_numpy(np.ascontiguousarray(picture))[None, None]
    resized = interpolate(source, (height, width), mode="bilinear", antialias=True, align_corners=False)
    grey: NDArray[np.float32] = resized[0, 0].numpy()
    return grey


@lru_cache(maxsize=1)
def _cascade() -> Any:
    # scikit-image takes a while to import, and only who looks for a face needs it.
    from skimage.data import lbp_frontal_face_cascade_filename
    from skimage.feature import Cascade

    return Cascade(lbp_frontal_face_cascade_filename())
