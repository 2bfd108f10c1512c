"""What a network of face intrinsics does to portraits, in numbers that need no truth."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from datamodules.face_mask import mask_from_landmarks, polygon_mask
from lightning_modules.base import ZooModule
from zoo.faces import read_landmarks, square_crop
from zoo.faces.landmark_files import face_from_landmarks
from zoo.faces.landmarks import find_landmarks
from zoo.imaging import read_image, srgb_to_linear

_LUMINANCE = torch.tensor([0.2126, 0.7152, 0.0722])[:, None, None]
_BROWS = (range(17, 22), range(22, 27))
_LIPS = range(48, 60)


def portraits(folder: Path, size: int) -> list[tuple[str, Tensor, Tensor]]:
    """Name, crop (3,size,size), and 68 landmarks (68,2) found in it, of every portrait with known points."""
    found = []
    for path in sorted(folder.glob("*.jpg")):
        photo = read_image(path)
        face = face_from_landmarks(read_landmarks(path.with_suffix(".txt"), photo))
        image, crop = square_crop(photo, face, size)
        landmarks = find_landmarks(photo, face).landmarks
        assert landmarks is not None
        found.append((path.stem, image, crop.to_crop(landmarks)))
    return found


@torch.no_grad()
def measure(model: ZooModule, image: Tensor, landmarks: Tensor) -> dict[str, float]:
    """Where the lips' and brows' darkness goes, what side a lamp brightens, and what happens to the skin's colour.

    Returns:
        ``lips_in_shading``, ``brows_in_shading``: share of the contrast to the skin around them that stands in the
        shading, 0 where it all stands in the albedo; ``left_lamp``, ``right_lamp``: how many times brighter a lamp
        makes the side of the face that it stands on than the other one; ``redness_image``, ``redness_albedo``: R / G
        of the skin.
    """
    size = image.shape[-1]
    layers = model(image[None])
    views = model.views(layers)
    face = mask_from_landmarks(landmarks[None], size, size)[0, 0] > 0.5
    albedo, shading = ((layers[key][0] * _LUMINANCE).sum(0).clamp_min(1e-3) for key in ("albedo", "shading"))
    values = {}
    for name, outlines in (("lips", [landmarks[list(_LIPS)]]), ("brows", [_strip(landmarks[list(b)]) for b in _BROWS])):
        inside, around = _regions(outlines, size, face)
        contrast = [(layer[around].log().mean() - layer[inside].log().mean()) for layer in (albedo, shading)]
        values[f"{name}_in_shading"] = float(contrast[1] / (contrast[0] + contrast[1]))
    x = torch.arange(size)[None].expand(size, size)
    middle = landmarks[27:31, 0].mean()
    for side, on_left in (("left", True), ("right", False)):
        lit = (srgb_to_linear(views[f"light from the {side}"])[0] * _LUMINANCE).sum(0)
        left, right = lit[face & (x < middle)].mean(), lit[face & (x >= middle)].mean()
        values[f"{side}_lamp"] = float(left / right if on_left else right / left)
    for name, picture in (("image", srgb_to_linear(image)), ("albedo", layers["albedo"][0])):
        red, green, _ = picture[:, face].mean(1)
        values[f"redness_{name}"] = float(red / green)
    return values


def _strip(brow: Tensor) -> Tensor:
    """The outline of a brow around its five points."""
    half = 0.12 * (brow[-1] - brow[0]).norm() * brow.new_tensor([0.0, 1.0])
    return torch.cat((brow - half, brow.flip(0) + half))


def _regions(outlines: list[Tensor], size: int, face: Tensor) -> tuple[Tensor, Tensor]:
    """What lies inside outlines, and the skin in a band around them; both (size,size) bools."""
    inside, near, wide = (torch.zeros(size, size, dtype=torch.bool) for _ in range(3))
    for outline in outlines:
        centre = outline.mean(0)
        reach = 0.12 * (outline[:, 0].max() - outline[:, 0].min())
        away = (outline - centre) / (outline - centre).norm(dim=1, keepdim=True).clamp_min(1e-6)
        for region, grown in ((inside, 0.0), (near, 1.0), (wide, 3.0)):
            region |= polygon_mask((outline + grown * reach * away)[None], size, size)[0]
    return inside, wide & ~near & face
