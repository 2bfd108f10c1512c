"""Mirror and recolour: known answers, and the physics that must survive them."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn.functional import normalize

from datamodules.augment import flip_coins, hflip, recolour
from zoo.contract import KEYS, LANDMARK_FLIP
from zoo.errors import UserError
from zoo.imaging import linear_to_srgb, srgb_to_linear
from zoo.render import euler_to_matrix
from zoo.render.sh import shade

MIRROR = torch.diag(torch.tensor([-1.0, 1.0, 1.0]))


def sample(batch: int = 3, height: int = 5, width: int = 8) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)

    def random(*shape: int) -> torch.Tensor:
        return torch.rand(shape, generator=generator)

    normal = normalize(random(batch, 3, height, width) - torch.tensor([0.5, 0.5, 0.2]).view(3, 1, 1), dim=1)
    light = random(batch, 3, 9) * 0.3
    light[:, :, 0] += 3
    albedo, shading = random(batch, 3, height, width) * 0.6, shade(normal, light)
    return {
        "image": linear_to_srgb(albedo * shading).clamp(0, 1),
        "albedo": albedo,
        "shading": shading,
        "normal": normal,
        "light": light,
        "depth": random(batch, 1, height, width),
        "mask": (random(batch, 1, height, width) > 0.5).float(),
        "segmentation": (random(batch, height, width) * 9).long(),
        "landmarks": random(batch, 68, 2) * 5,
        "rotation": random(batch, 3),
        "translation": random(batch, 3),
    }


def test_known_answers() -> None:
    batch = {
        "image": torch.tensor([1.0, 2, 3, 4]).view(1, 1, 1, 4).expand(1, 3, 1, 4) / 4,
        "normal": torch.tensor([0.6, 0.0, 0.8]).view(1, 3, 1, 1).expand(1, 3, 1, 4),
        "light": torch.arange(1.0, 10.0).expand(1, 3, 9),
        "landmarks": torch.arange(68.0).view(1, 68, 1).expand(1, 68, 2),
        "rotation": torch.tensor([[0.1, 0.2, 0.3]]),
        "translation": torch.tensor([[1.0, 2.0, 3.0]]),
        "segmentation": torch.tensor([[[0, 1, 2, 255]]]),
        "is_real": torch.ones(1),
    }
    mirrored = hflip(batch)
    assert mirrored["image"][0, 0, 0].tolist() == [1.0, 0.75, 0.5, 0.25]
    assert mirrored["normal"][0, :, 0, 0].tolist() == pytest.approx([-0.6, 0.0, 0.8])
    assert mirrored["light"][0, 0].tolist() == [1, 2, 3, -4, -5, 6, 7, -8, 9]
    assert mirrored["rotation"][0].tolist() == pytest.approx([0.1, -0.2, -0.3])
    assert mirrored["translation"][0].tolist() == [-1, 2, 3]
    assert mirrored["segmentation"][0, 0].tolist() == [255, 2, 1, 0]
    # the right eye's outer corner (36) becomes the left one's (45), and the picture is 4 pixels wide
    assert mirrored["landmarks"][0, 45].tolist() == [3 - 36, 36]
    assert mirrored["landmarks"][0, 36].tolist() == [3 - 45, 45]
    assert mirrored["is_real"] is batch["is_real"]


def test_twice_is_nothing_and_inputs_stay() -> None:
    batch = sample()
    before = {key: value.clone() for key, value in batch.items()}
    again = hflip(hflip(batch))
    for key, value in before.items():
        torch.testing.assert_close(again[key], value)
        assert torch.equal(batch[key], value)


def test_the_mirrored_world_obeys_the_same_laws() -> None:
    mirrored = hflip(sample())
    torch.testing.assert_close(shade(mirrored["normal"], mirrored["light"]), mirrored["shading"])
    product = (mirrored["albedo"] * mirrored["shading"]).clamp(0, 1)
    torch.testing.assert_close(srgb_to_linear(mirrored["image"]), product)


def test_pose_is_that_of_the_mirrored_head() -> None:
    rotation = (torch.rand(20, 3) - 0.5) * 2 * math.pi
    expected = MIRROR @ euler_to_matrix(rotation) @ MIRROR
    torch.testing.assert_close(euler_to_matrix(hflip({"rotation": rotation})["rotation"]), expected)


def test_every_key_of_the_contract_has_a_rule() -> None:
    for key in KEYS:
        sizes = {"B": 2, "H": 4, "W": 4, "K": 3, "V": 6, "T": 5, "P": 3, "L": 2, "1|3": 3}
        shape = [sizes[name] if name in sizes else int(name) for name in KEYS[key].shape]
        batch = {key: torch.ones(shape, dtype=KEYS[key].dtype), "mask": torch.ones(2, 1, 4, 4)}
        if key in ("identity", "expression", "texture", "embedding", "vertices", "triangles"):
            with pytest.raises(UserError, match=f"{key} cannot be mirrored.*flip to false"):
                hflip(batch)
        else:
            assert hflip(batch)[key].shape == batch[key].shape


def test_judged_points_move_with_the_picture() -> None:
    pairs = torch.tensor([[[0.1, 0.2, 0.6, 0.7, 1.0, 0.5]]])
    assert hflip({"judgements": pairs})["judgements"][0, 0].tolist() == pytest.approx([0.9, 0.2, 0.4, 0.7, 1.0, 0.5])


def test_errors_of_landmarks_swap_sides_with_them() -> None:
    errors = torch.arange(68.0)[None]
    mirrored = hflip({"landmark_error": errors, "confidence": torch.tensor([0.7])})
    assert mirrored["landmark_error"][0, 36] == 45
    assert mirrored["landmark_error"][0, 30] == 30
    assert mirrored["confidence"] == 0.7


def test_some_samples_only() -> None:
    batch = sample()
    where = torch.tensor([True, False, True])
    some, every = hflip(batch, where), hflip(batch)
    for key in batch:
        for i, mirrored in enumerate(where):
            assert torch.equal(some[key][i], (every if mirrored else batch)[key][i]), key


def test_landmarks_need_a_picture() -> None:
    with pytest.raises(UserError, match="needs a picture"):
        hflip({"landmarks": torch.zeros(1, 68, 2)})
    assert sorted(LANDMARK_FLIP) == list(range(68))


def test_coins_are_fair_and_repeat() -> None:
    coins = flip_coins(0, range(1000))
    assert 0.45 < coins.float().mean() < 0.55
    assert torch.equal(flip_coins(0, range(500, 1000)), coins[500:])
    assert not torch.equal(flip_coins(1, range(1000)), coins)


def test_recolour_keeps_the_product_and_the_geometry() -> None:
    batch = sample()
    gain = torch.tensor([[1.2, 0.9, 0.7], [2.5, 2.5, 2.5], [1.0, 1.0, 1.0]])
    other = recolour(batch, gain)
    assert other["normal"] is batch["normal"]
    assert other["albedo"] is batch["albedo"]
    torch.testing.assert_close(shade(other["normal"], other["light"]), other["shading"])
    valid = other["mask"] > 0
    error = (srgb_to_linear(other["image"]) - other["albedo"] * other["shading"]).abs() * valid
    assert error.max() < 1e-5
    assert (other["mask"] <= batch["mask"]).all()
    assert other["mask"][1].sum() < batch["mask"][1].sum(), "what burns out leaves the mask"
    torch.testing.assert_close(other["image"][2], batch["image"][2], atol=1e-5, rtol=0)
