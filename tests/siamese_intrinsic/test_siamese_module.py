"""The siamese network as a module: one picture or two, and what becomes of it without its embedding."""

from __future__ import annotations

import pytest
import torch
from toy_pairs import contrast, toy_pairs

from lightning_modules.siamese_intrinsic.module import SiameseIntrinsic
from lightning_modules.siamese_intrinsic.network import SiameseNetwork
from zoo.contract import check
from zoo.errors import UserError
from zoo.imaging import linear_to_srgb


@pytest.mark.parametrize("shading_channels", [1, 3])
@pytest.mark.parametrize("shared_trunk", [True, False])
@pytest.mark.parametrize("size", [(70, 101), (30, 7)])
def test_one_picture_of_any_size(shading_channels: int, shared_trunk: bool, size: tuple[int, int]) -> None:
    module = SiameseIntrinsic(width=2, shading_channels=shading_channels, shared_trunk=shared_trunk).eval()
    image = torch.rand(2, 3, *size)
    with torch.no_grad():
        found = module(image)
    check({"image": image, **found}, ["image", "albedo", "shading", "assignment", "reconstruction"])
    assert found["shading"].shape == (2, shading_channels, *size)
    torch.testing.assert_close(found["reconstruction"], linear_to_srgb(found["albedo"] * found["shading"]).clamp(0, 1))


def test_the_network_may_be_shown_the_picture_as_it_is() -> None:
    """Shown sRGB, it answers as one that is shown linear light whose numbers are those of the picture."""
    srgb = SiameseIntrinsic(width=2, input_space="srgb").eval()
    linear = SiameseIntrinsic(width=2).eval()
    linear.load_state_dict(srgb.state_dict())
    image = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(srgb(image)["albedo"], linear(linear_to_srgb(image))["albedo"], atol=1e-4, rtol=1e-3)
        assert not torch.allclose(srgb(image)["albedo"], linear(image)["albedo"], atol=1e-4)


def test_the_network_has_the_layers_of_its_table() -> None:
    """At the paper's width, weights and biases: down, up, heads."""
    network = SiameseNetwork()
    down = [(3, 64), (64, 128), (128, 256), (256, 512), (512, 512), (512, 512)]
    up = [(512, 512), (1024, 512), (1024, 256), (512, 128), (256, 64), (128, 64)]
    expected = sum(16 * a * b + b for a, b in down) + 2 * (128 + 256 + 512 + 512)
    expected += sum(9 * a * b + b + 2 * b for a, b in up)
    heads = 9 * 64 * (3 + 1 + 1) + 5
    assert sum(p.numel() for p in network.parameters()) == expected + heads
    apart = SiameseNetwork(shared_trunk=False)
    decoder = sum(9 * a * b + b + 2 * b for a, b in up)
    assert sum(p.numel() for p in apart.parameters()) == expected + heads + 2 * decoder


def test_both_pictures_go_through_the_same_weights() -> None:
    batch = toy_pairs(2, lights=3)
    module = SiameseIntrinsic(width=2).eval()
    with torch.no_grad():
        pair = module.answer(batch)
        for prefix, image in (("", batch["image"]), ("other_", batch["relit"][:, 0])):
            alone = module(image)
            for key, value in alone.items():
                torch.testing.assert_close(pair[f"{prefix}{key}"], value, atol=1e-5, rtol=1e-4)
        swapped = module.answer({**batch, "image": batch["relit"][:, 0], "relit": batch["image"][:, None]})
        terms, others = module.losses(pair, batch), module.losses(swapped, {**batch, "image": batch["relit"][:, 0]})
    for name in ("reconstruction", "gradient"):
        torch.testing.assert_close(terms[name], others[name])


def test_the_other_light_is_drawn_in_training_and_fixed_otherwise() -> None:
    batch = toy_pairs(2, lights=4)
    module = SiameseIntrinsic(width=2).eval()
    with torch.no_grad():
        assert torch.equal(module.answer(batch)["other_picture"], batch["relit"][:, 0])
    module.train()
    seen = set()
    for step in range(12):
        module._trainer = type("Trainer", (), {"global_step": step})()
        seen.add(module._which(batch))
        assert module._which(batch) == module._which(batch)  # of the step alone: a resumed training draws the same
    assert seen == {0, 1, 2}


def test_without_another_light_there_is_nothing_to_learn() -> None:
    batch = toy_pairs(2)
    del batch["relit"]
    module = SiameseIntrinsic(width=2)
    with pytest.raises(UserError, match="lights 2"):
        module.answer(batch)
    module.eval()
    with torch.no_grad():
        prediction = module.answer(batch)
        assert all(torch.isfinite(value) for value in module.losses(prediction, batch).values())


def test_data_without_truth_is_no_obstacle() -> None:
    batch = toy_pairs(2)
    module = SiameseIntrinsic(width=2, weight_supervised=1.0).eval()
    bare = {key: batch[key] for key in ("image", "relit", "mask")}
    metrics = module.metrics()
    with torch.no_grad():
        prediction = module.answer(bare)
        assert "supervised" not in module.losses(prediction, bare)
        metrics.update(prediction, bare)
        assert list(module.panels(prediction, bare)) == ["image", "albedo", "shading", "assignment", "reconstruction"]
        (edges,) = module.views(prediction).values()
    assert metrics.compute()["albedo_si_mse"].isnan()
    assert edges.shape == batch["image"].shape
    assert 0 <= edges.min() <= edges.max() <= 1


def learned_contrast(weight: float, steps: int = 80) -> float:
    """The contrast of held-out albedo after a short training with this weight of the embedding."""
    torch.manual_seed(0)
    module = SiameseIntrinsic(width=6, shading_channels=3, weight_embedding=weight, margin=0.3)
    optimizer = torch.optim.Adam(module.parameters(), lr=3e-3)
    for step in range(steps):
        batch = toy_pairs(4, seed=step % 40)
        loss = module.total_loss(module.losses(module.answer(batch), batch))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    held_out = toy_pairs(16, seed=999)
    with torch.no_grad():
        return contrast(module.eval()(held_out["image"])["albedo"])


@pytest.mark.slow
def test_without_the_embedding_albedo_turns_white() -> None:
    """True contrast is 0.46. All else being equal, the embedding alone keeps albedo from becoming a flat sheet."""
    white, kept = learned_contrast(0.0), learned_contrast(1.0)
    assert white < 0.15
    assert kept > 1.6 * white
