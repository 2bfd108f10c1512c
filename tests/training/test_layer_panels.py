"""Layers with the truth beside them."""

from __future__ import annotations

import torch

from lightning_modules.panels import layers_beside_truth
from zoo.imaging import BACKGROUND


def test_layers_stand_beside_their_truth_and_nothing_is_shown_outside_the_mask() -> None:
    mask = torch.ones(1, 1, 4, 6)
    mask[..., :3] = 0
    albedo, classes = torch.full((1, 3, 4, 6), 0.5), torch.full((1, 4, 6), 2)
    prediction = {"segmentation": classes, "albedo": albedo, "log_albedo": albedo}
    pictures = layers_beside_truth(
        ("albedo", "shading", "segmentation"), prediction, {"albedo": albedo / 2, "shading": albedo, "mask": mask}
    )
    assert list(pictures) == ["albedo", "true albedo", "segmentation"]
    for title in ("albedo", "true albedo"):
        assert torch.allclose(pictures[title][..., :3], torch.tensor(BACKGROUND)), title
        assert not torch.allclose(pictures[title][..., 3:], torch.tensor(BACKGROUND)), title
    assert len(pictures["segmentation"].flatten(2).unique(dim=2)[0, 0]) == 1
    unmasked = layers_beside_truth(["albedo"], prediction, {})["albedo"]
    assert len(unmasked.flatten(2).unique(dim=2)[0, 0]) == 1
