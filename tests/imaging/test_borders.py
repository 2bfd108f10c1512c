"""Pictures continued as their mirror image."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from zoo.imaging import crop_middle, mirror_to_multiple


def test_to_the_right_and_downwards_it_is_the_reflection_of_pytorch() -> None:
    image = torch.rand(1, 3, 20, 30)
    assert torch.equal(mirror_to_multiple(image, 32), F.pad(image, (0, 2, 0, 12), mode="reflect"))


def test_alike_on_all_sides_it_is_the_reflection_of_pytorch() -> None:
    image = torch.rand(1, 2, 5, 7)
    assert torch.equal(mirror_to_multiple(image, 8, middle=True), F.pad(image, (1, 0, 2, 1), mode="reflect"))


def test_small_pictures_are_mirrored_to_and_fro() -> None:
    row = torch.arange(3.0).reshape(1, 1, 1, 3)
    corner, middle = (mirror_to_multiple(row, 8, middle=middle) for middle in (False, True))
    assert corner.shape == middle.shape == (1, 1, 8, 8)
    assert corner[0, 0, 5].tolist() == [0, 1, 2, 1, 0, 1, 2, 1]
    assert middle[0, 0, 5].tolist() == [1, 2, 1, 0, 1, 2, 1, 0]


@pytest.mark.parametrize("size", [(1, 1), (5, 7), (16, 8), (3, 129)])
def test_what_was_continued_is_found_again(size: tuple[int, int]) -> None:
    image = torch.rand(1, 2, *size)
    corner, middle = (mirror_to_multiple(image, 8, middle=middle) for middle in (False, True))
    assert corner.shape == middle.shape
    assert all(0 <= wide - side < 8 and wide % 8 == 0 for wide, side in zip(corner.shape[-2:], size, strict=True))
    assert torch.equal(corner[..., : size[0], : size[1]], image)
    assert torch.equal(crop_middle(middle, *size), image)
