"""The trivial answers that models of scenes are set beside."""

from __future__ import annotations

import pytest
import torch
from pytorch_lightning import LightningDataModule

from lightning_modules.scene_baselines import most_frequent_class, scene_baselines
from zoo.contract import check
from zoo.errors import UserError
from zoo.imaging import srgb_to_linear


class TwoBatches(LightningDataModule):
    def train_dataloader(self) -> list[dict[str, torch.Tensor]]:
        labels = torch.tensor([[3, 3, 7], [255, 255, 255], [255, 7, 3]]).expand(2, 3, 3)
        return [{"segmentation": labels}, {"judgements": torch.zeros(1, 1, 6)}]


def test_both_rebuild_the_picture_and_each_says_one_thing() -> None:
    image = torch.rand(2, 3, 3, 3)
    answers = {
        name: each.predict({"image": image}) for name, each in scene_baselines(TwoBatches(), segmentation=True).items()
    }
    assert list(answers) == ["constant albedo", "constant shading"]
    for answer in answers.values():
        check(answer, ["albedo", "shading", "reconstruction", "segmentation"])
        torch.testing.assert_close(answer["albedo"] * answer["shading"], srgb_to_linear(image))
        torch.testing.assert_close(answer["reconstruction"], image)
        assert answer["segmentation"].unique().tolist() == [3]
    assert answers["constant albedo"]["albedo"].unique().tolist() == [0.5]
    assert answers["constant shading"]["shading"].unique().tolist() == [1]


def test_segmentation_is_answered_where_it_is_asked_for() -> None:
    image = torch.rand(1, 3, 4, 4)
    for each in scene_baselines(TwoBatches()).values():
        assert "segmentation" not in each.predict({"image": image})


def test_no_class_anywhere_is_told() -> None:
    with pytest.raises(UserError, match="no segmentation"):
        most_frequent_class([{"segmentation": torch.full((1, 2, 2), 255)}])
