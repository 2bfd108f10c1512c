"""SfSNet between the conventions of the zoo: outputs, losses and pictures against known answers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from golden import load_golden
from pytorch_lightning import Trainer

from lightning_modules.sfsnet.convert import convert
from lightning_modules.sfsnet.module import SfSNet
from zoo.contract import check
from zoo.errors import UserError
from zoo.imaging import linear_to_srgb, srgb_to_linear
from zoo.render.sh import ambient_light, light_to_sfsnet, shade


def small(**arguments: object) -> SfSNet:
    torch.manual_seed(0)
    return SfSNet(width=4, **arguments).eval()  # type: ignore[arg-type]


def truth(batch: int = 2, size: int = 16) -> dict[str, torch.Tensor]:
    """A batch that obeys the contract: a random surface under random light."""
    torch.manual_seed(1)
    normal = torch.nn.functional.normalize(torch.randn(batch, 3, size, size), dim=1)
    albedo = torch.rand(batch, 3, size, size)
    light = 0.05 * torch.randn(batch, 3, 9)
    light[..., 0] += 2
    shading = shade(normal, light).clamp_min(0)
    image = linear_to_srgb((albedo * shading).clamp(0, 1))
    mask = torch.ones(batch, 1, size, size)
    return {"image": image, "normal": normal, "albedo": albedo, "light": light, "shading": shading, "mask": mask}


def as_predicted(model: SfSNet, batch: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The prediction of a network that knows the truth."""
    return model.compose((batch["normal"] + 1) / 2, batch["albedo"], light_to_sfsnet(batch["light"]))


@pytest.mark.parametrize("encoding", ["linear", "srgb"])
def test_outputs_obey_the_contract(encoding: str) -> None:
    prediction = small(encoding=encoding)(torch.rand(2, 3, 20, 28))
    check(prediction, ["normal", "albedo", "light", "shading", "reconstruction"])
    torch.testing.assert_close(prediction["normal"].norm(dim=1), torch.ones(2, 20, 28))


@pytest.mark.parametrize("encoding", ["linear", "srgb"])
def test_albedo_times_shading_is_the_reconstruction_in_linear_light(encoding: str) -> None:
    prediction = small(encoding=encoding)(torch.rand(2, 3, 20, 28))
    product = prediction["albedo"] * prediction["shading"]
    expected = srgb_to_linear(prediction["reconstruction"])
    unclipped = (expected < 1) & (prediction["albedo"] > 1e-3)
    torch.testing.assert_close(product[unclipped], expected[unclipped], rtol=1e-3, atol=1e-5)


def test_the_truth_has_no_loss_and_no_error() -> None:
    model, batch = small(), truth()
    prediction = as_predicted(model, batch)
    for name, value in model.losses(prediction, batch).items():
        assert value.item() == pytest.approx(0, abs=0.2), name  # sums over 49152 numbers
    model.test_metrics.update(prediction, batch)
    values = model.test_metrics.compute()
    assert values["test/normal_mean"] < 0.05
    assert values["test/recon_psnr"] > 60


def test_losses_are_the_papers_sums() -> None:
    """One wrong number at a time: 0.1 on every pixel of one channel is 0.1 x 128 x 128, whatever the size."""
    model, batch = small(), truth(size=16)
    right = as_predicted(model, batch)
    off = torch.zeros_like(batch["albedo"])
    off[:, 0] = 0.1
    wrong = {**right, "network_albedo": right["network_albedo"] + off, "encoded_normal": right["encoded_normal"] - off}
    terms = model.losses(wrong, batch)
    assert terms["albedo"].item() == pytest.approx(0.1 * 128 * 128, rel=1e-3)
    assert terms["normal"].item() == pytest.approx(0.1 * 128 * 128, rel=1e-3)
    light = model.losses({**right, "fc_light": right["fc_light"] + 0.2}, batch)["light"]
    assert light.item() == pytest.approx(27 * 0.04 / 2, rel=1e-4)
    half = {**batch, "mask": batch["mask"].clone()}
    half["mask"][..., :8] = 0
    assert model.losses(wrong, half)["albedo"].item() == pytest.approx(0.05 * 128 * 128, rel=1e-3)


@pytest.mark.parametrize("encoding", ["linear", "srgb"])
def test_reconstruction_is_held_against_the_picture_in_the_space_of_the_encoding(encoding: str) -> None:
    """A flat surface of albedo 0.5 under light 0.6; what is missing of it counts on all three channels."""
    model, batch = small(encoding=encoding), truth()
    normal = torch.zeros(2, 3, 16, 16)
    normal[:, 2] = 1
    fc_light = light_to_sfsnet(ambient_light(torch.full((2, 3), 0.6)))
    prediction = model.compose((normal + 1) / 2, torch.full((2, 3, 16, 16), 0.5), fc_light)
    picture = linear_to_srgb(torch.tensor(0.3)) if encoding == "linear" else torch.tensor(0.3)
    batch = {**batch, "image": picture.expand(2, 3, 16, 16), "normal": normal}
    assert model.losses(prediction, batch)["recon"].item() == pytest.approx(0, abs=0.05)
    off = {**prediction, "network_recon": prediction["network_recon"] - 0.1}
    assert model.losses(off, batch)["recon"].item() == pytest.approx(3 * 0.1 * 128 * 128, rel=1e-3)
    truly = 0.5 if encoding == "linear" else float(srgb_to_linear(torch.tensor(0.5)))
    batch["albedo"] = torch.full((2, 3, 16, 16), truly)
    assert model.losses(prediction, batch)["albedo"].item() == pytest.approx(0, abs=0.05)


def test_a_cosine_without_an_end_is_told() -> None:
    model = small(schedule="cosine")
    trainer = Trainer(max_epochs=-1, logger=False, enable_checkpointing=False, enable_progress_bar=False)
    batches = torch.utils.data.DataLoader([truth(1)], batch_size=None)
    with pytest.raises(UserError, match=r"--trainer\.max_epochs or --trainer\.max_steps"):
        trainer.fit(model, batches)


def test_total_is_weighted_as_in_the_paper() -> None:
    terms = {name: torch.tensor(1.0) for name in ("recon", "normal", "albedo", "light")}
    assert small().total_loss(terms).item() == pytest.approx(0.5 + 0.5 + 0.5 + 0.1)


def test_real_samples_have_their_own_weight() -> None:
    batch = truth()
    right = as_predicted(small(), batch)
    wrong = {**right, "fc_light": right["fc_light"] + 1}
    batch["is_real"] = torch.tensor([1.0, 0.0])
    light = small(weight_real=0.5).losses(wrong, batch)["light"]
    assert light.item() == pytest.approx((0.5 + 1) / 2 * 27 / 2, rel=1e-4)


def test_reconstruction_loss_reaches_normals_albedo_and_light() -> None:
    model, batch = small(), truth()
    encoded = torch.rand(2, 3, 16, 16, requires_grad=True)
    albedo = torch.rand(2, 3, 16, 16, requires_grad=True)
    light = torch.rand(2, 27, requires_grad=True)
    model.losses(model.compose(encoded, albedo, light), batch)["recon"].backward()
    for leaf in (encoded, albedo, light):
        assert leaf.grad is not None
        assert leaf.grad.abs().sum() > 0


@pytest.mark.parametrize("name", ["sfsnet", "sfsnet_plain_bn"])
def test_post_processing_equals_the_authors(shared: Path, name: str) -> None:
    """Their shading is darkened for display; their values are as displayed, so ours are compared before
    linearisation."""
    golden = load_golden(shared, name)
    arguments, tensors = convert(golden.state())
    model = SfSNet(**arguments)
    model.load_state_dict(tensors)
    image = golden.input((1, 3, 128, 128)).flip(1)
    with torch.no_grad():
        prediction = model.eval()(image)
    shading = shade(prediction["normal"], prediction["light"])

    def thin(value: torch.Tensor) -> np.ndarray:
        return value[0].permute(1, 2, 0)[::2, ::2].numpy()

    golden.assert_close("post_normal_xyz", thin(prediction["normal"]))
    golden.assert_close("post_shading_rgb", thin(shading) * np.float32(200 / 255))
    golden.assert_close("post_recon_rgb", thin(prediction["network_recon"]))


def test_light_from_the_left_brightens_the_left() -> None:
    """On a ball, which faces left where it lies left in the picture."""
    axis = torch.linspace(-0.9, 0.9, 32)
    y, x = torch.meshgrid(-axis, axis, indexing="ij")
    z = (1 - x**2 - y**2).clamp_min(0).sqrt()
    normal = torch.nn.functional.normalize(torch.stack([x, y, z + 1e-6]), dim=0)[None]
    views = small().views({"normal": normal, "albedo": torch.full((1, 3, 32, 32), 0.5)})
    left, right = views["light from the left"], views["light from the right"]
    assert left[..., :16].mean() > 1.3 * left[..., 16:].mean()
    torch.testing.assert_close(left, right.flip(-1), atol=1e-4, rtol=1e-3)


def test_skipnet_trains_under_the_same_losses() -> None:
    model = SfSNet(network="skipnet", size=32, width=4)
    batch = truth(size=32)
    loss = model.total_loss(model.losses(model(batch["image"]), batch))
    loss.backward()
    assert all(p.grad is not None for p in model.parameters())
