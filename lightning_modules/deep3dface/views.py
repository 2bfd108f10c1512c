"""What a person looks at: the face over its picture, clay, skin without light, light without skin, a wireframe."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from scipy.sparse.csgraph import connected_components
from torch import Tensor
from torch.nn.functional import interpolate

from lightning_modules.deep3dface.coefficients import split
from lightning_modules.deep3dface.decoder import FaceDecoder
from zoo.faces.landmarks import draw_landmarks
from zoo.imaging import BACKGROUND, linear_to_srgb
from zoo.meshes import clay, draw_edges, draw_smoothly, neighbours, softened

__all__ = ["crop_screen", "face_opacity", "face_views"]

_SIDE = 448
"""Height and width of the views; an aligned crop alone is too small to judge a face by."""
_WHITE = 0.98
"""Shading is shown so that this share of the face lies below white: albedo and light are known up to a factor."""
_TOLERANCE = 0.04
"""Decimetres that a line of the wireframe may run below the surface."""


def face_views(decoder: FaceDecoder, prediction: Mapping[str, Tensor], side: int = _SIDE) -> dict[str, Tensor]:
    """Titled pictures of reconstructed faces.

    Args:
        decoder: Of the whole face model, not cut to the front.
        prediction: What the module's ``forward`` gave: coefficients, vertices, landmarks and picture.
        side: Height and width of the pictures, which show the aligned crop.

    Returns:
        (B,3,side,side) each, sRGB in [0,1], on the CPU: overlay, shape, albedo, shading, wireframe, landmarks.
    """
    parts = split(prediction["coefficients"], decoder.sizes)
    decoded = {name: value.cpu() for name, value in decoder(parts).items()}
    places, pictures = prediction["vertices"].cpu(), prediction["picture"].cpu()
    rows = [
        _views(decoder, {name: value[row] for name, value in decoded.items()}, place, picture, side)
        for row, (place, picture) in enumerate(zip(places, pictures, strict=True))
    ]
    views = {title: torch.stack([each[title] for each in rows]) for title in rows[0]}
    points = (prediction["landmarks"].cpu() + 0.5) * (side / pictures.shape[-1]) - 0.5
    return {**views, "landmarks": draw_landmarks(_enlarged(pictures, side), points)}


def crop_screen(decoder: FaceDecoder, vertices: Tensor) -> Tensor:
    """Where vertices (B,V,3) of the contract lie in the aligned crop (B,V,3): pixels of the decoder's size, depth."""
    return decoder.camera.project(vertices)


def face_opacity(decoder: FaceDecoder) -> Tensor:
    """How much of each vertex belongs to the face rather than the rest of the head: 1 inside, soft at the rim.

    What lies within the face and is no part of its front, such as the inside of the mouth, teeth and the pockets behind
    the lids, belongs to it: otherwise the photo would show through.

    Args:
        decoder: Of the whole face model.

    Returns:
        (V,) in [0,1].
    """
    place = decoder.model.mean[:, :2].cpu().numpy()
    front = np.zeros(len(place), bool)
    front[decoder.front_triangles.unique().cpu().numpy()] = True
    near = neighbours(decoder.triangles.cpu(), len(place))
    rest = np.flatnonzero(~front)
    part = np.full(len(place), -1)
    part[rest] = connected_components(near[rest][:, rest], directed=False)[1]
    low, high = place[front].min(0), place[front].max(0)
    outside = ~((place > low) & (place < high)).all(1)
    inside = ~front & ~np.isin(part, part[outside & ~front])
    face = (front | inside).astype(float)
    return torch.ones(len(face)) if face.all() else torch.from_numpy(softened(face, near)).float()


def _views(
    decoder: FaceDecoder, decoded: Mapping[str, Tensor], vertices: Tensor, picture: Tensor, side: int
) -> dict[str, Tensor]:
    triangles = decoder.triangles.cpu()
    scale = side / decoder.size
    screen = crop_screen(decoder, vertices[None])[0]
    screen = torch.cat(((screen[:, :2] + 0.5) * scale - 0.5, screen[:, 2:]), 1)
    shading = decoded["shading"].clamp_min(0)
    shading = shading / shading[decoder.skin.cpu()].quantile(_WHITE).clamp_min(1e-6)
    if decoder.lighting == "linear":
        shading = linear_to_srgb(shading)
    solid = torch.cat((clay(decoded["normals"]), decoded["texture"].clamp(0, 1), shading.clamp(0, 1)), 1)
    drawn, coverage = draw_smoothly(screen, triangles, solid, side, side)
    shape, albedo, shading = (drawn + (1 - coverage) * BACKGROUND).clamp(0, 1).split(3)
    face, cover = draw_smoothly(
        screen, triangles, decoded["colour"].clamp(0, 1), side, side, opacity=face_opacity(decoder)
    )
    shown = _enlarged(picture[None], side)[0]
    tolerance = _TOLERANCE / decoder.decimetres_per_unit
    pale = torch.lerp(shape, torch.full_like(shape, BACKGROUND), 0.35)
    facing = torch.nn.functional.cosine_similarity(decoded["normals"], -vertices, dim=1)
    wires = draw_edges(pale, screen, triangles, facing, tolerance=tolerance)
    return {
        "overlay": (face + (1 - cover) * shown).clamp(0, 1),
        "shape": shape,
        "albedo": albedo,
        "shading": shading,
        "wireframe": wires,
    }


def _enlarged(pictures: Tensor, side: int) -> Tensor:
    return interpolate(pictures, (side, side), mode="bicubic", antialias=True, align_corners=False).clamp(0, 1)
