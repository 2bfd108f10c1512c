"""Random draws: the same everywhere, sane, and each within its bounds."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from datamodules.sampling.background import draw_background
from datamodules.sampling.camera import CameraRange, draw_framing
from datamodules.sampling.coefficients import draw_expression, draw_identity
from datamodules.sampling.draws import SPLITS, Draws, noise
from datamodules.sampling.light import draw_light, expose, hemisphere_light
from datamodules.sampling.occluder import draw_occluders
from datamodules.sampling.pose import PoseRange, draw_rotation
from zoo.morphable import MorphableModel
from zoo.render.sh import shade

PINNED_UNIFORM = [0.23427120283319136, 0.1617027706064248, 0.9529815981287063]
PINNED_NORMAL = [-0.7225160962165906, -0.983762689491674]
MANY = Draws(0, "train", range(400))


def test_pinned_values() -> None:
    """These numbers are the promise that sample i is the same on every machine."""
    draws = Draws(7, "val", [5])
    np.testing.assert_allclose(draws.uniform("light", 3)[0], PINNED_UNIFORM, rtol=1e-12)
    np.testing.assert_allclose(draws.normal("light", 2)[0], PINNED_NORMAL, rtol=1e-9)


def lowbias32(x: int) -> int:
    x = (x ^ (x >> 16)) * 0x7FEB352D & 0xFFFFFFFF
    x = (x ^ (x >> 15)) * 0x846CA68B & 0xFFFFFFFF
    return x ^ (x >> 16)


def test_noise_is_the_hash_it_claims() -> None:
    words = [0, 1, 12345, 2**31, 2**32 - 1]
    expected = [[(lowbias32(lowbias32(word) ^ i) >> 8) / 2**24 for i in range(6)] for word in words]
    assert noise(torch.tensor(words), 2, 3).flatten(1).tolist() == expected


def test_noise_is_white() -> None:
    white = noise(MANY.words("noise")[:4], 128, 128)
    assert white.mean().item() == pytest.approx(0.5, abs=0.005)
    assert white.std().item() == pytest.approx(12**-0.5, abs=0.005)
    for other in (white[:, 1:], white[:, :, 1:], white.roll(1, 0)):
        pair = white[:, : other.shape[1], : other.shape[2]]
        assert abs(torch.corrcoef(torch.stack((pair.flatten(), other.flatten())))[0, 1]) < 0.02


def test_a_sample_does_not_depend_on_its_batch() -> None:
    alone, together = Draws(3, "train", [11]), Draws(3, "train", [10, 11])
    for make in (lambda d: draw_light(d).sh, lambda d: draw_rotation(d, PoseRange()), lambda d: draw_background(d, 32)):
        assert torch.equal(make(alone)[0], make(together)[1])


def test_splits_seeds_and_purposes_share_nothing() -> None:
    values = [Draws(seed, split, [0]).uniform(p)[0] for seed in (0, 1) for split in SPLITS for p in ("a", "b")]
    assert len(set(values)) == len(values)


def test_truncation_redistributes() -> None:
    values = MANY.normal("x", 50, limit=1.0)
    assert np.abs(values).max() < 1
    assert values.std() == pytest.approx(0.5396, abs=0.01)  # of a standard normal cut at 1
    assert (np.abs(values) > 0.999).mean() < 0.01, "clamped values would pile up at the limit"


def test_pose_keeps_its_limits() -> None:
    degrees = draw_rotation(MANY, PoseRange(yaw=25, yaw_limit=60, roll=0)).rad2deg()
    assert degrees[:, 1].abs().max() <= 60
    assert degrees[:, 1].std().item() == pytest.approx(24, abs=3)
    assert degrees[:, 0].abs().max() <= 30
    assert (degrees[:, 2] == 0).all()


def test_framing_covers_the_range_of_views() -> None:
    framing = draw_framing(MANY, CameraRange())
    assert 10 <= framing.fov.rad2deg().min() < 12
    assert 45 < framing.fov.rad2deg().max() <= 50


def test_hemisphere_light() -> None:
    sky, ground = torch.tensor([[1.0, 2.0, 3.0]]), torch.tensor([[0.5, 0.2, 0.1]])
    light = hemisphere_light(sky, ground)
    up, down, side = (torch.tensor(n).view(1, 3, 1, 1) for n in ([0.0, 1, 0], [0.0, -1, 0], [0.6, 0, 0.8]))
    torch.testing.assert_close(shade(up, light).flatten(), sky[0])
    torch.testing.assert_close(shade(down, light).flatten(), ground[0])
    torch.testing.assert_close(shade(side, light).flatten(), (sky + ground)[0] / 2)


def ball() -> torch.Tensor:
    return torch.nn.functional.normalize(torch.randn(1, 500, 3, generator=torch.Generator().manual_seed(0)), dim=-1)


@pytest.mark.parametrize("albedo", [0.04, 0.15, 0.4])
def test_light_is_neither_black_nor_burnt(albedo: float) -> None:
    normals = ball().expand(len(MANY), -1, -1)
    light = expose(draw_light(MANY), normals, torch.full_like(normals, albedo), torch.ones(len(MANY)))
    seen = shade(normals.mT[..., None], light.sh)[..., 0].clamp_min(0)[:, :, normals[0, :, 2] > 0.2]
    assert (albedo * seen > 1).float().mean() < 0.03
    assert ((seen > 0.05) & (seen < 3.8)).float().mean() > 0.95
    assert 0.6 < seen.mean() < 2.6
    contrast = seen.mean(1).quantile(0.95, dim=1) / seen.mean(1).quantile(0.05, dim=1)
    assert contrast.median() > 1.8, "most faces have a light and a dark side"
    assert contrast.min() < 1.5, "some stand in the shade"


def test_light_comes_mostly_from_above_and_from_both_sides() -> None:
    light = draw_light(MANY).sh
    direction = light[:, 1, [3, 1, 2]]
    assert (direction[:, 1] > 0).float().mean() > 0.75
    assert 0.4 < (direction[:, 0] > 0).float().mean() < 0.6
    assert (direction[:, 2] > 0).float().mean() > 0.7


def test_backgrounds_have_structure() -> None:
    pictures = draw_background(Draws(0, "train", range(40)), 48)
    assert pictures.shape == (40, 3, 48, 48)
    assert 0 <= pictures.min() < 0.1
    assert 0.9 < pictures.max() <= 1
    assert (pictures.flatten(1).std(1) > 0.02).float().mean() > 0.8
    assert pictures.mean((1, 2, 3)).std() > 0.15, "dark ones and bright ones"


def test_occluders_reach_some_pictures_and_end_somewhere() -> None:
    colour, opacity = draw_occluders(Draws(0, "train", range(200)), 32, share=0.3)
    assert colour.min() >= 0
    assert colour.max() <= 1
    has = opacity.flatten(1).amax(1) > 0
    assert 0.15 < has.float().mean() < 0.4
    assert (opacity.mean((1, 2, 3)) < 0.6).all()
    _, none = draw_occluders(Draws(0, "train", range(50)), 32, share=0.0)
    assert none.abs().max() == 0


def test_coefficients(tiny_model: MorphableModel) -> None:
    identity, expression = draw_identity(MANY, tiny_model), draw_expression(MANY, tiny_model)
    assert identity.abs().max() <= 2.5
    assert identity.std().item() == pytest.approx(0.95, abs=0.05)
    strength = expression.norm(dim=1)
    assert strength.quantile(0.1) < 0.35
    assert strength.quantile(0.9) > 1.0
