"""A square around a face with room for other frames in it, so that pictures of any size come in one."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor
from torch.nn import functional as F

from zoo.errors import UserError
from zoo.faces import Crop, crop_box_from_landmarks

__all__ = ["check_square", "wide_face"]

_LARGEST = 20.0
"""Of a square's side in longer sides of its picture; beyond it the points cannot be of a face in the picture."""


def check_square(size: int, margin: float) -> None:
    """Raise where no square can be cut in this way.

    Raises:
        UserError: The size is below 16 pixels, or the margin below 0.
    """
    if size < 16 or margin < 0:
        raise UserError(f"size is {size} and margin {margin}; take at least 16 pixels, and 0.")


def wide_face(photo: Tensor, landmarks: Tensor, size: int, margin: float, path: Path) -> tuple[Tensor, Tensor]:
    """Cut a square around the canonical crop of ``zoo.faces``, upright as the photo is, and black beyond its border.

    Black is what Deep3DFaceRecon's alignment, and so ``AlignedFaces``, shows there.

    Args:
        photo: (3,H,W) in [0, 1].
        landmarks: (68,2) in its pixels.
        size: Height and width of the result.
        margin: What to add to the canonical crop on each edge, as a share of its side.
        path: Of the photo, for the message.

    Returns:
        The square (3,size,size), and the landmarks (68,2) in its pixels.

    Raises:
        UserError: The landmarks are none of a face.
    """
    x, y, side = crop_box_from_landmarks(landmarks.double()).tolist()
    height, width = photo.shape[-2:]
    near = -width < x < 2 * width and -height < y < 2 * height
    if not near or not 1 < side < _LARGEST * max(height, width):
        raise UserError(
            f"the landmarks of {path} make no face in it, which is {width} x {height} pixels. "
            "Are they of another picture, or of this one before it was resized?"
        )
    side *= 1 + 2 * margin
    # a crop goes on beyond a picture as this ends: with a black frame around it, in black
    image = Crop((x + 1, y + 1), side, size).cut(F.pad(photo, (1, 1, 1, 1)))
    return image, Crop((x, y), side, size).to_crop(landmarks.double()).to(landmarks)
