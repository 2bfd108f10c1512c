"""IntrinSeg between the conventions of the zoo: outputs, labels, variants and pictures against known answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from golden import load_golden
from pytorch_lightning import Trainer
from torch import Tensor

from lightning_modules.intrinseg.convert import convert
from lightning_modules.intrinseg.module import IntrinSeg
from lightning_modules.intrinseg.prepare import normalise
from zoo.contract import IGNORE, check
from zoo.errors import UserError
from zoo.imaging import linear_to_srgb, srgb_to_linear

INTRINSICS = ("reflectance", "shading")


def small(**arguments: Any) -> IntrinSeg:
    torch.manual_seed(0)
    return IntrinSeg(width=2, **arguments).eval()


def truth(batch: int = 2, height: int = 32, width: int = 48, channels: int = 3) -> dict[str, Tensor]:
    """A batch that obeys the contract: noise for paint and light, stripes of classes, a sky outside the mask."""
    torch.manual_seed(1)
    albedo = 0.1 + 0.8 * torch.rand(batch, 3, height, width)
    shading = 0.2 + 0.8 * torch.rand(batch, channels, height, width)
    segmentation = (torch.arange(width) // 3).expand(batch, height, width).clone()
    mask = torch.ones(batch, 1, height, width)
    mask[..., -3:] = 0
    image = linear_to_srgb((albedo * shading).clamp(0, 1))
    return {"image": image, "albedo": albedo, "shading": shading, "segmentation": segmentation, "mask": mask}


def as_predicted(batch: dict[str, Tensor], classes: int = 16) -> dict[str, Tensor]:
    """The prediction of a network that knows the truth."""
    score = 50.0 * torch.nn.functional.one_hot(batch["segmentation"].clamp_max(classes - 1), classes).movedim(-1, 1)
    return {**batch, "class_score": score}


@pytest.mark.parametrize("name", ["intrinseg", "intrinseg_intrinsics_only"])
def test_forward_is_the_authors_network(shared: Path, name: str) -> None:
    """Fed as it is; and the picture cut to an odd size changes the answer near the cut alone."""
    golden = load_golden(shared, name)
    arguments, tensors = convert(golden.state())
    model = IntrinSeg(**arguments, input_space="srgb", normalise="none").eval()
    model.load_state_dict(tensors)
    image = golden.input((1, 3, 96 if name == "intrinseg" else 64, 64))
    with torch.no_grad():
        prediction = model(image)
    golden.assert_close("reflectance", prediction["albedo"])
    golden.assert_close("shading", prediction["shading"])
    if name == "intrinseg":
        golden.assert_close("class_probability", prediction["class_probability"])
        assert torch.equal(prediction["segmentation"], prediction["class_probability"].argmax(1))


@pytest.mark.parametrize("brightest", range(1, 256, 13))
def test_official_normalisation_is_that_of_whole_numbers(brightest: int) -> None:
    """The authors divide pictures of 8 bits, as whole numbers, and cut; floats must not fall to the number below."""
    values = torch.arange(brightest + 1)
    expected = values * 255 // brightest
    image = (values.float() / 255).expand(1, 3, 1, -1)
    assert torch.equal((normalise(image, "max-8bit") * 255).round().long()[0, 0, 0], expected)
    torch.testing.assert_close(normalise(image, "max")[0, 0, 0], values / brightest)
    assert torch.equal(normalise(image, "none"), image)


def test_each_picture_has_its_own_maximum_and_black_stays_black() -> None:
    image = torch.stack([torch.full((3, 2, 2), 0.25), torch.zeros(3, 2, 2)])
    assert normalise(image, "max").flatten(1).amax(1).tolist() == [1, 0]
    assert torch.isfinite(small()(image)["albedo"]).all()


@pytest.mark.parametrize("size", [(64, 96), (61, 75), (7, 200), (1, 1)])
@pytest.mark.parametrize("space", ["linear", "srgb"])
def test_any_size_obeys_the_contract(size: tuple[int, int], space: str) -> None:
    prediction = small(input_space=space)(torch.rand(2, 3, *size))
    keys = ["albedo", "shading", "reconstruction", "segmentation"]
    check(prediction, keys)
    assert prediction["albedo"].shape[-2:] == size
    assert prediction["segmentation"].shape == (2, *size)


@pytest.mark.parametrize("normalisation", ["max", "max-8bit"])
def test_exposure_goes_into_the_shading(normalisation: str) -> None:
    """A picture a quarter as bright has a quarter of the shading, and the same albedo and classes."""
    linear = (255 * torch.rand(1, 3, 32, 32)).round() / 255
    linear[0, 0, 0, 0] = 1
    model = small(normalise=normalisation)
    bright, dark = (model(linear_to_srgb(factor * linear)) for factor in (1.0, 0.25))
    torch.testing.assert_close(dark["albedo"], bright["albedo"], rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(dark["shading"], 0.25 * bright["shading"], rtol=1e-3, atol=1e-3)
    assert bright["shading"].max() > 0.1


def test_scale_of_the_shading() -> None:
    image = torch.rand(1, 3, 32, 32)
    plain, scaled = small()(image), small(shading_scale=4.0)(image)
    torch.testing.assert_close(scaled["shading"], 4 * plain["shading"])
    assert torch.equal(scaled["albedo"], plain["albedo"])


def test_reconstruction_is_albedo_times_shading() -> None:
    prediction = small(shading_channels=1)(torch.rand(1, 3, 32, 32))
    assert prediction["shading"].shape[1] == 1
    product = (prediction["albedo"] * prediction["shading"]).clamp(0, 1)
    torch.testing.assert_close(srgb_to_linear(prediction["reconstruction"]), product, rtol=1e-3, atol=1e-5)


def test_the_truth_has_no_loss_and_no_error() -> None:
    model, batch = small(), truth()
    prediction = as_predicted(batch)
    for name, value in model.losses(prediction, batch).items():
        assert value.item() == pytest.approx(0, abs=1e-6), name
    model.test_metrics.update(prediction, batch)
    for name, value in model.test_metrics.compute().items():
        perfect = 0 if name.endswith(("mse", "dssim")) else 1
        assert value.item() == pytest.approx(perfect, abs=1e-6), name


def test_nothing_is_learned_from_layers_that_are_not_told() -> None:
    model, batch = small(), truth()
    prediction = model(batch["image"])
    told = torch.tensor([1.0, 0.0])
    hidden = {key: told.view(2, 1, 1, 1) * batch[key] for key in ("albedo", "shading")}
    found = model.losses(prediction, {**batch, **hidden, "labelled": told})
    alone = model.losses(
        {key: value[:1] for key, value in prediction.items()}, {key: value[:1] for key, value in batch.items()}
    )
    for key in ("albedo", "shading"):
        torch.testing.assert_close(found[key], alone[key])
    assert found["class"] == model.losses(prediction, batch)["class"]


def test_sky_has_a_class_and_no_layers() -> None:
    """Outside the mask layers may be anything, classes may not."""
    model, batch = small(), truth()
    right = as_predicted(batch)
    outside = (1 - batch["mask"]) * 7
    wrong = {**right, "albedo": right["albedo"] + outside, "class_score": right["class_score"] * batch["mask"]}
    terms = model.losses(wrong, batch)
    assert terms["albedo"].item() == pytest.approx(0, abs=1e-6)
    assert terms["class"].item() > 0.1


def test_ids_that_are_not_asked_for_do_not_count() -> None:
    """Void, rooms (16 and up) and 255; with ignore_void=False void is a class as any other."""
    batch = truth()
    batch["segmentation"][..., 3:9], batch["segmentation"][..., 9:12] = 20, IGNORE
    prediction = as_predicted(batch)
    prediction["segmentation"] = batch["segmentation"].clone()
    prediction["segmentation"][..., :12] = 15  # wrong wherever it should not count
    prediction["class_score"][..., :12] = torch.linspace(0, 9, 16).reshape(-1, 1, 1)
    for ignore_void in (True, False):
        model = small(ignore_void=ignore_void)
        loss = model.losses(prediction, batch)["class"].item()
        model.test_metrics.update(prediction, batch)
        accuracy = model.test_metrics.compute()["test/pixel_accuracy"].item()
        if ignore_void:
            assert loss == pytest.approx(0, abs=1e-6)
            assert accuracy == 1
        else:
            assert loss > 0.1
            assert accuracy == pytest.approx(36 / 39)


def test_weights_are_those_of_the_sheet() -> None:
    model = small(gamma_il=2.0, gamma_r=0.5, gamma_s=3.0, gamma_ce=0.25)
    terms = {name: torch.tensor(1.0) for name in ("albedo", "shading", "class")}
    assert model.total_loss(terms).item() == pytest.approx(2 * 0.5 + 2 * 3 + 0.25)
    assert small().total_loss(terms).item() == pytest.approx(2.1)


VARIANTS = {
    "joint": {},
    "intrinsics only": {"targets": INTRINSICS},
    "segmentation only": {"targets": ("class",)},
    "reflectance alone": {"targets": ("reflectance",)},
    "learned upsampling, grey shading, raw scores": {"deconv": True, "shading_channels": 1, "class_relu": False},
}


@pytest.mark.parametrize("options", VARIANTS.values(), ids=VARIANTS)
def test_every_variant_trains_measures_and_shows(options: dict[str, Any]) -> None:
    batch = truth(batch=2)
    torch.manual_seed(0)
    model = IntrinSeg(width=4, **options)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    losses = []
    for _ in range(40):
        loss = model.total_loss(model.losses(model.answer(batch), batch))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.6 * losses[0]
    assert all(p.grad is not None for p in model.parameters())
    prediction = model.eval().answer(batch)
    model.test_metrics.update(prediction, batch)
    asked = set(options.get("targets", ("reflectance", "shading", "class")))
    keys = {"reflectance": "albedo", "shading": "shading", "class": "segmentation"}
    assert {key for key in keys.values() if key in prediction} == {keys[target] for target in asked}
    names = set(model.test_metrics.compute())
    assert ("test/miou" in names) == ("class" in asked)
    assert ("test/albedo_dssim" in names) == ("reflectance" in asked)
    for title, picture in model.panels(prediction, batch).items():
        assert picture.shape == batch["image"].shape, title


def test_data_without_classes_is_told() -> None:
    model, batch = small(), truth()
    del batch["segmentation"]
    with pytest.raises(UserError, match=r"no segmentation.*targets '\[reflectance, shading\]'"):
        model.losses(model.answer(batch), batch)


def test_an_unknown_task_is_told() -> None:
    with pytest.raises(UserError, match="targets must be some of reflectance, shading, class"):
        small(targets=("albedo",))


@pytest.mark.parametrize(("optimizer", "schedule"), [("adam", "poly"), ("adadelta", "poly"), ("adadelta", "constant")])
def test_schedules(optimizer: str, schedule: str) -> None:
    """poly: lr (1 - step / steps)^0.9, zero at the end."""
    model = small(optimizer=optimizer, schedule=schedule, lr=0.01)
    trainer = Trainer(
        max_steps=4, logger=False, enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False
    )
    batches = torch.utils.data.DataLoader([truth(1)] * 4, batch_size=None)
    rates = []

    def step(batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        rates.append(model.optimizers().param_groups[0]["lr"])  # type: ignore[union-attr]
        return IntrinSeg.training_step(model, batch, batch_idx)

    model.training_step = step  # type: ignore[method-assign]
    trainer.fit(model, batches)
    assert type(trainer.optimizers[0]).__name__.lower() == optimizer
    expected = [0.01 * (1 - k / 4) ** 0.9 for k in range(4)] if schedule == "poly" else [0.01] * 4
    assert rates == pytest.approx(expected)
