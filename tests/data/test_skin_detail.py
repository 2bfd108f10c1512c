"""Freckles and hairs: the same on every machine, fixed to the skin, gone when too small, and none where not wanted."""

from __future__ import annotations

import pytest
import torch

from datamodules.faces import FaceRenderer
from datamodules.faces.skin_detail import SkinDetail, skin_detail
from datamodules.sampling.camera import CameraRange
from datamodules.sampling.draws import Draws
from datamodules.sampling.pose import PoseRange
from zoo.morphable import MorphableModel
from zoo.morphable.canonical import template

PEOPLE = 12


def person(*indices: int) -> Draws:
    return Draws(0, "train", indices or range(PEOPLE))


def cheek(millimetres: float, pixels: int = 48, shift: float = 0.0) -> torch.Tensor:
    """Places on a flat cheek, ``millimetres`` to a pixel: (1,3,h,w)."""
    steps = (torch.arange(pixels) - pixels / 2) * millimetres + shift
    y, x = torch.meshgrid(-steps - 25, steps + 30, indexing="ij")
    return torch.stack((x, y, torch.full_like(x, 80.0)))[None]


def only(kind: int, like: torch.Tensor) -> torch.Tensor:
    """Skin, and all of one kind of cover beside it: (B,4,h,w)."""
    cover = torch.zeros(len(like), 4, *like.shape[2:])
    cover[:, 0] = 1
    cover[:, kind] = 1
    return cover


def test_a_person_has_the_same_skin_in_any_batch() -> None:
    place = cheek(0.5)
    many = skin_detail(person(), place.expand(PEOPLE, -1, -1, -1), only(0, place).expand(PEOPLE, -1, -1, -1))
    alone = skin_detail(person(5), place, only(0, place))
    torch.testing.assert_close(many[5:6], alone)
    assert (many[4] - many[5]).abs().max() > 0.02


def test_it_sticks_to_the_skin() -> None:
    """Two cameras that look at overlapping pieces of a cheek see the same detail where they see the same skin."""
    one, other = cheek(0.5), cheek(0.5, shift=5.0)  # ten pixels on
    first, second = (skin_detail(person(2), place, only(0, place)) for place in (one, other))
    torch.testing.assert_close(first[..., 11:47, 11:47], second[..., 1:37, 1:37], atol=1e-4, rtol=0)
    assert first.std() > 0.005


@pytest.mark.parametrize("kind", range(4))
def test_it_neither_darkens_nor_brightens(kind: int) -> None:
    place = cheek(0.6, 64).expand(PEOPLE, -1, -1, -1)
    factors = skin_detail(person(), place, only(kind, place))
    assert (factors > 0.2).all()
    assert factors.mean((1, 2, 3)).sub(1).abs().max() < 0.1
    assert factors.std((1, 2, 3)).min() > 0.003


def test_what_is_finer_than_a_pixel_is_gone() -> None:
    near, far, very_far = (cheek(size).expand(PEOPLE, -1, -1, -1) for size in (0.4, 3.0, 12.0))
    strength = [skin_detail(person(), place, only(0, place)).std() for place in (near, far, very_far)]
    assert strength[0] > 1.3 * strength[1] > 0
    assert strength[2] == 0


def test_no_detail_where_there_is_no_skin() -> None:
    place = cheek(0.5)
    assert (skin_detail(person(0), place, torch.zeros(1, 4, 48, 48)) == 1).all()


def test_eyes_and_teeth_are_left_alone() -> None:
    """Each triangle drawn as two pixels; what is no triangle of the model counts as nothing."""
    model = MorphableModel(template())
    detail = SkinDetail(model)
    triangles = torch.arange(len(model.triangles) + 5)[None, :, None].expand(-1, -1, 2)
    corners = torch.full((1, 3, *triangles.shape[1:]), 1 / 3)
    factors = detail(person(3), triangles, corners)[0, :, :, 0]
    assert (factors[:, len(model.triangles) :] == 1).all()
    assert model.labels is not None
    eyes = torch.from_numpy(template().vertices_of("sclera", "iris", "pupil", "teeth"))[model.triangles].all(1)
    of_model = factors[:, : len(model.triangles)]
    assert (of_model[:, eyes] == 1).all()
    assert (of_model[:, : len(eyes) // 2] != 1).float().mean() > 0.5


def rendered(model: MorphableModel, **options: object) -> dict[str, torch.Tensor]:
    keys = ("image", "albedo", "mask", "normal", "landmarks")
    return FaceRenderer(model, 96, keys=keys, occluders=0.0, **options).render("train", range(4))  # type: ignore[arg-type]


def test_albedo_holds_it_and_it_can_be_left_out(tiny_model: MorphableModel) -> None:
    still = {"pose": PoseRange(), "camera": CameraRange()}
    plain, detailed = rendered(tiny_model, detail=False, **still), rendered(tiny_model, **still)
    inside = (plain["mask"] * detailed["mask"]) > 0
    ratio = (detailed["albedo"] / plain["albedo"].clamp_min(1e-4))[inside.expand(-1, 3, -1, -1)]
    assert ratio.std() > 0.004
    assert abs(ratio.mean() - 1) < 0.03
    for key in ("normal", "landmarks"):
        shared = inside.expand_as(plain[key]) if key == "normal" else torch.ones_like(plain[key], dtype=torch.bool)
        torch.testing.assert_close(plain[key][shared], detailed[key][shared])
