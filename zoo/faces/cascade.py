"""The detector that needs no download: scikit-image's LBP cascade, with a vote of many looks."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import interpolate

from zoo.faces.face import Face

__all__ = ["detect_with_cascade"]

Windows = NDArray[np.float64]
"""(N, 3): centre x, centre y and side of square windows, in pixels."""

_LEVELS = (320, 640, 1280)
"""Longest sides at which the picture is searched, one after the other until a face is found."""

_TILTS = (-25.0, 25.0, -50.0, 50.0)
"""Degrees by which the coarsest picture is turned, one after the other, when no face is upright."""

_SMALLEST_WINDOW = 24  # what the cascade was trained on
_CANDIDATES = 12
_PATCH = 160  # a candidate is looked at again in a patch of this size, its window 64 pixels wide in it
_WINDOW_IN_PATCH = 64
_FEWEST_VOTES = 4  # one look with fewer ends it: the mean could hardly be saved
_CERTAIN_VOTES = 30.0
_LOWEST_SCORE = 0.5
_LOWEST_TILTED_SCORE = 0.6
"""Of ten portraits the least sure face scored 0.56 (turned far aside); of 13 pictures of textures and things the worst
mistake 0.47 (0.42 turned). Four turned searches make four times the mistakes, so they must be surer."""


def detect_with_cascade(image: Tensor) -> list[Face]:
    """Find upright to tilted frontal faces with the cascade of local binary patterns.

    The search goes from coarse to fine and stops at the first scale with a face in it, so small faces in the
    background of a portrait are left out. Only if there is no upright face, tilted ones are sought.

    A cascade answers yes or no. To get a confidence, every candidate is cut out, brought to one size and searched
    again closely: as it is, mirrored, and with evened contrast. The score counts how many neighbouring windows agree
    in *each* of these looks; a texture that resembles a face in one of them seldom does in all.

    Args:
        image: (3, H, W), sRGB-encoded, in [0, 1].

    Returns:
        Faces, the largest first; empty when there is none.

    Source:
        Cascade: Liao et al., "Learning multi-scale block local binary patterns for face recognition", ICB 2007, in
        the file that scikit-image ships.
    """
    grey = _grey(image)
    longest = max(grey.shape)
    levels = [level for level in _LEVELS if level < longest]
    if len(levels) < len(_LEVELS):
        levels.append(longest)
    pictures = [_resized(grey, level / longest) for level in levels]
    for picture in pictures:
        windows, scores = _search(picture, 0.0, thorough=picture is pictures[0])
        if len(windows):
            return _as_faces(windows, scores, longest / max(picture.shape), 0.0)
    for tilt in map(math.radians, _TILTS):
        windows, scores = _search(pictures[0], tilt, thorough=False)
        if len(windows):
            return _as_faces(windows, scores, longest / max(pictures[0].shape), tilt)
    return []


def _search(picture: NDArray[np.float32], tilt: float, thorough: bool) -> tuple[Windows, NDArray[np.float64]]:
    turned, back = _turned(picture, tilt)
    margin = min(turned.shape) // 8  # a face may be cut by the border
    padded = np.pad(turned, margin, mode="edge")
    if thorough:
        looks = [look(padded, _SMALLEST_WINDOW, min(padded.shape), 1.1) for look in (_windows, _mirrored_windows)]
    else:
        looks = [_windows(padded, _SMALLEST_WINDOW, min(padded.shape), 1.2)]
    candidates, votes = _merge(np.concatenate(looks))
    found, scores = [], []
    for candidate in candidates[votes > len(looks)][:_CANDIDATES]:
        window, score = _look_closely(padded, candidate)
        if score >= (_LOWEST_TILTED_SCORE if tilt else _LOWEST_SCORE):
            found.append(window)
            scores.append(score)
    if not found:
        return np.zeros((0, 3)), np.zeros(0)
    kept = _without_overlaps(np.array(found), np.array(scores))
    windows = np.array(found)[kept]
    windows[:, :2] = back(windows[:, :2] - margin)
    return windows, np.array(scores)[kept]


def _look_closely(picture: NDArray[np.float32], window: Windows) -> tuple[Windows, float]:
    """Search the surroundings of a candidate densely; refine it and say how sure we are, in [0, 1]."""
    x, y, side = window
    scale = _WINDOW_IN_PATCH / side
    reach = math.ceil(_PATCH / scale / 2)
    left, top = round(x) - reach, round(y) - reach
    rows = np.clip(np.arange(top, top + 2 * reach + 1), 0, picture.shape[0] - 1)
    columns = np.clip(np.arange(left, left + 2 * reach + 1), 0, picture.shape[1] - 1)
    patch = _resized(picture[np.ix_(rows, columns)], scale)
    low, high = round(0.7 * _WINDOW_IN_PATCH), round(1.5 * _WINDOW_IN_PATCH)
    evened = _evened(patch)
    ratio = (np.array(patch.shape[::-1]) - 1) / (2 * reach)
    here = (np.array([x, y]) - [left, top]) * ratio
    near = []
    for look, seen in ((_windows, patch), (_mirrored_windows, patch), (_windows, evened), (_mirrored_windows, evened)):
        windows = look(seen, low, high, 1.05)
        near.append(windows[np.abs(windows[:, :2] - here).max(axis=1, initial=0) < 0.3 * _WINDOW_IN_PATCH])
        if len(near[-1]) < _FEWEST_VOTES:
            return window, 0.0
    # The geometric mean is low as soon as one of the looks sees nothing.
    agreement = math.exp(np.mean([math.log1p(len(look)) for look in near])) - 1
    score = 1 - math.exp(-agreement / _CERTAIN_VOTES)
    best = np.median(np.concatenate(near), axis=0)
    centre = best[:2] / ratio + [left, top]
    return np.array([*centre, best[2] / scale]), score


def _windows(picture: NDArray[np.float32], smallest: int, largest: int, factor: float) -> Windows:
    """All windows that the cascade takes for a face, before any merging."""
    largest = min(largest, *picture.shape)
    if largest < max(smallest, _SMALLEST_WINDOW):
        return np.zeros((0, 3))
    found: list[dict[str, int]] = _cascade().detect_multi_scale(
        img=np.ascontiguousarray((picture * 255).round().astype(np.uint8)),
        scale_factor=factor,
        step_ratio=1,
        min_size=(smallest, smallest),
        max_size=(largest, largest),
        min_neighbor_number=1,
        intersection_score_threshold=2,  # never reached: the merging below works better
    )
    # A window from pixel c that is w wide has its middle at c + (w - 1) / 2.
    corners = [(w["c"] + (w["width"] - 1) / 2, w["r"] + (w["width"] - 1) / 2, w["width"]) for w in found]
    return np.array(corners, dtype=np.float64).reshape(-1, 3)


def _mirrored_windows(picture: NDArray[np.float32], smallest: int, largest: int, factor: float) -> Windows:
    windows = _windows(picture[:, ::-1], smallest, largest, factor)
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


def _without_overlaps(windows: Windows, scores: NDArray[np.float64]) -> list[int]:
    """Keep the surest of windows that cover one another."""
    kept: list[int] = []
    for index in np.argsort(-scores, kind="stable"):
        x, y, side = windows[index]
        apart = [max(abs(x - windows[k, 0]), abs(y - windows[k, 1])) > 0.5 * max(side, windows[k, 2]) for k in kept]
        if all(apart):
            kept.append(int(index))
    return kept


def _as_faces(windows: Windows, scores: NDArray[np.float64], scale: float, tilt: float) -> list[Face]:
    centres = (windows[:, :2] + 0.5) * scale - 0.5
    half = windows[:, 2] * scale / 2
    faces = [
        Face((float(x - h), float(y - h), float(x + h), float(y + h)), float(score), roll=tilt)
        for (x, y), h, score in zip(centres, half, scores, strict=True)
    ]
    return sorted(faces, key=lambda face: -face.side)


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


def _evened(picture: NDArray[np.float32]) -> NDArray[np.float32]:
    """Stretch the contrast by equalising the histogram half-way: it helps against shadow and fog."""
    levels, counts = np.unique((picture * 255).round(), return_counts=True)
    rank = np.interp(picture * 255, levels, (np.cumsum(counts) - counts / 2) / picture.size)
    return (0.5 * picture + 0.5 * rank).astype(np.float32)


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
