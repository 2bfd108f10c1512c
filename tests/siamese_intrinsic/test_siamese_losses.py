"""Each term of the siamese losses against answers by hand."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from toy_pairs import toy_pairs

from lightning_modules.siamese_intrinsic.losses import (
    Layers,
    embedding_loss,
    gradient_loss,
    masked_l1,
    pixel_margin_loss,
    reconstruction_loss,
    scale_invariant_l1,
    scale_prior,
    scene_margin_loss,
)
from lightning_modules.siamese_intrinsic.module import SiameseIntrinsic
from zoo.imaging import srgb_to_linear


def plane(*values: float) -> Tensor:
    """One grey row."""
    return torch.tensor(values, dtype=torch.float32).reshape(1, 1, 1, -1)


def layers(image: Tensor, albedo: Tensor, shading: Tensor, assignment: Tensor | None = None) -> Layers:
    return Layers(image, albedo, shading, torch.zeros_like(image[:, :1]) if assignment is None else assignment)


def test_only_valid_pixels_are_averaged() -> None:
    difference = torch.tensor([1.0, -3.0, 100.0]).reshape(1, 1, 1, 3).expand(1, 3, 1, 3)
    assert masked_l1(difference, plane(1, 1, 0)).item() == 2
    assert masked_l1(difference, plane(0, 0, 0)).item() == 0


def test_reconstruction_by_hand() -> None:
    """I = 0.6 and 0.2; A = 0.5 and 0.4, S = 1 and 1: self 0.1 + 0.2, crossed |0.6 - 0.4| + |0.2 - 0.5|."""
    one = layers(plane(0.6), plane(0.5), plane(1.0))
    two = layers(plane(0.2), plane(0.4), plane(1.0))
    assert reconstruction_loss(one, two, plane(1.0)).item() == pytest.approx(0.1 + 0.2 + 0.2 + 0.3)


def test_gradients_by_hand() -> None:
    """A row with one step: I from 1 to e^2, half of it paint's; A flat is wrong by 1, S that takes all of it by 1.

    There are no differences in y, and each norm is the mean over both directions.
    """
    image, half = plane(1.0, math.e**2), plane(0.5, 0.9)
    flat, all_of_it = plane(1.0, 1.0), image
    found = gradient_loss(layers(image, flat, all_of_it, half), plane(1, 1))
    assert found.item() == pytest.approx((1 + 1) / 2)
    right = layers(image, plane(1.0, math.e), plane(1.0, math.e), half)
    assert gradient_loss(right, plane(1, 1)).item() == pytest.approx(0, abs=1e-6)
    linear = gradient_loss(layers(plane(0.2, 0.6), plane(0.1, 0.2), plane(0.5, 0.5), half), plane(1, 1), "linear")
    assert linear.item() == pytest.approx((abs(0.1 - 0.2) + abs(0 - 0.2)) / 2)
    assert gradient_loss(layers(image, flat, flat, half), plane(1, 0)).item() == 0


def test_white_and_flat_are_no_worse_than_the_truth_until_the_embedding_speaks() -> None:
    """The trap that the embedding is there for: albedo 1, and all of the picture in the light, costs nothing."""
    batch = toy_pairs(3)
    images = [srgb_to_linear(batch["image"]), srgb_to_linear(batch["relit"][:, 0])]
    lights = [batch["shading"], batch["relit_shading"][:, 0]]
    white = [layers(image, torch.ones_like(image), image) for image in images]
    # an edge of a patch is paint, all else is light: the best that one number a pixel can say
    edges = batch["albedo"].diff(dim=-1, append=batch["albedo"][..., -1:]).abs().amax(1, keepdim=True) > 0
    edges |= batch["albedo"].diff(dim=-2, append=batch["albedo"][..., -1:, :]).abs().amax(1, keepdim=True) > 0
    truth = [layers(i, batch["albedo"], s, edges.float()) for i, s in zip(images, lights, strict=True)]
    mask = batch["mask"]
    for pair in (white, truth):
        assert reconstruction_loss(pair[0], pair[1], mask).item() == pytest.approx(0, abs=1e-6)
    assert sum(gradient_loss(each, mask).item() for each in white) == pytest.approx(0, abs=1e-6)
    assert sum(gradient_loss(each, mask).item() for each in truth) > 1e-4
    terms = []
    for one, two in (white, truth):
        apart = scene_margin_loss(one.albedo, mask, 16, 0.3, torch.Generator().manual_seed(0))
        terms.append(embedding_loss(one, two, mask, apart).item())
    assert terms == [pytest.approx(0.3), pytest.approx(0.0, abs=1e-6)]


def test_scenes_keep_their_distance_by_hand() -> None:
    """Unit means: (2/3, 4/3) and (1, 1), a distance of 1/3; brightness is no distance."""
    albedo = torch.cat([plane(0.2, 0.4), plane(0.3, 0.3)]).expand(2, 3, 1, 2)
    mask = torch.ones(2, 1, 1, 2)
    assert scene_margin_loss(albedo, mask, 5, 0.5).item() == pytest.approx(0.5 - 1 / 3)
    assert scene_margin_loss(albedo, mask, 5, 0.3).item() == 0
    assert scene_margin_loss(torch.cat([albedo[:1], 2 * albedo[:1]]), mask, 5, 0.5).item() == pytest.approx(0.5)
    assert scene_margin_loss(albedo[:1], mask[:1], 5, 0.5).item() == 0
    apart = torch.cat([plane(1.0, 0.0), plane(0.0, 1.0)])
    assert scene_margin_loss(albedo, apart, 5, 0.5).item() == 0


def test_pairs_are_of_different_scenes() -> None:
    """Three scenes of which any two keep the margin, though none keeps it from itself."""
    albedo = torch.eye(3).reshape(3, 1, 1, 3).expand(3, 3, 1, 3) + 0.1
    for seed in range(20):
        draws = torch.Generator().manual_seed(seed)
        assert scene_margin_loss(albedo, torch.ones(3, 1, 1, 3), 8, 0.5, draws).item() == 0


def test_pixels_of_different_colour_keep_their_distance() -> None:
    red, green = torch.tensor([0.5, 0.1, 0.1]), torch.tensor([0.1, 0.5, 0.1])
    image = torch.stack([red, green], -1).reshape(1, 3, 1, 2)
    grey = torch.full_like(image, 0.4)
    mask = torch.ones(1, 1, 1, 2)
    one = layers(image, grey, image)
    draws = torch.Generator().manual_seed(0)
    assert pixel_margin_loss(one, one, mask, 64, 0.3, draws).item() == pytest.approx(0.3)
    assert pixel_margin_loss(layers(image, image, grey), one, mask, 64, 0.3, draws).item() == 0
    lit = layers(grey, grey, grey)  # the colours came with the first light alone
    assert pixel_margin_loss(one, lit, mask, 64, 0.3, draws).item() == 0
    dark = layers(0.1 * image, grey, grey)
    assert pixel_margin_loss(dark, one, mask, 64, 0.3, draws).item() == pytest.approx(0.3)


def test_the_scale_is_held_for_the_batch_and_not_for_each_pixel() -> None:
    """Albedo 0.1 and 0.5 in one picture, 0.3 and 0.9 in the other, of which the last pixels are not valid."""
    one, two = (layers(albedo, albedo, albedo) for albedo in (plane(0.1, 0.5, 9), plane(0.3, 0.9, 9)))
    mask = plane(1, 1, 0)
    assert scale_prior(one, two, mask, 0.45).item() == pytest.approx(0, abs=1e-6)
    assert scale_prior(one, two, mask, 0.3).item() == pytest.approx(0.15)


def test_supervision_by_hand() -> None:
    """x = (1, 1), y = (1, 3): alpha 2, and |alpha x - y| = 1; grey answers are held against grey."""
    assert scale_invariant_l1(plane(1, 1), plane(1, 3), plane(1, 1)).item() == pytest.approx(1)
    assert scale_invariant_l1(plane(1, 1), plane(1, 3), plane(1, 0)).item() == pytest.approx(0)
    colour = torch.tensor([0.5, 1.0, 1.5]).reshape(1, 3, 1, 1).expand(1, 3, 1, 2) * plane(1, 3)
    assert scale_invariant_l1(plane(1, 1), colour, plane(1, 1)).item() == pytest.approx(1)


def test_labels_count_where_a_sample_has_them() -> None:
    batch = toy_pairs(2)
    module = SiameseIntrinsic(width=4, weight_supervised=1.0).eval()
    with torch.no_grad():
        prediction = module.answer(batch)
        alone = module.losses(prediction, {**batch, "labelled": torch.tensor([1.0, 0.0])})["supervised"]
        hidden = torch.cat([batch["albedo"][:1], torch.zeros_like(batch["albedo"][:1])])
        again = module.losses(prediction, {**batch, "albedo": hidden, "labelled": torch.tensor([1.0, 0.0])})
        none = module.losses(prediction, {**batch, "labelled": torch.zeros(2)})["supervised"]
        all_of_them = module.losses(prediction, batch)["supervised"]
    assert alone == again["supervised"]
    assert none == 0
    assert 0 < alone != all_of_them
    assert "supervised" not in SiameseIntrinsic(width=4).losses(prediction, batch)
