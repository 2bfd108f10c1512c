"""The files of one reconstructed face: overlay, points, coefficients, meshes, turntable."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lightning_modules.deep3dface.coefficients import split
from lightning_modules.deep3dface.decoder import FaceDecoder
from lightning_modules.deep3dface.views import crop_screen, face_opacity
from zoo.contract import LANDMARK_PARTS
from zoo.faces import Crop
from zoo.files import written_whole
from zoo.imaging import srgb_to_linear, write_image
from zoo.imaging.animation import write_gif
from zoo.inference import Prediction
from zoo.meshes import (
    ColouredMesh,
    bake_texture,
    draw_smoothly,
    see_in_photo,
    texture_map,
    turntable,
    write_glb,
    write_obj,
)
from zoo.render import vertex_normals

__all__ = ["coloured_head", "overlay_on_photo", "photo_screen", "write_face"]

_BEHIND = 0.03
"""Decimetres by which a vertex may lie behind what hides it and still take its colour from the photo."""

_CONTRAST = 0.35
"""Of the light where the photo does not reach."""


def write_face(decoder: FaceDecoder, found: Prediction, folder: Path) -> list[Path]:
    """Write what is left of a face beside its pictures.

    - ``photo_overlay.jpg``: the lit face laid over the whole photo
    - ``landmarks.json``: 68 points in pixels of the photo
    - ``coefficients.npz``: the numbers, by name
    - ``head.obj`` with ``head.mtl`` and ``head.png``, ``head.glb``: the mesh with the photo's colours; metres, y up,
      the face looks along z
    - ``turntable.gif``: that mesh, turned

    Args:
        decoder: Of the whole face model, not cut to the front.
        found: From ``zoo.inference.predict_image``.
        folder: Where they shall lie.

    Returns:
        The files.

    Raises:
        UserError: The folder cannot be written to.
    """
    outputs = found.outputs
    device = decoder.triangles.device
    parts = split(outputs["coefficients"].to(device), decoder.sizes)
    decoded = {name: value[0].cpu() for name, value in decoder(parts).items()}
    crop, screen = _crop(found), photo_screen(decoder, found)

    write_image(folder / "photo_overlay.jpg", overlay_on_photo(decoder, decoded["colour"], screen, found.photo))
    points = crop.to_photo(outputs["landmarks"][0].double())
    files = [folder / "photo_overlay.jpg", _write_landmarks(folder / "landmarks.json", points, found.photo)]
    files.append(_write_coefficients(folder / "coefficients.npz", decoder, parts, outputs))
    head = coloured_head(decoder, decoded, parts, outputs["vertices"][0], screen, found.photo)
    files += write_obj(folder / "head.obj", head)
    files.append(write_glb(folder / "head.glb", head))
    files.append(write_gif(folder / "turntable.gif", turntable(head)))
    return files


def photo_screen(decoder: FaceDecoder, found: Prediction) -> Tensor:
    """Where the vertices (V,3) lie in the photo: pixels, and depth in units of the model."""
    crop = _crop(found)
    inner = crop_screen(decoder, found.outputs["vertices"])[0]
    place = (inner[:, :2] + 0.5) * (crop.size / decoder.size) - 0.5
    return torch.cat((crop.to_photo(place), inner[:, 2:]), 1)


def overlay_on_photo(decoder: FaceDecoder, colour: Tensor, screen: Tensor, photo: Tensor) -> Tensor:
    """The lit face over the whole photo.

    Args:
        decoder: Says what belongs to the face.
        colour: (V,3) display-encoded.
        screen: (V,3) the vertices in pixels of the photo, and their depth.
        photo: (3,H,W) sRGB in [0,1].

    Returns:
        (3,H,W) sRGB in [0,1].
    """
    height, width = photo.shape[-2:]
    seen = screen[decoder.front_triangles.unique().cpu()][:, :2]
    left, top = (int(max(0, each - 2)) for each in seen.amin(0).floor().tolist())
    right, bottom = (
        int(min(limit, each + 3)) for each, limit in zip(seen.amax(0).ceil().tolist(), (width, height), strict=True)
    )
    result = photo.clone()
    if right <= left or bottom <= top:
        return result
    moved = screen - screen.new_tensor([left, top, 0])
    face, cover = draw_smoothly(
        moved, decoder.triangles.cpu(), colour.clamp(0, 1), bottom - top, right - left, opacity=face_opacity(decoder)
    )
    window = result[:, top:bottom, left:right]
    result[:, top:bottom, left:right] = (face + (1 - cover) * window).clamp(0, 1)
    return result


def coloured_head(
    decoder: FaceDecoder,
    decoded: Mapping[str, Tensor],
    parts: Mapping[str, Tensor],
    vertices: Tensor,
    screen: Tensor,
    photo: Tensor,
) -> ColouredMesh:
    """The head with the photo's colours, in its own frame: metres, y up, looking along z.

    Args:
        decoder: Of the whole face model.
        decoded: One face as the decoder gave it, without the batch.
        parts: Its coefficients, a batch of one.
        vertices: (V,3) as the contract has them.
        screen: (V,3) in pixels of the photo, and depth.
        photo: (3,H,W) sRGB in [0,1].
    """
    model, triangles = decoder.model, decoder.triangles.cpu()
    seen = see_in_photo(
        vertices,
        decoded["normals"],
        triangles,
        screen,
        photo,
        _in_soft_light(decoder, decoded),
        face_opacity(decoder) > 0.5,
        tolerance=_BEHIND / decoder.decimetres_per_unit,
    )
    shape = model.shape(parts["identity"], parts["expression"]).cpu()
    layout = texture_map(model.data)
    return ColouredMesh(
        vertices=(shape[0] * model.metres_per_unit).numpy(),
        triangles=triangles.numpy(),
        normals=vertex_normals(shape, triangles)[0].numpy(),
        texture_map=layout,
        texture=None if layout is None else bake_texture(seen, layout),
        colours=seen.colours().numpy(),
    )


def _in_soft_light(decoder: FaceDecoder, decoded: Mapping[str, Tensor]) -> Tensor:
    """Linear colours (V,3) in a light of less contrast than the photo's.

    Nine numbers know little of the sides that no picture shows, and would leave the back of the head black.
    """
    shading = decoded["shading"].clamp_min(0)
    mean = shading[decoder.skin.cpu()].mean(0)
    soft = mean + _CONTRAST * (shading - mean)
    texture = decoded["texture"].clamp(0, 1)
    if decoder.lighting == "encoded":
        return srgb_to_linear((texture * soft).clamp(0, 1))
    return srgb_to_linear(texture) * soft


def _crop(found: Prediction) -> Crop:
    if found.crop is None:
        raise ValueError("a face is written in terms of its photo, and this one does not say where in it it lies.")
    return found.crop


def _write_landmarks(path: Path, points: Tensor, photo: Tensor) -> Path:
    """Points (68,2) in pixels of the photo as JSON that says itself what it holds."""
    content: dict[str, Any] = {
        "convention": "68 iBUG points in pixels of the photo: x to the right, y down, the centre of the top-left pixel "
        "is (0, 0); right and left in the names of the parts are the person's own",
        "width": photo.shape[-1],
        "height": photo.shape[-2],
        "parts": {name: [part.start, part.stop - 1] for name, part in LANDMARK_PARTS.items()},
        "landmarks": [[round(x, 2), round(y, 2)] for x, y in points.tolist()],
    }
    lines = json.dumps(content, indent=1, ensure_ascii=False)
    with written_whole(path) as part:
        part.write_text(lines + "\n", encoding="utf-8")
    return path


def _write_coefficients(
    path: Path, decoder: FaceDecoder, parts: Mapping[str, Tensor], outputs: Mapping[str, Tensor]
) -> Path:
    """The coefficients by name, and all of them in the paper's order."""
    arrays: dict[str, Any] = {name: value[0].cpu().numpy() for name, value in parts.items()}
    arrays["coefficients"] = outputs["coefficients"][0].numpy()
    arrays["light"] = outputs["light"][0].numpy()
    arrays["face_model"] = np.array(decoder.model.name)
    arrays["metres_per_unit"] = np.array(decoder.model.metres_per_unit)
    with written_whole(path) as part, part.open("wb") as file:
        np.savez_compressed(file, **arrays)
    return path
