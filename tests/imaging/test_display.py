"""What a person sees of each key, and panels of it."""

from __future__ import annotations

import pytest
import torch

from zoo.contract import IGNORE
from zoo.imaging import BACKGROUND, contact_sheet, display, draw_judgements, panel
from zoo.imaging.display import segmentation_palette
from zoo.scene_classes import SCENE_COLOURS, class_id


def _constant(*values: float) -> torch.Tensor:
    return torch.tensor(values)[None, :, None, None].expand(1, -1, 4, 4)


@pytest.mark.parametrize(
    ("key", "value", "seen"),
    [
        ("image", (0.1, 0.2, 0.3), (0.1, 0.2, 0.3)),
        ("albedo", (0.21404114, 0.0, 4.0), (0.5, 0.0, 1.0)),
        ("shading", (0.21404114 / 0.26,), (0.5, 0.5, 0.5)),
        ("normal", (0.0, 0.0, 1.0), (0.5, 0.5, 1.0)),
        ("normal", (1.0, 0.0, 0.0), (1.0, 0.5, 0.5)),
        ("normal", (0.0, 0.0, 0.0), (BACKGROUND,) * 3),
        ("mask", (0.25,), (0.25,) * 3),
        ("relit from the left", (0.1, 0.2, 2.0), (0.1, 0.2, 1.0)),
    ],
)
def test_colours(key: str, value: tuple[float, ...], seen: tuple[float, ...]):
    shown = display(key, _constant(*value))
    assert shown.shape == (1, 3, 4, 4)
    assert shown[0, :, 2, 2].tolist() == pytest.approx(seen, abs=1e-5)


def test_mask_shows_the_background():
    mask = torch.zeros(1, 1, 4, 4)
    mask[..., :2] = 1
    shown = display("image", _constant(0.0, 0.0, 0.0), mask)
    assert shown[..., :2].max() == 0
    assert torch.allclose(shown[..., 2:], torch.tensor(BACKGROUND))


def test_depth_is_bright_where_near_and_each_sample_has_its_own_range():
    depth = torch.linspace(1, 2, 100).view(1, 1, 10, 10)
    depth = torch.cat([depth, depth * 50])
    depth[:, :, 0, 0] = 0
    shown = display("depth", depth)
    assert torch.allclose(shown[:, :, 0, 0], torch.tensor(BACKGROUND))
    assert (shown[:, :, 0, 1] > 0.85).all()
    assert (shown[:, :, -1, -1] < 0.15).all()
    torch.testing.assert_close(shown[0], shown[1])


def test_depth_of_nothing():
    assert torch.allclose(display("depth", torch.zeros(1, 1, 4, 4)), torch.tensor(BACKGROUND))


def test_segmentation():
    labels = torch.tensor([[[0, class_id("sky")], [64, IGNORE]]])
    shown = display("segmentation", labels)
    assert shown[0, :, 0, 0].tolist() == [0, 0, 0]
    assert shown[0, :, 0, 1].tolist() == pytest.approx([128 / 255] * 3)
    assert shown[0, :, 1, 0].tolist() == pytest.approx([32 / 255, 0, 0]), "behind the scenes' classes those of VOC"
    assert shown[0, :, 1, 1].tolist() == pytest.approx([BACKGROUND] * 3)
    assert len(segmentation_palette()[: len(SCENE_COLOURS)].unique(dim=0)) == len(SCENE_COLOURS)


def test_ids_differ_and_nothing_is_grey():
    shown = display("instances", torch.arange(40).view(1, 5, 8))
    assert shown[0, :, 0, 0].tolist() == pytest.approx([BACKGROUND] * 3)
    colours = shown[0].flatten(1).T
    assert (torch.cdist(colours, colours) + torch.eye(40)).min() > 0.05


def test_shading_labels():
    shown = display("shading_labels", torch.tensor([[[0, 1], [2, 255]]]))
    assert shown[0].argmax(0).tolist()[0] == [0, 2]
    assert int(shown[0, :, 1, 0].argmax()) == 1
    assert shown[0, :, 1, 1].tolist() == pytest.approx([BACKGROUND] * 3)


def test_judgements_are_drawn_where_they_are():
    image = torch.full((1, 3, 80, 120), 0.5)
    pairs = torch.tensor([[[0.1, 0.1, 0.9, 0.1, 0, 1.0], [0.1, 0.9, 0.9, 0.9, 2, 1.0], [0.1, 0.5, 0.9, 0.5, 0, 0.0]]])
    shown = draw_judgements(image, pairs)
    assert shown.shape == image.shape
    red, _, blue = shown[0]
    assert blue[8, 60] > 0.65 > 0.45 > red[8, 60], "equal"
    assert red[72, 60] > 0.65 > 0.45 > blue[72, 60], "unequal"
    assert red[72, 12] > 0.7 > 0.6 > red[72, 107], "the second is darker"
    assert torch.allclose(shown[:, :, 30:50], image[:, :, 30:50], atol=0.01), "no weight, no line"


def test_light_brightens_its_side():
    light = torch.zeros(1, 3, 9)
    light[:, :, 0] = 2.0
    light[:, :, 3] = 1.0  # Y11 ~ x: from the right
    shown = display("light", light)
    assert shown.shape == (1, 3, 128, 128)
    assert shown[0, 0, 64, 100] > shown[0, 0, 64, 28] + 0.1
    assert shown[0, 0, 0, 0] == pytest.approx(BACKGROUND)


def test_no_gradient_and_no_change_of_the_input():
    value = torch.full((1, 3, 4, 4), 0.5, requires_grad=True)
    assert not display("albedo", value).requires_grad
    depth = torch.ones(1, 1, 4, 4)
    display("depth", depth)
    assert (depth == 1).all()


def test_coefficients_are_no_picture():
    with pytest.raises(ValueError, match="no picture"):
        display("identity", torch.zeros(2, 80))


def test_panel_places_the_pictures():
    red, blue = _constant(1.0, 0.0, 0.0), _constant(0.0, 0.0, 1.0)
    sheet = panel({"a": torch.cat([red, blue]), "b": torch.cat([blue, red])}, scale=16)
    assert sheet.shape[0] == 3
    reds = (sheet[0] == 1) & (sheet[2] == 0)
    rows, columns = torch.nonzero(reds, as_tuple=True)
    assert len(rows) == 2 * 64 * 64
    upper = rows < rows.min() + 64
    assert columns[upper].max() < columns[~upper].min()
    assert (sheet[:, -1, -1] - BACKGROUND).abs().max() < 1 / 255


def test_panel_titles_are_written_above_their_columns():
    empty = panel({"": torch.ones(1, 3, 64, 64)})
    titled = panel({"normal": torch.ones(1, 3, 64, 64)})
    assert (titled < 0.4).any()
    assert not (empty < 0.4).any()


@pytest.mark.parametrize("side", [1, 16, 64, 300])
def test_panel_is_readable_at_every_size(side: int):
    stack = torch.rand(2, 3, side, side)
    name = "a reconstruction with a_very_long_and_unbreakable_name"
    sheet = panel({name: stack, "input": stack[:, :, ::2, ::2]}, rows=["first.jpg", "second.jpg"])
    assert sheet.shape[1] >= 2 * max(side, 176)
    assert torch.isfinite(sheet).all()
    assert 0 <= sheet.min() <= sheet.max() <= 1


def test_panel_wants_equal_batches():
    with pytest.raises(ValueError, match="one number of samples"):
        panel({"a": torch.rand(1, 3, 8, 8), "b": torch.rand(2, 3, 8, 8)})
    with pytest.raises(ValueError, match="at least one"):
        panel({})


def test_wide_pictures_leave_no_room_above_their_titles():
    wide, square = torch.rand(3, 20, 60), torch.rand(3, 60, 60)
    assert contact_sheet([wide] * 2, columns=2, tile=60).shape[-2] == 20 + 2 * 4
    assert contact_sheet([wide, square], columns=2, tile=60).shape[-2] == 60 + 2 * 4


def test_contact_sheet_holds_every_picture():
    colours = torch.eye(3)
    pictures = [colour[:, None, None].expand(3, 10, 10 * (1 + i)) for i, colour in enumerate(colours)]
    sheet = contact_sheet(pictures, ["red", "green", "blue"], columns=2, tile=60)
    for colour in colours:
        assert (sheet == colour[:, None, None]).all(dim=0).sum() >= 60 * 20
    with pytest.raises(ValueError, match="titles"):
        contact_sheet(pictures, ["one"])
