"""The shipped weights on photographs: the reconstructed face lies where the true points are."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import zoo
from zoo.faces import five_points, read_landmarks
from zoo.imaging import read_image
from zoo.inference import predict_image, same_person


@pytest.fixture(scope="module")
def model() -> torch.nn.Module:
    return zoo.load("deep3dface")


def test_reconstructed_points_are_near_the_true_ones(shared: Path, model: torch.nn.Module) -> None:
    found = []
    for path in sorted((shared / "data" / "faces").glob("*.jpg")):
        photo = read_image(path)
        true = five_points(read_landmarks(path.with_suffix(".txt"), photo))
        seen = predict_image(model, photo)
        assert seen.crop is not None
        points = five_points(seen.crop.to_photo(seen.layers["landmarks"][0]))
        found.append(100 * (points - true).norm(dim=-1).mean() / (true[0] - true[1]).norm())
    assert torch.stack(found).mean() < 6.5
    assert max(found) < 12


def test_photos_of_one_person_share_a_shape(shared: Path, model: torch.nn.Module) -> None:
    photos = [shared / "data" / "faces" / f"{name}.jpg" for name in ("000007", "000033")]
    alone = [predict_image(model, photo) for photo in photos]
    joined = same_person(model, alone)
    one, other = (each.layers["identity"] for each in joined)
    torch.testing.assert_close(one, other)
    low, high = torch.cat([each.layers["identity"] for each in alone]).aminmax(dim=0)
    assert bool(((one >= low - 1e-5) & (one <= high + 1e-5)).all())
    for before, after in zip(alone, joined, strict=True):
        torch.testing.assert_close(before.layers["expression"], after.layers["expression"])
        assert not torch.allclose(before.layers["vertices"], after.layers["vertices"])
