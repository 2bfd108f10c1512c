"""JieP as a module: known answers, what may not break it, and what it says to who wants to train it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch
from torch.testing import assert_close

import zoo
from lightning_modules.jiep.filters import box_mean, guided_filter, window_max
from lightning_modules.jiep.module import JieP, with_brightness
from lightning_modules.jiep.retinex import Constants, shape_weights, texture_weights
from zoo.cli import main
from zoo.contract import check
from zoo.errors import UserError
from zoo.imaging import read_image, srgb_to_linear

OUTPUTS = ["illumination", "reflectance", "enhanced", "albedo", "shading"]


def picture(height: int = 40, width: int = 56) -> torch.Tensor:
    """A patterned wall, half of it in shadow, a black stripe, and some noise; sRGB (1,3,H,W)."""
    random = torch.Generator().manual_seed(0)
    rows, columns = torch.arange(height)[:, None], torch.arange(width)
    paint = 0.4 + 0.3 * ((rows // 5 + columns // 7) % 2)
    light = torch.where(columns + rows < 45, 1.0, 0.25) * (1 - 0.3 * columns / width)
    colour = torch.tensor([1.0, 0.8, 0.6])[:, None, None]
    image = colour * (paint * light) + 0.02 * torch.rand(3, height, width, generator=random)
    image[:, :, 30:33] = 0
    return image.clamp(0, 1)[None]


def test_multigrid_equals_direct() -> None:
    with_direct, ours = (JieP(solver=name).decompose(picture()) for name in ("direct", "multigrid"))
    assert ours.iterations.tolist() == with_direct.iterations.tolist()
    # Where the picture is black, light leaves no trace, and only the product is determined.
    assert_close(ours.illumination, with_direct.illumination, atol=2e-4, rtol=0)
    product = with_direct.illumination * with_direct.reflectance
    assert_close(ours.illumination * ours.reflectance, product, atol=2e-4, rtol=0)


def test_pictures_of_a_batch_stop_by_themselves() -> None:
    easy, hard = torch.full((1, 3, 40, 56), 0.5), picture()
    model = JieP()
    together = model.decompose(torch.cat([easy, hard]))
    assert together.iterations[0] < together.iterations[1]
    for place, alone in enumerate((easy, hard)):
        split = model.decompose(alone)
        assert split.iterations[0] == together.iterations[place]
        assert_close(together.illumination[place], split.illumination[0], atol=1e-9, rtol=0)
        assert_close(together.reflectance[place], split.reflectance[0], atol=1e-9, rtol=0)


def test_it_stops_when_one_of_the_two_changes_little() -> None:
    split = JieP(stop=0.018).decompose(picture())
    assert split.changes.min() < 0.018 <= split.changes.max()
    assert JieP(stop=0.0, max_iterations=4).decompose(picture()).iterations.tolist() == [4]


def test_a_flat_picture_is_all_light() -> None:
    answer = JieP()(torch.full((1, 3, 9, 9), 0.4))
    assert_close(answer["illumination"], torch.full((1, 1, 9, 9), 0.4))
    assert_close(answer["reflectance"], torch.ones(1, 1, 9, 9))
    assert_close(answer["enhanced"], torch.full((1, 3, 9, 9), 0.4 ** (1 / 2.2)))


@pytest.mark.parametrize("linearize", [False, True])
@pytest.mark.parametrize("dark", [1.0, 1 / 255])
def test_the_product_is_the_picture(linearize: bool, dark: float) -> None:
    image = dark * picture()
    answer = JieP(linearize=linearize)(image)
    check(answer, OUTPUTS)
    assert_close(answer["albedo"] * answer["shading"], srgb_to_linear(image), atol=1e-6, rtol=1e-5)
    brightest = (srgb_to_linear(image) if linearize else image).amax(1, keepdim=True)
    assert (answer["illumination"] * answer["reflectance"] - brightest).abs().mean() < 0.02 * brightest.mean() + 1e-3


def test_most_of_a_shadow_goes_into_the_light() -> None:
    answer = JieP()(picture())
    lit, shadowed = (slice(4, 20), slice(4, 20)), (slice(24, 38), slice(36, 52))

    def ratio(values: torch.Tensor) -> float:
        return float(values[0, 0][lit].mean() / values[0, 0][shadowed].mean())

    assert ratio(picture().amax(1, keepdim=True)) > 4
    assert ratio(answer["illumination"]) > 2.5
    assert ratio(answer["reflectance"]) < 1.8
    assert answer["enhanced"].mean() > picture().mean()


@pytest.mark.parametrize("image", [torch.zeros(2, 3, 9, 9), torch.ones(1, 3, 8, 8), torch.rand(1, 3, 3, 3)])
def test_odd_pictures_are_answered(image: torch.Tensor) -> None:
    check(JieP()(image), OUTPUTS)


def test_a_grey_picture_is_one_of_three_equal_channels() -> None:
    grey = picture()[:, :1]
    ours, theirs = JieP()(grey), JieP()(grey.expand(-1, 3, -1, -1))
    for key in OUTPUTS:
        assert_close(ours[key], theirs[key])


@pytest.mark.parametrize(
    ("image", "window", "said"),
    [(torch.full((1, 3, 9, 9), torch.nan), 1, "not finite"), (torch.zeros(1, 3, 3, 3), 5, "smaller than window=5")],
)
def test_what_cannot_be_used_is_refused(image: torch.Tensor, window: int, said: str) -> None:
    with pytest.raises(UserError, match=said):
        JieP(window=window)(image)


def test_weights_by_hand() -> None:
    constants = Constants()
    ramp = torch.tensor([[[0.0, 0.1, 0.3], [0.0, 0.1, 0.3]]], dtype=torch.float64)
    right, down = shape_weights(ramp, constants)
    # Gradients 0.1 0.2 0, mirrored at the border: means 0.4/3, 0.3/3.
    expected = torch.tensor([1 / (0.1 * 0.4 / 3), 1 / (0.2 * 0.3 / 3), 0.0], dtype=torch.float64)
    assert_close(right[0], expected.expand(2, 3))
    assert_close(down[0], torch.tensor([[1e4] * 3, [0.0] * 3], dtype=torch.float64))
    right, _ = texture_weights(ramp, constants)
    assert_close(right[0, 0], torch.tensor([10.0, 5.0, 0.0], dtype=torch.float64))


@pytest.mark.parametrize("radius", [1, 2, 3])
def test_windows_equal_scipy(radius: int) -> None:
    from scipy import ndimage

    x = torch.rand(2, 7, 9, dtype=torch.float64)
    size = (0, 2 * radius + 1, 2 * radius + 1)
    assert_close(box_mean(x, radius), torch.from_numpy(ndimage.uniform_filter(x.numpy(), size, mode="reflect")))
    assert_close(window_max(x, radius), torch.from_numpy(ndimage.maximum_filter(x.numpy(), size, mode="nearest")))


def test_the_guided_filter_by_least_squares() -> None:
    """In each window the line through (guide, x) with a penalty on its slope; then the mean of all lines at a pixel."""
    guide, x = torch.rand(2, 1, 5, 6, dtype=torch.float64).unbind()
    radius, epsilon = 1, 0.01
    total, count = torch.zeros(5, 6).double(), torch.zeros(5, 6).double()
    for row in range(5):
        for column in range(6):
            window = (
                slice(max(row - radius, 0), row + radius + 1),
                slice(max(column - radius, 0), column + radius + 1),
            )
            g, p = guide[0][window], x[0][window]
            slope = ((g - g.mean()) * (p - p.mean())).mean() / (g.var(correction=0) + epsilon)
            total[window] += slope * guide[0][window] + p.mean() - slope * g.mean()
            count[window] += 1
    assert_close(guided_filter(guide, x, radius, epsilon)[0], total / count)


def test_brightness_keeps_hue_and_saturation() -> None:
    import colorsys

    colour = with_brightness(torch.tensor([0.2, 0.4, 0.1]).view(1, 3, 1, 1), torch.full((1, 1, 1, 1), 0.8)).flatten()
    hue, saturation, _ = colorsys.rgb_to_hsv(0.2, 0.4, 0.1)
    assert_close(colour, torch.tensor(colorsys.hsv_to_rgb(hue, saturation, 0.8)))
    assert with_brightness(torch.zeros(1, 3, 1, 1), torch.full((1, 1, 1, 1), 0.5)).tolist() == [[[[0.5]]] * 3]


def test_load_needs_no_weights_and_takes_none() -> None:
    model = zoo.load("jiep", gamma=3.0)
    assert (model.gamma, model.training) == (3.0, False)
    with pytest.raises(UserError, match="has no weights and needs none"):
        zoo.load("jiep", weights="synthetic-v1")


@pytest.mark.parametrize("options", [["--model", "jiep"], ["--model", "jiep", "--trainer.max_steps", "5"]])
def test_fit_says_what_to_do_instead(options: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fit", *options]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "nothing to train: use it at once with python -m zoo predict --model jiep" in err
    assert len(err.splitlines()) == 1


def test_info_says_that_no_weights_are_needed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", "jiep"]) == 0
    page = capsys.readouterr().out
    assert "none needed; there is nothing to train" in page
    assert "zoo test --model jiep" in page
    assert "zoo fit" not in page


ANCHORS = {"block": (6, 0.4566, 0.4520, 0.6928), "woman": (6, 0.4306, 0.4275, 0.7986)}
BLOCK = ([0.0662, 0.0859, 0.0571, 0.0314, 0.0168, 0.0094], [0.2720, 0.1367, 0.0719, 0.0392, 0.0227, 0.0141])


@pytest.mark.parametrize("name", ANCHORS)
def test_anchors_on_the_authors_photographs(name: str) -> None:
    """Their photographs carry no licence, so they are not here: ZOO_JIEP_PHOTOGRAPHS names a folder that has them."""
    folder = os.environ.get("ZOO_JIEP_PHOTOGRAPHS")
    if not folder:
        pytest.skip("ZOO_JIEP_PHOTOGRAPHS does not name the folder `dataset` of the authors' repository")
    image = read_image(Path(folder) / f"{name}.bmp")[None]
    iterations, bright, illumination, reflectance = ANCHORS[name]
    split = JieP().decompose(image)
    assert split.iterations.tolist() == [iterations]
    assert_close(split.bright.mean().item(), bright, atol=1e-4, rtol=0)
    assert_close(split.illumination.mean().item(), illumination, atol=1e-4, rtol=0)
    assert_close(split.reflectance.mean().item(), reflectance, atol=1e-4, rtol=0)
    if name == "block":
        for rounds, changes in enumerate(zip(*BLOCK, strict=True), 1):
            found = JieP(max_iterations=rounds).decompose(image).changes[0]
            assert_close(found, torch.tensor(changes, dtype=torch.float64), atol=1e-4, rtol=0)
