"""The shipped weights on photographs: what is painted stays in the albedo, lamps light the side they stand on."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from portraits import measure, portraits

import zoo


@pytest.fixture(scope="module")
def measures(shared: Path) -> dict[str, torch.Tensor]:
    model = zoo.load("sfsnet")
    rows = [measure(model, image, points) for _, image, points in portraits(shared / "data" / "faces", model.size)]
    return {key: torch.tensor([row[key] for row in rows]) for key in rows[0]}


def test_a_lamp_brightens_its_side(measures: dict[str, torch.Tensor]) -> None:
    for lamp in ("left_lamp", "right_lamp"):
        assert measures[lamp].median() > 1.4
        assert (measures[lamp] > 1).sum() >= 9


@pytest.mark.parametrize("painted", ["lips", "brows"])
def test_what_is_painted_is_no_shading(measures: dict[str, torch.Tensor], painted: str) -> None:
    assert measures[f"{painted}_in_shading"].median() < 0.35


def test_skin_keeps_its_colour(measures: dict[str, torch.Tensor]) -> None:
    change = measures["redness_albedo"] / measures["redness_image"]
    assert 0.8 < change.median() < 1.25
