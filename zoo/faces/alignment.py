"""The alignment of Deep3DFaceRecon: a face at a fixed scale and place, as five points and a mean 3D face tell it.

Five points of the mean face are fitted to the five points of the picture by least squares, as if seen from far away.
The crop shows the mean face's decimetre as 102 pixels of 224, with the origin of its frame in the middle; a rolled head
stays rolled. Crops of another size than 224 show the same square.

Source: Deng et al., "Accurate 3D Face Reconstruction with Weakly-Supervised Learning", CVPRW 2019, and their code.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from zoo.errors import UserError
from zoo.faces.crop import Crop, square_crop
from zoo.faces.face import Face
from zoo.faces.framing import five_points
from zoo.faces.landmarks import find_landmarks

__all__ = ["REFERENCE_POINTS", "align_face", "align_found_face", "aligned_boxes", "aligned_crop", "alignment"]

REFERENCE_POINTS = (
    (-0.31148657, 0.29036078, 0.13377953),
    (0.30979887, 0.28972036, 0.13179526),
    (0.00325350, -0.04617932, 0.55244243),
    (-0.25216928, -0.38133916, 0.22405732),
    (0.24846619, -0.38128236, 0.22235769),
)
"""Left eye, right eye, nose tip, left and right mouth corner of the mean face, decimetres: x right, y up, z forward."""

_SIZE, _DECIMETRE = 224, 102.0
"""Side of the authors' crops, and a decimetre of the mean face in them, both in pixels."""

_LARGEST_SCALE = 1e4
"""Beyond it a face would be smaller than a pixel of its photo."""

_REFERENCE = torch.tensor(REFERENCE_POINTS, dtype=torch.float64)
_FIT = torch.linalg.pinv(torch.cat((_REFERENCE, torch.ones(5, 1, dtype=torch.float64)), dim=1))
"""(4, 5): what it takes from five coordinates in the picture to the least-squares row of the camera, and its offset."""


def _fit(points: Tensor) -> tuple[Tensor, Tensor]:
    """Pixels a decimetre (...,) and where the mean face's origin lies (..., 2) in the picture, y down."""
    camera = _FIT.to(points) @ five_points(points)
    rows, offset = camera[..., :3, :], camera[..., 3, :]
    return rows.norm(dim=-2).mean(dim=-1), offset


def alignment(points: Tensor, height: int) -> tuple[Tensor, Tensor]:
    """The authors' two numbers of an alignment.

    Args:
        points: (..., 5, 2) or (..., 68, 2), pixels, y down.
        height: Of the picture.

    Returns:
        ``scale`` (...,), the factor by which the picture is resized for a crop of 224, and ``t`` (..., 2), where the
        origin of the mean face lies in the picture, in pixels with y up from the bottom row.
    """
    density, origin = _fit(points)
    return _DECIMETRE / density, torch.stack((origin[..., 0], height - 1 - origin[..., 1]), dim=-1)


def aligned_boxes(points: Tensor, size: int = _SIZE) -> tuple[Tensor, Tensor]:
    """The aligned squares of a batch of faces, without the whole pixels to which the authors' steps round.

    In the crop, the origin of the mean face lies at column size / 2 and row size / 2 - 1.

    Args:
        points: (B, 5, 2) or (B, 68, 2), pixels, y down.
        size: Side of the crops in their own pixels; it moves the square by half of such a pixel.

    Returns:
        Centres (B, 2) and sides (B,) in pixels of the pictures, as ``zoo.faces.Crop`` has them.

    Example:
        >>> points = torch.tensor([[[69.0, 70.0], [131.0, 70.0], [100.0, 104.0], [75.0, 138.0], [125.0, 138.0]]])
        >>> centre, side = aligned_boxes(points)
        >>> [round(v) for v in (*centre[0].tolist(), side.item())]
        [100, 100, 221]
    """
    density, origin = _fit(points)
    side = density * (_SIZE / _DECIMETRE)
    half = side / (2 * size)
    return origin + torch.stack((-half, half), dim=-1), side


def aligned_crop(points: Tensor, height: int, width: int, size: int = _SIZE) -> Crop:
    """Where the authors' formula for landmarks puts the crop; see ``align_face`` for where its picture lies.

    Args:
        points: (5, 2) or (68, 2), pixels, y down.
        height: Of the photo.
        width: Of the photo.
        size: Side of the crop in its own pixels.

    Raises:
        UserError: The points make no face.
    """
    scale, (x, y), (w, h) = _steps(points, height, width, size)
    # column = (x - tx) scale + (width scale - w + size) / 2, and v alike with y up, where row = size - 1 - v
    half = 0.5 / scale
    aside, up = (width - w / scale) / 2, (height - h / scale) / 2
    return Crop((x - half - aside, height - 1 - y + half + up), size / scale, size)


def align_face(photo: Tensor, face: Face, size: int = _SIZE) -> tuple[Tensor, Crop]:
    """Cut out a face in the authors' steps: resize to whole pixels (Pillow, bicubic, 8 bits), cut at whole pixels.

    Outside the photo the crop is black. The ``Crop`` tells where the picture lies, to a tenth of a pixel around the
    face (width and height are rounded each on its own). The authors' formula for landmarks (``aligned_crop``) leaves
    the rounding out, and so lies up to two pixels of the crop beside it.

    Args:
        photo: (3, H, W), sRGB-encoded, in [0, 1].
        face: With landmarks.
        size: Side of the crop; the face grows with it.

    Returns:
        The crop (3, size, size) in [0, 1], and where it lies.

    Raises:
        ValueError: The face has no landmarks.
        UserError: They make no face, or lie so that the crop shows nothing of the photo.
    """
    if face.landmarks is None:
        raise ValueError("a face is aligned by its landmarks, and this one has none.")
    height, width = photo.shape[-2:]
    scale, (x, y), (w, h) = _steps(face.landmarks, height, width, size)
    left = int(w / 2 - size / 2 + (x - width / 2) * scale)
    up = int(h / 2 - size / 2 + (height / 2 - y) * scale)
    seen = max(0, left), max(0, up), min(w, left + size), min(h, up + size)
    if seen[0] >= seen[2] or seen[1] >= seen[3]:
        raise UserError("the points of the face lie outside of the photo. Are they of another one?")
    picture = Image.fromarray((photo.detach().cpu().clamp(0, 1) * 255).round().byte().permute(1, 2, 0).numpy())
    # only what the crop shows is resized: the same pixels but for rounding, and a small face needs no huge picture
    box = seen[0] * width / w, seen[1] * height / h, seen[2] * width / w, seen[3] * height / h
    part = picture.resize((seen[2] - seen[0], seen[3] - seen[1]), Image.Resampling.BICUBIC, box=box)
    crop = torch.zeros(3, size, size)
    pixels = torch.from_numpy(np.array(part)).permute(2, 0, 1).float() / 255
    crop[:, seen[1] - up : seen[3] - up, seen[0] - left : seen[2] - left] = pixels
    centre = ((left + size / 2) * width / w - 0.5, (up + size / 2) * height / h - 0.5)
    return crop.to(photo), Crop(centre, size / 2 * (width / w + height / h), size)


def align_found_face(photo: Tensor, face: Face, size: int, path: str | Path) -> tuple[Tensor, Crop]:
    """Align a face as a detector, a file or a person gave it; notes on stderr say what a person should know.

    Args:
        photo: (3, H, W), sRGB-encoded, in [0, 1].
        face: Without landmarks they are searched for; a whole picture (``framed``) is taken as an aligned crop.
        size: Side of the crop.
        path: The photo's file, named in the notes.

    Returns:
        What ``align_face`` gives.

    Raises:
        UserError: What ``align_face`` says.
    """
    if face.framed:
        return square_crop(photo, face, size)
    if face.landmarks is None:
        face = find_landmarks(photo, face)
        print(f"zoo: the landmarks found in {path} are uncertain (--landmarks FILE gives better ones)", file=sys.stderr)
    if _is_cut(photo, face):
        print(
            f"zoo: the face in {path} is cut by the border of the photo; what lies beyond is black to the model, and "
            "its shape a guess",
            file=sys.stderr,
        )
    return align_face(photo, face, size)


_FACE = 0.36
"""Half a face, from brows to chin and from cheek to cheek, in sides of its aligned square."""


def _is_cut(photo: Tensor, face: Face) -> bool:
    """Whether a part of the face lies outside of the photo: one of its 68 points, or what five let expect."""
    assert face.landmarks is not None
    points = face.landmarks.double()
    if len(points) == 5:
        centre, side = aligned_boxes(points[None])
        points = torch.cat((centre - _FACE * side, centre + _FACE * side))
    limits = points.new_tensor([photo.shape[-1], photo.shape[-2]]) - 0.5
    return bool(((points < -0.5) | (points > limits)).any())


def _steps(points: Tensor, height: int, width: int, size: int) -> tuple[float, tuple[float, float], tuple[int, int]]:
    """The factor, the origin with y up, and the whole width and height of the resized photo."""
    scale, origin = alignment(points.detach().double().cpu(), height)
    factor = float(scale) * size / _SIZE
    if not 0 < factor < _LARGEST_SCALE:
        raise UserError("the points of the face all lie in one place. Give the right ones by --landmarks FILE.")
    x, y = origin.tolist()
    w, h = int(width * factor), int(height * factor)
    if min(w, h) < 1:
        raise UserError("the points of the face lie so far apart that the photo is too small for them.")
    return factor, (x, y), (w, h)
