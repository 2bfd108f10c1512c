"""Landmarks that a person, or another program, wrote into a text file."""

from __future__ import annotations

import math
from pathlib import Path

import torch
from torch import Tensor

from zoo.errors import UserError
from zoo.faces.face import Face
from zoo.faces.framing import FACE_CROP, crop_box_from_landmarks, five_points

__all__ = ["face_from_landmarks", "read_landmarks"]

_ORDER = "left eye, right eye, nose tip, left and right mouth corner as seen in the picture, or the 68 points of iBUG"


def read_landmarks(path: str | Path, image: Tensor | None = None, *, y_up: bool = False) -> Tensor:
    """Read the landmarks of one face: 5 or 68 lines of ``x y`` in pixels.

    Blanks, tabs or commas part the numbers; empty lines and lines that begin with ``#`` are skipped.

    Args:
        path: The text file.
        image: (3, H, W); if given, eyes, nose and mouth must lie inside it.
        y_up: Whether the file counts y up from the image's bottom row, as Deep3DFaceRecon saves its 68 points.

    Returns:
        (5, 2) or (68, 2) float32, y down.

    Raises:
        UserError: The file is missing, or holds something else, or the points make no face.
    """
    path = Path(path).expanduser()
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as problem:
        raise UserError(f"{path} is not a text file. Give 5 or 68 lines of 'x y'.") from problem
    except OSError as problem:
        raise UserError(f"the landmarks {path} cannot be read ({(problem.strerror or '').lower()}).") from problem
    rows = []
    for number, line in enumerate(text.splitlines(), start=1):
        words = line.replace(",", " ").split()
        if not words or words[0].startswith("#"):
            continue
        try:
            row = [float(word) for word in words]
        except ValueError:
            row = []
        if len(row) != 2 or not all(map(math.isfinite, row)):
            raise UserError(f"{path}, line {number}: '{line.strip()[:40]}' is not 'x y', two numbers in pixels.")
        rows.append(row)
    if len(rows) not in (5, 68):
        raise UserError(f"{path} holds {len(rows)} points; 5 or 68 are needed ({_ORDER}).")
    points = torch.tensor(rows, dtype=torch.float32)
    if y_up:
        assert image is not None, "the bottom row must be known"
        points[:, 1] = image.shape[-2] - 1 - points[:, 1]
    _check(points, path, image)
    return points


def face_from_landmarks(points: Tensor) -> Face:
    """Make a face of landmarks, with the box that the cascade would draw around it."""
    x, y, side = crop_box_from_landmarks(points).tolist()
    half = side / 2 * FACE_CROP.cascade_side / FACE_CROP.side
    across = five_points(points)[1] - five_points(points)[0]
    return Face(
        (x - half, y - half, x + half, y + half), 1.0, points, roll=math.atan2(float(across[1]), float(across[0]))
    )


def _check(points: Tensor, path: Path, image: Tensor | None) -> None:
    left_eye, right_eye, _, left_corner, right_corner = five = five_points(points)
    across, down = right_eye - left_eye, (left_corner + right_corner - left_eye - right_eye) / 2
    turn = float(across[0] * down[1] - across[1] * down[0])
    if turn <= 0 or float(down.norm()) < 2:
        raise UserError(f"the points of {path} make no face. Their order is: {_ORDER}.")
    if image is not None:
        height, width = image.shape[-2:]
        limits = torch.tensor([width - 0.5, height - 0.5])
        if bool(((five < -0.5) | (five > limits)).any()):
            raise UserError(
                f"the points of {path} lie outside the picture, which is {width} x {height} pixels. "
                "Are they of another picture, or of this one before it was resized?"
            )
