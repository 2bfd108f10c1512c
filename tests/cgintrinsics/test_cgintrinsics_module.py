"""CGIntrinsics between the conventions of the zoo: sizes, outputs, and the losses of each kind of batch."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from golden import load_golden
from pytorch_lightning import LightningDataModule, Trainer
from scene_fakes import write_iiw, write_saw
from torch import Tensor
from torch.nn import functional as F

from datamodules import IIW, SAW
from lightning_modules.cgintrinsics.convert import convert
from lightning_modules.cgintrinsics.module import CGIntrinsics
from zoo.cards import load_card
from zoo.contract import check
from zoo.errors import UserError
from zoo.export import export_model
from zoo.imaging import by_ratio, linear_to_srgb, srgb_to_linear
from zoo.metrics import WHDR, SAWAveragePrecision

REAL = {"real_reflectance_smoothness", "real_shading_smoothness", "real_reconstruction"}
RENDERED = {"reflectance", "shading", "reconstruction", "shading_smoothness", "ordinal"}


def small(**arguments: object) -> CGIntrinsics:
    torch.manual_seed(0)
    return CGIntrinsics(width=2, **arguments).eval()  # type: ignore[arg-type]


def truth(batch: int = 2, height: int = 32, width: int = 48) -> dict[str, Tensor]:
    """A batch with every label there is: blocks of one colour each under smooth grey light."""
    torch.manual_seed(1)
    blocks = 0.2 + 0.6 * torch.rand(batch, 3, 2, 3)
    albedo = F.interpolate(blocks, (height, width))
    ids = F.interpolate(torch.arange(1.0, 7).reshape(1, 1, 2, 3).expand(batch, 1, 2, 3), (height, width))
    shading = F.interpolate(0.5 + 0.5 * torch.rand(batch, 1, 2, 2), (height, width), mode="bilinear")
    judgements = torch.rand(batch, 8, 6)
    judgements[..., 4] = torch.arange(8) % 3
    labels = torch.full((batch, height, width), 255)
    labels[:, 4:10, 4:10], labels[:, 20, 20:30] = 2, 1
    return {
        "image": linear_to_srgb(albedo * shading),
        "albedo": albedo,
        "shading": shading,
        "mask": torch.ones(batch, 1, height, width),
        "superpixels": ids[:, 0].long(),
        "judgements": judgements,
        "shading_labels": labels,
    }


def of_kind(kind: str) -> dict[str, Tensor]:
    batch = truth()
    if kind == "rendered":
        return batch
    unwanted = {"albedo", "shading", "superpixels", "shading_labels" if kind == "IIW" else "judgements"}
    return {k: v for k, v in batch.items() if k not in unwanted}


@pytest.mark.parametrize("resize", ["pad", "official"])
@pytest.mark.parametrize("size", [(32, 32), (33, 61), (127, 130), (128, 256), (300, 90)])
def test_any_size_comes_out_as_it_went_in(size: tuple[int, int], resize: str) -> None:
    prediction = small(resize=resize)(torch.rand(2, 3, *size))
    check(prediction, ["albedo", "shading", "reconstruction"])
    assert prediction["albedo"].shape == (2, 3, *size)
    assert prediction["shading"].shape == prediction["log_shading"].shape == (2, 1, *size)


@pytest.mark.parametrize(
    ("size", "official"),
    [
        ((200, 100), (512, 256)),
        ((100, 200), (256, 512)),
        ((150, 100), (384, 256)),
        ((341, 512), (256, 384)),
        ((130, 100), (512, 384)),
        ((384, 512), (384, 512)),
        ((100, 114), (384, 384)),
        ((100, 100), (384, 384)),
    ],
)
def test_official_sizes(size: tuple[int, int], official: tuple[int, int]) -> None:
    assert by_ratio(*size) == official


def test_official_size_is_the_networks_own_where_it_fits() -> None:
    """384 x 512 is not resized at all, so that both ways agree."""
    image = torch.rand(1, 3, 384, 512)
    ours, theirs = small()(image), small(resize="official")(image)
    torch.testing.assert_close(theirs["log_shading"], ours["log_shading"], atol=1e-4, rtol=1e-4)


def test_albedo_times_shading_is_the_reconstruction() -> None:
    prediction = small()(torch.rand(2, 3, 64, 80))
    product = prediction["albedo"] * prediction["shading"]
    inside = product < 1
    torch.testing.assert_close(
        srgb_to_linear(prediction["reconstruction"])[inside], product[inside], rtol=1e-3, atol=1e-5
    )


def knowing(model: CGIntrinsics, batch: dict[str, Tensor], factor: float = 1.0) -> dict[str, Tensor]:
    """What a network would answer that knows the truth up to the free scale."""
    log_r = (factor * 3 * batch["albedo"].mean(1, keepdim=True)).log()
    return model.compose(batch["image"], log_r, (batch["shading"] / factor).log())


def test_truth_explains_the_picture_and_its_free_scale_does_not_show() -> None:
    model, batch = small(), truth()
    prediction = knowing(model, batch)
    torch.testing.assert_close(prediction["reconstruction"], batch["image"], atol=2e-3, rtol=2e-3)
    ratio = prediction["albedo"] / batch["albedo"]
    for each in ratio:
        torch.testing.assert_close(each, each.mean().expand_as(each), rtol=2e-3, atol=0)
    torch.testing.assert_close(prediction["albedo"].amax((1, 2, 3)), torch.full((2,), 0.9), rtol=0.02, atol=0)
    for other in (knowing(model, batch, 7.0), knowing(model, batch, 0.01)):
        for key in ("albedo", "shading"):
            torch.testing.assert_close(other[key], prediction[key], rtol=1e-4, atol=1e-6)


def test_truth_costs_nothing_and_has_no_error() -> None:
    model, batch = small(), truth()
    terms = model.losses(knowing(model, batch), batch)
    assert set(terms) == RENDERED
    for name in ("reflectance", "shading", "reconstruction"):
        assert terms[name].item() == pytest.approx(0, abs=1e-5), name
    model.test_metrics.update(knowing(model, batch), batch)
    values = model.test_metrics.compute()
    for name in ("albedo_si_mse", "shading_si_mse", "albedo_si_lmse", "shading_si_lmse", "albedo_dssim"):
        assert values[f"test/{name}"].item() == pytest.approx(0, abs=1e-4), name


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ("rendered", RENDERED),
        ("IIW", REAL | {"judgements"}),
        ("SAW", REAL | {"smooth", "shadow"}),
    ],
)
def test_terms_are_those_of_the_batchs_labels(kind: str, names: set[str]) -> None:
    model, batch = small().train(), of_kind(kind)
    terms = model.losses(model.answer(batch), batch)
    assert set(terms) == names
    loss = model.total_loss(terms)
    loss.backward()
    assert torch.isfinite(loss)
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in model.parameters())


@pytest.mark.parametrize(
    ("kind", "total"),
    [
        ("rendered", 0.5 + 0.5 + 1.0 + 2.0 + 0.5),
        ("IIW", 4.0 + 1.0 + 4.0 + 2.0),
        ("SAW", 1.0 + 0.1 + 1.0 + 4.0 + 2.0),
    ],
)
def test_weights_are_those_of_the_authors(kind: str, total: float) -> None:
    model, batch = small(), of_kind(kind)
    ones = {name: torch.tensor(1.0) for name in model.losses(model.answer(batch), batch)}
    assert model.total_loss(ones).item() == pytest.approx(total)


def test_a_batch_without_labels_is_told() -> None:
    model, batch = small(), of_kind("IIW")
    del batch["judgements"]
    with pytest.raises(UserError, match="judgements or shading_labels"):
        model.losses(model.answer(batch), batch)


@pytest.mark.parametrize("space", ["linear", "log"])
def test_nothing_is_learned_from_a_truth_that_is_not_told(space: str) -> None:
    model, batch = small(shading_space=space), truth()
    torch.manual_seed(2)
    prediction = model.compose(batch["image"], torch.randn(2, 1, 32, 48), torch.randn(2, 1, 32, 48))
    told = torch.tensor([1.0, 0.0]).view(2, 1, 1, 1)
    hidden = {"albedo": told * batch["albedo"], "shading": told * batch["shading"], "labelled": told.flatten()}
    spoilt = {"albedo": batch["albedo"].flip(-1), "shading": batch["shading"].flip(-1)}
    spoilt = {key: torch.where(told > 0, batch[key], value) for key, value in spoilt.items()}
    first, second = (model.losses(prediction, {**batch, **hidden, **other}) for other in ({}, spoilt))
    for name in ("reflectance", "shading", "ordinal"):
        assert first[name] == second[name]
        assert first[name] != model.losses(prediction, batch)[name]


def test_log_shading_is_free_of_scale_too() -> None:
    model, batch = small(shading_space="log"), truth()
    terms = model.losses(knowing(model, batch, 5.0), batch)
    assert terms["shading"].item() == pytest.approx(0, abs=1e-5)
    assert model.losses(model.answer(batch), batch)["shading"] > 1e-3


def test_validation_draws_the_same_pairs_each_time() -> None:
    model, batch = small(), truth()
    prediction = model.compose(batch["image"], torch.randn(2, 1, 32, 48), torch.zeros(2, 1, 32, 48))
    first, second = (model.losses(prediction, batch)["ordinal"] for _ in range(2))
    assert first == second
    model.train()
    assert len({model.losses(prediction, batch)["ordinal"].item() for _ in range(4)}) > 1


def test_metrics_pass_over_what_a_batch_does_not_say() -> None:
    model, batch = small(), of_kind("IIW")
    model.test_metrics.update(model.answer(batch), batch)
    values = model.test_metrics.compute()
    assert math.isnan(values["test/albedo_si_mse"])
    assert 0 <= values["test/whdr_srgb_10"] <= 1


def test_judgements_of_a_photo_are_held_against_its_own_size() -> None:
    """As IIW is evaluated: where a row of two pixels is resized to four, both points no longer lie in one."""
    model = small()
    albedo = torch.tensor([0.1, 0.4]).expand(1, 3, 2, 2)
    batch = {"judgements": torch.tensor([[[0.1, 0.5, 0.3, 0.5, 0.0, 1.0]]])}  # a person says that they are equal
    for original, rate in ((None, 0.0), (torch.tensor([[4, 4]]), 1.0)):
        metrics = model.metrics()
        metrics.update({"albedo": albedo}, batch if original is None else {**batch, "original_size": original})
        assert metrics.compute()["whdr_linear_10"].item() == rate


@pytest.mark.slow
def test_an_export_pads_and_crops_as_the_module_does(tmp_path: Path) -> None:
    """A network without training hardly says anything, which hides a shift by a pixel; this one speaks up."""
    pytest.importorskip("onnxruntime")
    model = small()
    features = model.network.encoder(torch.rand(1, 3, 128, 128))
    for decoder in (model.network.reflectance, model.network.shading):
        head = decoder.get_submodule("out.4")
        head.weight.data *= 0.3 / decoder(features).std()
        head.bias.data -= decoder(features).mean()
    report = export_model(model, load_card("cgintrinsics"), "onnx", tmp_path / "model.onnx")
    assert report.passed, str(report)


def test_learning_rate_is_halved() -> None:
    model = small(lr=1.0, halve_every=2)
    options = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False, "accelerator": "cpu"}
    trainer = Trainer(max_epochs=4, enable_model_summary=False, **options)
    rates = []
    model.on_train_epoch_start = lambda: rates.append(trainer.optimizers[0].param_groups[0]["lr"])  # type: ignore[method-assign]
    trainer.fit(model, torch.utils.data.DataLoader([truth(1)], batch_size=None))
    assert rates == [1.0, 1.0, 0.5, 0.5]
    with pytest.raises(UserError, match="halve_every"):
        small(schedule="cosine", halve_every=2)


def test_the_authors_weights_run_in_the_module(shared: Path) -> None:
    golden = load_golden(shared, "cgintrinsics")
    arguments, tensors = convert(golden.state())
    model = CGIntrinsics(**arguments)
    model.load_state_dict(tensors)
    with torch.inference_mode():
        prediction = model.eval()(golden.input((1, 3, 128, 256)))
    golden.assert_close("log_reflectance", prediction["log_reflectance"])
    golden.assert_close("log_shading", prediction["log_shading"])


def figures(model: CGIntrinsics, data: LightningDataModule) -> dict[str, float]:
    options = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False, "accelerator": "cpu"}
    return dict(Trainer(**options).test(model, data, verbose=False)[0])  # type: ignore[arg-type]


@pytest.mark.filterwarnings("ignore:The 'test_dataloader' does not have many workers")
def test_saw_is_measured_at_the_size_of_its_labels(tmp_path: Path) -> None:
    data, model = SAW(str(write_saw(tmp_path)), height=128, width=128, batch_size=2, num_workers=0), small()
    loud = model.network.shading.get_submodule("out.4")
    loud.weight.data *= 50  # light without training hardly changes, and would be smooth everywhere
    found = figures(model, data)
    batch = next(iter(data.test_dataloader()))
    with torch.no_grad():
        shading = model(batch["image"])["shading"]
    for name, challenge in (("saw_ap", False), ("saw_ap_challenge", True)):
        native, network = SAWAveragePrecision(challenge=challenge), SAWAveragePrecision(challenge=challenge)
        for i in range(2):
            native.update(shading[i : i + 1], batch["native_shading_labels"][i][None], batch["native_image"][i][None])
        network.update(shading, batch["shading_labels"], batch["image"])
        assert found[f"test/{name}"] == pytest.approx(native.compute().item(), abs=1e-3)
        assert found[f"test/{name}"] != pytest.approx(network.compute().item(), abs=0.1)
    assert math.isnan(found["test/whdr_linear_10"])
    assert math.isfinite(found["test/loss"])


@pytest.mark.filterwarnings("ignore:The 'test_dataloader' does not have many workers")
def test_iiw_is_measured_at_the_size_of_its_photos(tmp_path: Path) -> None:
    folder = write_iiw(tmp_path, {str(i): (20, 30) for i in range(10, 20)})
    data = IIW(str(folder), height=128, width=128, batch_size=2, num_workers=0, pictures=0, val_share=0.3)
    model = small()
    found = figures(model, data)
    metric = WHDR()
    for batch in data.test_dataloader():
        with torch.no_grad():
            albedo = model(batch["image"])["albedo"]
        metric.update(F.interpolate(albedo, (20, 30), mode="bilinear"), batch["judgements"])
    assert found["test/whdr_linear_10"] == pytest.approx(metric.compute().item(), abs=1e-6)
    assert math.isnan(found["test/saw_ap"])
