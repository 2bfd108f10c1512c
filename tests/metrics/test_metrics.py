"""Hand-computed answers and invariances of the metrics."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchmetrics import Metric, MetricCollection
from torchmetrics.functional.image import peak_signal_noise_ratio, structural_similarity_index_measure

from zoo.metrics import (
    Keyed,
    LightError,
    MaskedPSNR,
    MaskedSSIM,
    NormalError,
    NormalsWithin,
    ScaleInvariantMSE,
    angular_error,
)
from zoo.render.sh import directional_light


def normals(*degrees: float) -> torch.Tensor:
    """Normals tilted from the viewer by these angles, one picture of one row."""
    angle = torch.deg2rad(torch.tensor(degrees))
    return torch.stack([angle.sin(), torch.zeros_like(angle), angle.cos()]).reshape(1, 3, 1, -1)


def test_normal_error_by_hand() -> None:
    preds, target = normals(0, 10, 22, 28), normals(0, 0, 0, 0)
    std = math.sqrt((225 + 25 + 49 + 169) / 4)
    expected = {NormalError("mean"): 15.0, NormalError("std"): std, NormalsWithin(20): 50.0, NormalsWithin(25): 75.0}
    for metric, value in expected.items():
        metric.update(preds, target)
        assert metric.compute().item() == pytest.approx(value, rel=1e-5)


def test_normal_error_counts_the_mask_and_nothing_else() -> None:
    metric = NormalError()
    metric.update(normals(10, 90), normals(0, 0), torch.tensor([1.0, 0.0]).reshape(1, 1, 1, 2))
    assert metric.compute().item() == pytest.approx(10, rel=1e-5)


def test_small_angles_keep_their_digits() -> None:
    assert angular_error(normals(0.01), normals(0)).item() == pytest.approx(0.01, rel=1e-3)


def test_no_normal_is_no_perfect_normal() -> None:
    """A network that answers with zeros, or a truth that is missing, must not count as 0 degrees."""
    nothing = torch.zeros(1, 3, 1, 2)
    assert angular_error(nothing, normals(0, 50)).flatten().tolist() == [90, 90]
    assert angular_error(normals(0, 50), nothing).flatten().tolist() == [90, 90]


def test_normal_error_joins_batches() -> None:
    metric = NormalError("std")
    for angle in (0.0, 10.0):
        metric.update(normals(angle), normals(0))
    assert metric.compute().item() == pytest.approx(5.0, rel=1e-5)


@settings(max_examples=25, deadline=None)
@given(st.floats(0.05, 20), st.integers(0, 2**31))
def test_scale_invariant_mse_ignores_brightness(scale: float, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    x, y = torch.rand(2, 2, 3, 5, 5, generator=generator)
    one, other = ScaleInvariantMSE(), ScaleInvariantMSE()
    one.update(x, y)
    other.update(scale * x, y)
    assert other.compute().item() == pytest.approx(one.compute().item(), rel=1e-4)


def test_scale_invariant_mse_by_hand() -> None:
    """x = (1, 1), y = (1, 3): alpha 2, residuals -1 and 1."""
    metric = ScaleInvariantMSE()
    metric.update(torch.ones(1, 1, 1, 2), torch.tensor([1.0, 3.0]).reshape(1, 1, 1, 2))
    assert metric.compute().item() == pytest.approx(1.0)


@pytest.mark.parametrize("metric", [ScaleInvariantMSE, MaskedPSNR, MaskedSSIM])
def test_one_channel_stands_for_three(metric: type[Metric]) -> None:
    """Shading has one channel in some papers and three in others."""
    grey, colour, mask = torch.rand(2, 1, 16, 16), torch.rand(2, 3, 16, 16), torch.ones(2, 1, 16, 16)
    for preds, target in ((grey, colour), (colour, grey)):
        narrow, wide = metric(), metric()
        narrow.update(preds, target, mask)
        wide.update(preds.expand(-1, 3, -1, -1), target.expand(-1, 3, -1, -1), mask)
        torch.testing.assert_close(narrow.compute(), wide.compute())


def test_an_empty_mask_is_left_out() -> None:
    for metric in (ScaleInvariantMSE(), MaskedPSNR(), MaskedSSIM()):
        x, y = torch.rand(2, 2, 3, 16, 16)
        mask = torch.zeros(2, 1, 16, 16)
        mask[0] = 1
        metric.update(x, y, mask)
        both = metric.compute()
        metric.reset()
        metric.update(x[:1], y[:1])
        torch.testing.assert_close(both, metric.compute())


def test_masked_psnr_and_ssim_without_mask_are_torchmetrics() -> None:
    x, y = torch.rand(2, 1, 3, 24, 24)
    psnr, ssim = MaskedPSNR(), MaskedSSIM()
    psnr.update(x, y)
    ssim.update(x, y)
    torch.testing.assert_close(psnr.compute(), peak_signal_noise_ratio(x, y, data_range=1.0))
    expected = structural_similarity_index_measure(x, y, data_range=1.0, return_full_image=True)[1].mean()
    torch.testing.assert_close(ssim.compute(), expected)


def test_what_lies_outside_the_mask_changes_nothing() -> None:
    x, y = torch.rand(2, 1, 3, 24, 24)
    mask = torch.zeros(1, 1, 24, 24)
    mask[..., 4:20, 4:20] = 1
    spoilt = torch.where(mask > 0.5, x, torch.rand_like(x))
    for metric in (MaskedPSNR(), MaskedSSIM()):
        metric.update(x, y, mask)
        expected = metric.compute()
        metric.reset()
        metric.update(spoilt, y, mask)
        torch.testing.assert_close(metric.compute(), expected)


def test_keyed_metrics_find_their_tensors() -> None:
    collection = MetricCollection(
        {"normal": Keyed(NormalError(), "normal"), "psnr": Keyed(MaskedPSNR(), "out", target="image")}
    )
    batch = {"normal": normals(0, 0), "image": torch.rand(1, 3, 1, 2), "mask": torch.ones(1, 1, 1, 2)}
    collection.update({"normal": normals(4, 8), "out": batch["image"]}, batch)
    values = collection.compute()
    assert values["normal"].item() == pytest.approx(6, rel=1e-5)
    assert values["psnr"].item() == pytest.approx(100)
    collection.reset()
    collection.update({"normal": normals(2, 2), "out": batch["image"]}, batch)
    assert collection.compute()["normal"].item() == pytest.approx(2, rel=1e-4)


def test_keyed_metrics_keep_their_digits_under_autocast() -> None:
    """The window of SSIM is a convolution, and in bfloat16 variances drown in rounding."""
    image = torch.nn.functional.avg_pool2d(torch.rand(2, 3, 36, 36), 5, 1)
    out = (image + 0.02 * torch.randn_like(image)).clamp(0, 1)
    batch = {"image": image, "mask": torch.ones(2, 1, 32, 32)}
    values = []
    for half in (False, True):
        metric = Keyed(MaskedSSIM(), "out", target="image")
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            metric.update({"out": out}, batch)
        values.append(metric.compute())
    torch.testing.assert_close(*values)


def test_light_error_knows_directions_and_strength() -> None:
    left, right = torch.tensor([[-1.0, 0.0, 0.0]]), torch.tensor([[1.0, 0.0, 0.0]])
    above = torch.tensor([[0.0, 1.0, 0.0]])
    white = torch.ones(1, 3)
    direction = LightError("direction")
    direction.update(directional_light(left, white), directional_light(above, 3 * white))
    assert direction.compute() == pytest.approx(90)
    direction.update(directional_light(left, white), directional_light(right, white))
    assert direction.compute() == pytest.approx(135)
    shading = LightError("shading")
    shading.update(directional_light(above, 0.8 * white), directional_light(above, white))
    assert shading.compute() == pytest.approx(20, abs=1e-3)
    with pytest.raises(ValueError, match="what must be"):
        LightError("colour")  # type: ignore[arg-type]


class Noted(Metric):
    """Remembers what it was updated with."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[Any, ...]] = []

    def update(self, *arguments: Any) -> None:
        self.seen.append(arguments)

    def compute(self) -> torch.Tensor:
        return torch.tensor(1.0)


def test_of_several_keys_the_first_that_a_batch_has_counts() -> None:
    inner = Noted()
    metric = Keyed(inner, "shading", target=("native", "labels"), mask=("native_image", "image"), optional=True)
    native = [torch.zeros(2, 3, dtype=torch.int64), torch.ones(4, 5, dtype=torch.int64)]
    labels, image = torch.zeros(2, 2, 2), torch.ones(2, 3, 2, 2).half()
    prediction = {"shading": torch.ones(2, 1, 2, 2)}
    metric.update(prediction, {"image": image})
    assert not inner.seen
    assert metric.compute().isnan()
    metric.update(prediction, {"labels": labels, "native": native, "image": image})
    metric.update(prediction, {"labels": labels})
    (_, first, picture), (_, second) = inner.seen
    assert [each.tolist() for each in first] == [each.tolist() for each in native]
    assert all(each.dtype == torch.int64 for each in first)
    assert picture.dtype == torch.float32
    assert second is labels
    with pytest.raises(KeyError, match="labels"):
        Keyed(Noted(), "shading", target=("native", "labels")).update(prediction, {"image": image})
