"""Losses of reflectance and shading: the authors' values, known answers, and gradients by finite differences."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from golden import Golden, load_golden
from torch import Tensor

from zoo.errors import UserError
from zoo.losses import (
    LatticeSmoothness,
    bilateral_weights,
    chromaticity,
    dense_smoothness_loss,
    gradient_matching,
    judgement_loss,
    log_scale_invariant_loss,
    reconstruction_loss,
    reflectance_smoothness_loss,
    scale_invariant_loss,
    shading_label_losses,
    superpixel_loss,
)
from zoo.losses.reflectance_smoothness import _at_one_level
from zoo.losses.shading_labels import connected_regions, region_variance
from zoo.losses.shading_smoothness import bistochastic_gaussian

SHAPE = (2, 1, 32, 48)


class Inputs:
    """The inputs of the fixture, made by its rule."""

    def __init__(self, golden: Golden) -> None:
        meta = golden.meta
        state = golden.rule.golden_state({"logR": SHAPE, "logS": SHAPE}, meta["seed"], overrides=meta["overrides"])
        self.log_r, self.log_s = (torch.from_numpy(state[k]) for k in ("logR", "logS"))
        self.gt_r = 0.05 + 0.95 * golden.input(SHAPE, "gt_R")
        self.gt_s = 0.05 + 1.95 * golden.input(SHAPE, "gt_S")
        self.mask = (golden.input(SHAPE, "mask") > 0.2).float()
        self.linear = torch.from_numpy(golden.arrays["in.rgb_img"])
        self.chroma = torch.from_numpy(golden.arrays["in.chromaticity"])
        self.pairs = [golden.input(shape, name) for shape, name in (((20, 5), "eq"), ((30, 5), "ineq"))]


@pytest.fixture(scope="module")
def golden(shared: Path) -> Golden:
    return load_golden(shared, "cgintrinsics_losses")


@pytest.fixture(scope="module")
def inputs(golden: Golden) -> Inputs:
    return Inputs(golden)


def equals(golden: Golden, name: str, value: Tensor) -> None:
    """A single number has no standard deviation: 1e-4 of itself is all it may be off."""
    golden.assert_close(name, value.reshape(golden.arrays[f"out.{name}"].shape))


def test_scale_invariant_supervision_equals_the_authors(golden: Golden, inputs: Inputs) -> None:
    x = inputs
    equals(golden, "linear_scale_invariant_R", scale_invariant_loss(x.log_r.exp(), x.gt_r, x.mask, "batch"))
    equals(golden, "log_scale_invariant_S", log_scale_invariant_loss(x.log_s, x.gt_s.log(), x.mask, "batch"))
    equals(golden, "gradient_L1", gradient_matching(x.log_r - x.gt_r, x.mask, levels=1))  # any two maps will do
    with pytest.raises(AssertionError):  # a scale for each picture is another loss
        equals(golden, "linear_scale_invariant_R", scale_invariant_loss(x.log_r.exp(), x.gt_r, x.mask, "image"))


def test_reconstruction_equals_the_authors(golden: Golden, inputs: Inputs) -> None:
    x = inputs
    torch.testing.assert_close(chromaticity(x.linear), x.chroma, rtol=1e-5, atol=1e-6)
    real = reconstruction_loss(x.linear, x.log_r.exp(), x.log_s.exp())
    equals(golden, "reconstruction_real", real)
    equals(golden, "reconstruction_masked", reconstruction_loss(x.linear, x.log_r.exp(), x.log_s.exp(), x.mask))


def test_reflectance_smoothness_equals_the_authors(golden: Golden, inputs: Inputs) -> None:
    x = inputs
    equals(golden, "albedo_weights_scale_0", bilateral_weights(x.linear)[..., ::2, ::2])
    equals(golden, "albedo_smoothness_scale_0", reflectance_smoothness_loss(x.log_r, x.linear, levels=1))
    coarse = _at_one_level(x.log_r[..., ::4, ::4], x.linear[..., ::4, ::4])
    equals(golden, "albedo_smoothness_scale_2", coarse)
    two = reflectance_smoothness_loss(x.log_r, x.linear, 3) - reflectance_smoothness_loss(x.log_r, x.linear, 2)
    torch.testing.assert_close(two, coarse / 3)


def judgements(inputs: Inputs, mirrored: bool = False) -> Tensor:
    """The fixture's rows (y1, x1, y2, x2, weight; the second point of an unequal pair is darker) in our order."""
    rows = []
    for pairs, darker in zip(inputs.pairs, (0.0, 2.0), strict=True):
        y1, x1, y2, x2, weight = pairs.T
        if mirrored:
            x1, x2 = 1 - x1, 1 - x2
        rows.append(torch.stack([x1, y1, x2, y2, torch.full_like(x1, darker), weight], 1))
    return torch.cat(rows)[None]


def test_ordinal_loss_equals_the_authors(golden: Golden, inputs: Inputs) -> None:
    first = inputs.log_r[:1]
    equals(golden, "ordinal_iiw", judgement_loss(first, judgements(inputs)))
    equals(golden, "ordinal_iiw_flipped", judgement_loss(first, judgements(inputs, mirrored=True)))
    unweighted = judgements(inputs)
    unweighted[..., 5] = 1
    equals(golden, "ordinal_cgi", judgement_loss(first, unweighted, margin=0.4))


def test_shading_labels_equal_the_authors(golden: Golden, inputs: Inputs) -> None:
    """The fixture numbers regions itself, so that its shadow edges are not dilated."""
    shadow, smooth = torch.zeros(2, 32, 48).long(), torch.zeros(2, 32, 48).long()
    shadow[:, 2:10, 3:20], shadow[:, 14:20, 5:30] = 1, 2
    smooth[:, 1:12, 1:12], smooth[:, 20:30, 10:38], smooth[:, 13:18, 30:39] = 1, 2, 3
    log_image = inputs.linear.mean(1, keepdim=True).clamp_min(1e-4).log()
    shadow, smooth = connected_regions(shadow > 0), connected_regions(smooth > 0)
    assert (int(shadow.max()), int(smooth.max())) == (4, 6)
    edges = region_variance(inputs.log_s - log_image, shadow)
    equals(golden, "saw", region_variance(inputs.log_s, smooth) + 0.1 * edges)


def test_scale_is_free_for_each_picture_or_for_the_batch() -> None:
    torch.manual_seed(0)
    truth, mask = torch.rand(2, 1, 16, 20) + 0.1, torch.ones(2, 1, 16, 20)
    factors = torch.tensor([0.5, 4.0]).reshape(2, 1, 1, 1)
    assert scale_invariant_loss(factors * truth, truth, mask).item() == pytest.approx(0, abs=1e-6)
    assert scale_invariant_loss(factors * truth, truth, mask, "batch") > 0.01
    assert scale_invariant_loss(4 * truth, truth, mask, "batch").item() == pytest.approx(0, abs=1e-6)
    logs = (factors * truth).log()
    assert log_scale_invariant_loss(logs, truth.log(), mask).item() == pytest.approx(0, abs=1e-5)
    assert log_scale_invariant_loss(logs, truth.log(), mask, "batch") > 0.1


def test_nothing_outside_the_mask_counts() -> None:
    truth, mask = torch.rand(1, 1, 16, 16) + 0.1, torch.ones(1, 1, 16, 16)
    mask[..., 8:] = 0
    wrong = torch.where(mask > 0, truth, truth + 5)
    assert scale_invariant_loss(wrong, truth, mask).item() == pytest.approx(0, abs=1e-6)
    assert log_scale_invariant_loss(wrong.log(), truth.log(), mask).item() == pytest.approx(0, abs=1e-6)
    assert scale_invariant_loss(wrong, truth, torch.zeros_like(mask)).item() == 0


def test_gradient_matching_spans_two_pixels() -> None:
    """A ramp of 1 a pixel has differences of 2, at 14 of 16 columns: 2 x 14 x 4 / (2 x 64); none along y."""
    ramp = torch.arange(16.0).expand(1, 1, 4, 16)
    assert gradient_matching(ramp, torch.ones(1, 1, 4, 16), 1).item() == pytest.approx(2 * 14 * 4 / 128)


def test_a_judgement_of_weight_zero_is_padding() -> None:
    torch.manual_seed(0)
    log_r = torch.randn(1, 1, 8, 8)
    real = torch.rand(1, 5, 6)
    real[..., 4] = torch.tensor([0.0, 0, 1, 2, 2])
    padded = torch.cat([real, torch.zeros(1, 7, 6)], 1)
    torch.testing.assert_close(judgement_loss(log_r, padded), judgement_loss(log_r, real))
    assert judgement_loss(log_r, torch.zeros(1, 3, 6)).item() == 0


def test_superpixels_are_judged_by_their_albedo() -> None:
    """Three regions: two of one albedo, one half as bright; right reflectance costs nothing, a flat one the margin."""
    albedo, ids = torch.full((1, 3, 12, 12), 0.6), torch.ones(1, 12, 12, dtype=torch.int64)
    ids[:, :, 4:8], ids[:, :, 8:] = 2, 3
    albedo[..., 8:] = 0.3
    right = albedo.mean(1, keepdim=True).log()
    assert superpixel_loss(right, albedo, ids).item() == pytest.approx(0, abs=1e-9)
    assert superpixel_loss(torch.zeros_like(right), albedo, ids).item() == pytest.approx(0.4**2, rel=1e-5)
    assert superpixel_loss(-right, albedo, ids).item() == pytest.approx((0.4 + np.log(2)) ** 2, rel=1e-5)
    hidden = torch.ones(1, 1, 12, 12)
    hidden[..., 8:] = 0
    assert superpixel_loss(-right, albedo, ids, hidden).item() == pytest.approx(0, abs=1e-9)
    ids[:] = 0
    ids[0, 0, 0], ids[0, 0, 11] = 1, 2  # single pixels
    assert superpixel_loss(-right, albedo, ids).item() == 0


def test_one_pixel_of_each_superpixel_is_drawn_anew() -> None:
    torch.manual_seed(0)
    ids, albedo = torch.randint(0, 6, (1, 20, 20)), torch.rand(1, 3, 20, 20)
    log_r = torch.randn(1, 1, 20, 20)
    draws = [superpixel_loss(log_r, albedo, ids, generator=torch.Generator().manual_seed(i)) for i in (0, 0, 1)]
    assert draws[0] == draws[1] != draws[2]


def test_bistochastic_filter_is_what_it_says() -> None:
    matrix = bistochastic_gaussian(24, 3.0)
    np.testing.assert_allclose(matrix.sum(0), 1, atol=1e-5)
    np.testing.assert_allclose(matrix, matrix.T, atol=1e-7)
    assert np.all(matrix >= 0)


def test_dense_smoothness_is_a_sum_over_all_pairs() -> None:
    """Against the formula with every pair, its weights made bistochastic on the whole grid at once."""
    torch.manual_seed(0)
    height, width, sigma = 5, 7, 0.2
    s = torch.randn(2, 1, height, width)
    y, x = np.mgrid[:height, :width].reshape(2, -1)
    squared = (y[:, None] - y) ** 2 + (x[:, None] - x) ** 2
    kernel = np.exp(-0.5 * squared / (sigma * np.hypot(height, width)) ** 2)
    n = np.ones(height * width)
    for _ in range(500):
        n /= np.sqrt(n * (kernel @ n))
    w = torch.from_numpy(n[:, None] * kernel * n)
    flat = s.reshape(2, -1).double()
    pairs = 0.5 * (w * (flat[:, :, None] - flat[:, None]) ** 2).sum((1, 2)) / (height * width)
    torch.testing.assert_close(dense_smoothness_loss(s, sigma).double(), pairs.mean(), rtol=1e-5, atol=1e-6)


def test_dense_smoothness_serves_training_after_inference() -> None:
    with torch.inference_mode():
        dense_smoothness_loss(torch.randn(1, 1, 11, 13))
    s = torch.randn(1, 1, 11, 13, requires_grad=True)
    dense_smoothness_loss(s).backward()
    assert s.grad is not None


@pytest.mark.parametrize("name", ["dense", "judgements", "superpixels", "variance", "reflectance"])
def test_gradients_are_those_of_finite_differences(name: str) -> None:
    torch.manual_seed(0)
    values, albedo, linear = torch.randn(1, 1, 6, 8), torch.rand(1, 3, 6, 8) + 0.05, torch.rand(1, 3, 6, 8)
    ids = torch.arange(6)[None, :, None].expand(1, 6, 8) + 1
    rows = torch.rand(1, 40, 6)
    rows[..., 4] = torch.arange(40) % 3
    labels = torch.full((1, 6, 8), 255)
    labels[:, :, 5:], labels[:, 1, 1] = 2, 1

    def loss(x: Tensor) -> Tensor:
        if name == "dense":
            return dense_smoothness_loss(x)
        if name == "judgements":
            return judgement_loss(x, rows)
        if name == "superpixels":
            return superpixel_loss(x, albedo, ids, generator=torch.Generator().manual_seed(3))
        if name == "variance":
            return torch.stack(shading_label_losses(x, linear, labels)).sum()
        return reflectance_smoothness_loss(x, 0.5 + 0.02 * linear)

    values.requires_grad_()
    (gradient,) = torch.autograd.grad(loss(values), values)
    assert gradient.abs().max() > 1e-3
    towards = torch.nn.functional.normalize(torch.randn_like(values), dim=(1, 2, 3))
    step = 1e-3
    with torch.no_grad():
        numerical = (loss(values + step * towards) - loss(values - step * towards)) / (2 * step)
    assert numerical.item() == pytest.approx((gradient * towards).sum().item(), rel=2e-2, abs=2e-3)


def test_shading_labels_find_variance_and_shadows_that_are_not_the_pictures() -> None:
    labels = torch.full((1, 16, 32), 255)
    labels[:, 2:6, 2:6] = 2
    labels[:, 8, 16:18] = 1
    linear = torch.full((1, 3, 16, 32), 0.4)
    linear[..., 17:] = 0.1  # a shadow, or paint
    with_shadow = linear.mean(1, keepdim=True).log() + 1.5  # its scale is free
    smooth, shadow = shading_label_losses(with_shadow, linear, labels)
    assert smooth.item() == pytest.approx(0, abs=1e-6)
    assert shadow.item() == pytest.approx(0, abs=1e-6)
    flat = torch.zeros(1, 1, 16, 32)
    shadow = shading_label_losses(flat, linear, labels)[1]
    assert shadow.item() == pytest.approx((np.log(4) / 2) ** 2, rel=1e-4)  # 9x9 dilation: five columns either side
    flat[..., 3:5, 2:6] = 1
    assert shading_label_losses(flat, linear, labels)[0].item() == pytest.approx(0.25, rel=1e-4)
    none = torch.full((1, 16, 32), 255)
    assert [term.item() for term in shading_label_losses(flat, linear, none)] == [0, 0]


def test_regions_count_on_through_the_batch() -> None:
    mask = torch.zeros(2, 5, 5, dtype=torch.bool)
    mask[0, 0, 0], mask[0, 1, 1], mask[1, 2:4, 2] = True, True, True  # corners do not join
    regions = connected_regions(mask)
    assert regions[0, 0, 0] != regions[0, 1, 1]
    assert regions.unique().tolist() == [0, 1, 2, 3]


def test_authors_matrices_are_read(tmp_path: Path) -> None:
    """A lattice as fine as the picture, whose blurs multiply to half of a bistochastic filter in either order."""
    height, width = 4, 3
    pixels = height * width
    half = np.kron(bistochastic_gaussian(height, 1.0), bistochastic_gaussian(width, 1.0)) / 2
    eye = np.eye(pixels)

    def triplets(matrix: np.ndarray) -> np.ndarray:
        rows, columns = matrix.nonzero()
        return np.stack([rows + 1.0, columns + 1.0, matrix[rows, columns]])

    splat = np.stack([np.arange(pixels) + 1.0, np.arange(pixels), np.ones(pixels)])
    with h5py.File(tmp_path / "R0.h5", "w") as file:
        file["/sparse/mn"] = np.array([[pixels, pixels]], float)
        file["/sparse/S"] = splat
        file["/sparse/N"] = np.ones((1, pixels))
        for i, blur in enumerate((eye, half, eye)):
            file[f"/sparse/B{i}"] = triplets(blur)
    torch.manual_seed(0)
    s = torch.randn(2, 1, height, width, requires_grad=True)
    loss = LatticeSmoothness(tmp_path / "R0.h5")(s)
    expected = dense_smoothness_loss(s, 1.0 / float(np.hypot(height, width)))
    torch.testing.assert_close(loss, expected, rtol=1e-4, atol=1e-6)
    loss.backward()
    assert s.grad is not None
    with pytest.raises(UserError, match="12 pixels"):
        LatticeSmoothness(tmp_path / "R0.h5")(torch.zeros(1, 1, 5, 5))
    (tmp_path / "bad.h5").write_bytes(b"no")
    with pytest.raises(UserError, match="lattice"):
        LatticeSmoothness(tmp_path / "bad.h5")
