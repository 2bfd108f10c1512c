"""The contract holds what it says, and refuses what it does not."""

from __future__ import annotations

import pytest
import torch

from zoo.contract import KEYS, LANDMARK_FLIP, LANDMARK_PARTS, check
from zoo.errors import UserError


def good() -> dict[str, torch.Tensor]:
    return {"image": torch.rand(2, 3, 4, 6), "mask": torch.ones(2, 1, 4, 6), "light": torch.randn(2, 3, 9)}


def test_flip_is_its_own_inverse_and_keeps_parts_together() -> None:
    assert [LANDMARK_FLIP[i] for i in LANDMARK_FLIP] == list(range(68))
    mirrored = {"right brow": "left brow", "right eye": "left eye"}
    for part, points in LANDMARK_PARTS.items():
        goes_to = next((b if a == part else a for a, b in mirrored.items() if part in (a, b)), part)
        assert sorted(LANDMARK_FLIP[i] for i in points) == list(LANDMARK_PARTS[goes_to])


def test_parts_cover_all_points_once() -> None:
    assert sorted(i for part in LANDMARK_PARTS.values() for i in part) == list(range(68))


def test_good_batch_passes() -> None:
    check(good(), ["image", "mask", "light"])


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("image", torch.rand(2, 1, 4, 6), r"shape \(2, 1, 4, 6\)"),
        ("image", torch.rand(2, 3, 4, 6).double(), "torch.float32"),
        ("image", torch.full((2, 3, 4, 6), 255.0), "255"),
        ("image", torch.full((2, 3, 4, 6), float("nan")), "not finite"),
        ("mask", torch.ones(2, 1, 5, 6), "H=4"),
        ("light", torch.ones(3, 3, 9), "B=2"),
    ],
)
def test_bad_batch_is_refused(key: str, value: torch.Tensor, words: str) -> None:
    with pytest.raises(UserError, match=words):
        check({**good(), key: value})


def test_missing_key_is_named() -> None:
    with pytest.raises(UserError, match="'albedo' is missing"):
        check(good(), ["albedo"])


def test_every_key_says_what_it_means() -> None:
    assert all(key.meaning and key.shape for key in KEYS.values())
