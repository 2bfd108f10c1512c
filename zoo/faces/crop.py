"""Cut a face out of a photo, and put it back."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, grid_sample, interpolate

from zoo.faces.face import Face
from zoo.faces.framing import crop_box

__all__ = ["Crop", "square_crop"]


@dataclass(frozen=True)
class Crop:
    """Where a square crop lies in its photo.

    Pixels are counted from the centre of the top-left one, in the photo and in the crop.

    Args:
        centre: Its middle in the photo, x and y.
        side: Its side in photo pixels.
        size: Its side in its own pixels.
        roll: How far it is turned, radians, positive clockwise as seen.
    """

    centre: tuple[float, float]
    side: float
    size: int
    roll: float = 0.0

    def to_photo(self, points: Tensor) -> Tensor:
        """Move points (..., 2) from the crop to the photo."""
        offset = (points - (self.size - 1) / 2) * (self.side / self.size)
        return offset @ self._turn(points).T + points.new_tensor(self.centre)

    def to_crop(self, points: Tensor) -> Tensor:
        """Move points (..., 2) from the photo to the crop."""
        offset = (points - points.new_tensor(self.centre)) @ self._turn(points)
        return offset * (self.size / self.side) + (self.size - 1) / 2

    def cut(self, photo: Tensor) -> Tensor:
        """Cut the crop out of a photo, smoothed where it shrinks; outside the photo its border goes on.

        Args:
            photo: (C, H, W) in [0, 1].

        Returns:
            (C, size, size) in [0, 1].
        """
        # Sample no coarser than the photo's pixels, then average: this smooths in any direction.
        dense = max(1, math.ceil(self.side / self.size))
        axis = (torch.arange(self.size * dense, device=photo.device, dtype=torch.float64) + 0.5) / dense - 0.5
        y, x = torch.meshgrid(axis, axis, indexing="ij")
        sampled = _sample(photo, self.to_photo(torch.stack([x, y], dim=-1)))
        return avg_pool2d(sampled[None], dense)[0]

    def paste(self, photo: Tensor, patch: Tensor, mask: Tensor | None = None, *, feather: float = 0.08) -> Tensor:
        """Put a picture of this crop back into the photo, with a soft edge.

        Args:
            photo: (C, H, W) in [0, 1].
            patch: (C, S, S) in [0, 1]; S need not be the size of the crop (a restored face is larger).
            mask: (1, S', S') in [0, 1]: how much of the patch counts where; all of it by default.
            feather: Width of the soft edge as a share of the side; 0 for a hard one.

        Returns:
            (C, H, W): the photo itself where the patch does not reach.
        """
        height, width = photo.shape[-2:]
        corner = self.size - 0.5
        corners = self.to_photo(torch.tensor([[-0.5, -0.5], [corner, -0.5], [-0.5, corner], [corner, corner]]).double())
        left, top = (max(0, math.ceil(v)) for v in corners.amin(dim=0).tolist())
        right = min(width, math.floor(float(corners[:, 0].max())) + 1)
        bottom = min(height, math.floor(float(corners[:, 1].max())) + 1)
        if right <= left or bottom <= top:
            return photo.clone()
        y, x = torch.meshgrid(
            torch.arange(top, bottom, device=photo.device, dtype=torch.float64),
            torch.arange(left, right, device=photo.device, dtype=torch.float64),
            indexing="ij",
        )
        # In units of the crop: 0 at its left or upper edge, 1 at the opposite one.
        place = (self.to_crop(torch.stack([x, y], dim=-1)) + 0.5) / self.size
        inside = torch.minimum(place, 1 - place).amin(dim=-1)
        if feather > 0:
            ramp = (inside / feather).clamp(0, 1)
            weight = (ramp * ramp * (3 - 2 * ramp)).to(photo)[None]
        else:
            weight = (inside >= 0).to(photo)[None]
        if mask is not None:
            weight = weight * self._warp(mask.to(photo), place)
        result = photo.clone()
        window = result[:, top:bottom, left:right]
        result[:, top:bottom, left:right] = window + weight * (self._warp(patch.to(photo), place) - window)
        return result

    def _warp(self, patch: Tensor, place: Tensor) -> Tensor:
        fitting = max(1, round(self.side))
        if patch.shape[-1] > fitting:
            patch = interpolate(patch[None], (fitting, fitting), mode="bicubic", antialias=True)[0].clamp(0, 1)
        return _sample(patch, place * patch.shape[-1] - 0.5)

    def _turn(self, like: Tensor) -> Tensor:
        cos, sin = math.cos(self.roll), math.sin(self.roll)
        return like.new_tensor([[cos, -sin], [sin, cos]])


def square_crop(
    image: Tensor, face: Face, size: int, *, margin: float = 0.0, align: bool = False
) -> tuple[Tensor, Crop]:
    """Cut the square around a face that networks are given: the framing of ``zoo.faces.FACE_CROP``.

    Args:
        image: (C, H, W) in [0, 1].
        face: From ``detect_faces``; its landmarks decide where it has some, else its box.
        size: Height and width of the crop in pixels.
        margin: What to add on each edge, as a share of the side.
        align: Whether to turn the crop with the head, so that the eyes lie level in it.

    Returns:
        The crop (C, size, size), and where it lies: ``Crop.paste`` is the way back.
    """
    x, y, side = crop_box(face)
    crop = Crop((x, y), side * (1 + 2 * margin), size, face.roll if align else 0.0)
    return crop.cut(image), crop


def _sample(picture: Tensor, points: Tensor) -> Tensor:
    """Read (C, H, W) at points (h, w, 2) in pixels, bicubically; its border goes on outside."""
    height, width = picture.shape[-2:]
    extent = points.new_tensor([width, height])
    grid = ((points * 2 + 1) / extent - 1).to(picture)[None]
    return grid_sample(picture[None], grid, mode="bicubic", padding_mode="border", align_corners=False)[0].clamp(0, 1)
