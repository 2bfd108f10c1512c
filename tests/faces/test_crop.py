"""Crops: known answers, both ways for points, and round trips into the photo."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.faces import FACE_CROP, Crop, Face, crop_box, crop_box_from_landmarks, five_points, square_crop, whole_picture

POINTS = torch.tensor([[40.0, 50.0], [80.0, 50.0], [60.0, 70.0], [45.0, 90.0], [75.0, 90.0]])


def _ramp(height: int, width: int) -> torch.Tensor:
    """A picture whose values say where they lie: x in the first channel, y in the second."""
    y, x = torch.meshgrid(torch.arange(height) / 255, torch.arange(width) / 255, indexing="ij")
    return torch.stack([x, y, torch.full_like(x, 0.5)])


def test_a_crop_of_whole_pixels_is_a_slice():
    photo = torch.rand(3, 40, 50)
    crop = Crop((14.5, 19.5), 20.0, 20).cut(photo)
    torch.testing.assert_close(crop, photo[:, 10:30, 5:25], atol=1e-5, rtol=0)


def test_outside_the_photo_the_border_goes_on():
    photo = torch.rand(3, 10, 10)
    crop = Crop((4.5, -0.5), 10.0, 10).cut(photo)
    torch.testing.assert_close(crop[:, 5:], photo[:, :5], atol=1e-5, rtol=0)
    torch.testing.assert_close(crop[:, :5], photo[:, :1].expand(-1, 5, -1), atol=1e-5, rtol=0)


def test_shrinking_smooths():
    stripes = (torch.arange(256) % 2).float().expand(3, 256, 256)
    assert (Crop((127.5, 127.5), 256.0, 64).cut(stripes) - 0.5).abs().max() < 0.01


def test_values_say_where_they_come_from():
    crop = Crop((100.0, 80.0), 90.0, 64, roll=0.4)
    cut = crop.cut(_ramp(200, 220))
    for point in ([31.5, 31.5], [10.0, 50.0], [55.0, 7.0]):
        x, y = crop.to_photo(torch.tensor(point)).tolist()
        column, row = (round(value) for value in point)
        near = crop.to_photo(torch.tensor([float(column), float(row)])) / 255
        torch.testing.assert_close(cut[:2, row, column], near, atol=2e-3, rtol=0)
        assert 0 < x < 220
        assert 0 < y < 200


def test_roll_turns_clockwise():
    crop = Crop((50.0, 50.0), 10.0, 10, roll=math.pi / 2)
    right_of_centre = crop.to_photo(torch.tensor([5.5, 4.5]))
    torch.testing.assert_close(right_of_centre, torch.tensor([50.0, 51.0]))


@settings(deadline=None, max_examples=50)
@given(
    st.floats(-50, 300), st.floats(-50, 300), st.floats(5, 500), st.integers(2, 300), st.floats(-3, 3),
    st.floats(-100, 400), st.floats(-100, 400),
)  # fmt: skip
def test_points_go_there_and_back(x: float, y: float, side: float, size: int, roll: float, px: float, py: float):
    crop = Crop((x, y), side, size, roll)
    points = torch.tensor([[px, py], [0.0, 0.0]], dtype=torch.float64)
    torch.testing.assert_close(crop.to_photo(crop.to_crop(points)), points, atol=1e-6, rtol=1e-8)
    torch.testing.assert_close(crop.to_crop(crop.to_photo(points)), points, atol=1e-6, rtol=1e-8)


def _smooth(height: int, width: int, seed: int) -> torch.Tensor:
    coarse = torch.rand(1, 3, 5, 6, generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.interpolate(coarse, (height, width), mode="bilinear", align_corners=True)[0]


@settings(deadline=None, max_examples=25)
@given(
    st.floats(-20, 120), st.floats(-20, 100), st.floats(30, 120), st.floats(1, 2), st.floats(-0.8, 0.8),
    st.integers(0, 10),
)  # fmt: skip
def test_a_crop_pasted_back_changes_nothing(x: float, y: float, side: float, finer: float, roll: float, seed: int):
    """A crop that is no coarser than the photo loses only what interpolation smooths: the kinks of the picture."""
    photo = _smooth(80, 100, seed)
    crop = Crop((x, y), side, math.ceil(side * finer), roll)
    pasted = crop.paste(photo, crop.cut(photo))
    assert (pasted - photo).abs().max() < 0.02


@settings(deadline=None, max_examples=25)
@given(st.floats(20, 60), st.floats(20, 60), st.floats(10, 50), st.floats(-3, 3))
def test_paste_leaves_the_rest_alone(x: float, y: float, side: float, roll: float):
    photo = torch.zeros(3, 80, 80)
    before = photo.clone()
    crop = Crop((x, y), side, 32, roll)
    pasted = crop.paste(photo, torch.ones(3, 32, 32))
    assert torch.equal(photo, before)
    rows, columns = torch.meshgrid(torch.arange(80.0), torch.arange(80.0), indexing="ij")
    place = crop.to_crop(torch.stack([columns, rows], dim=-1))
    outside = ((place < -0.5) | (place > 31.5)).any(dim=-1)
    assert pasted[:, outside].max() == 0
    deep = ((place > 6) & (place < 25)).all(dim=-1)
    assert (pasted[:, deep] > 0.99).all()


def test_paste_has_a_soft_edge_and_obeys_its_mask():
    photo, patch = torch.zeros(3, 60, 60), torch.ones(3, 80, 80)
    crop = Crop((29.5, 29.5), 40.0, 20)
    row = crop.paste(photo, patch, feather=0.25)[0, 30]
    assert row[9] == 0
    assert 0 < row[11] < row[14] < row[19]
    assert row[22] == pytest.approx(1)
    hard = crop.paste(photo, patch, feather=0)
    assert hard.sum() == pytest.approx(3 * 40 * 40)
    mask = torch.zeros(1, 20, 20)
    mask[..., :10] = 1
    half = crop.paste(photo, patch, mask, feather=0)[0, 30]
    assert half[20] == pytest.approx(1)
    assert half[40] == 0


def test_paste_beside_the_photo():
    photo = torch.rand(3, 10, 10)
    assert torch.equal(Crop((100.0, 100.0), 10.0, 10).paste(photo, torch.zeros(3, 10, 10)), photo)


def test_framing_of_five_points():
    cx, cy, side = crop_box_from_landmarks(POINTS).tolist()
    assert side == pytest.approx(FACE_CROP.side * 40)
    assert (cx, cy) == pytest.approx((60, 70 - FACE_CROP.lift * 40))


def test_framing_is_the_same_for_68_points_and_in_batches():
    many = torch.zeros(2, 68, 2)
    for eye, where in ((slice(36, 42), POINTS[0]), (slice(42, 48), POINTS[1])):
        many[:, eye] = where + torch.tensor([[-3, 0], [-1, -2], [1, -2], [3, 0], [1, 2], [-1, 2]])
    many[:, 30], many[:, 48], many[:, 54] = POINTS[2], POINTS[3], POINTS[4]
    torch.testing.assert_close(five_points(many)[1], POINTS)
    torch.testing.assert_close(crop_box_from_landmarks(many), crop_box_from_landmarks(POINTS).expand(2, 3))
    with pytest.raises(ValueError, match="landmarks must be"):
        five_points(torch.zeros(7, 2))


@settings(deadline=None)
@given(st.floats(-3.1, 3.1), st.floats(0.1, 10), st.floats(-100, 100))
def test_framing_turns_grows_and_moves_with_the_face(angle: float, scale: float, shift: float):
    points = POINTS.double()
    turn = torch.tensor([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]]).double()
    x, y, side = crop_box_from_landmarks(points).unbind()
    moved = crop_box_from_landmarks(scale * points @ turn.T + shift)
    torch.testing.assert_close(moved[:2], scale * turn @ torch.stack([x, y]) + shift)
    torch.testing.assert_close(moved[2], scale * side)


def test_box_and_landmarks_give_one_framing():
    x, y, side = crop_box_from_landmarks(POINTS).tolist()
    half = side / 2 * FACE_CROP.cascade_side / FACE_CROP.side
    box = (x - half, y - half, x + half, y + half)
    assert crop_box(Face(box, 1.0)) == pytest.approx(crop_box(Face((0, 0, 1, 1), 1.0, POINTS)))


def test_square_crop_aligns_the_eyes():
    turn = torch.tensor([[math.cos(0.5), -math.sin(0.5)], [math.sin(0.5), math.cos(0.5)]])
    face = Face((0, 0, 1, 1), 1.0, POINTS @ turn.T + 60, roll=0.5)
    photo = torch.rand(3, 250, 250)
    _, level = square_crop(photo, face, 64, align=True)
    left, right = level.to_crop(face.landmarks)[:2]
    assert float(left[1]) == pytest.approx(float(right[1]), abs=1e-3)
    crop, upright = square_crop(photo, face, 64, margin=0.1)
    assert crop.shape == (3, 64, 64)
    assert upright.roll == 0
    assert upright.side == pytest.approx(level.side * 1.2)


@pytest.mark.parametrize(("height", "width"), [(20, 30), (30, 20), (25, 25)])
def test_whole_picture(height: int, width: int):
    photo = torch.rand(3, height, width)
    crop, where = square_crop(photo, whole_picture(photo), max(height, width))
    assert where.side == max(height, width)
    top, left = (max(height, width) - height) // 2, (max(height, width) - width) // 2
    torch.testing.assert_close(crop[:, top : top + height, left : left + width], photo, atol=1e-5, rtol=0)
