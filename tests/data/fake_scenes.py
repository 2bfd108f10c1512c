"""A renderer of scenes that are not: a checkered floor, a wall with a picture, a ball's round, a shadow, some sky."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from datamodules.sampling.draws import Draws
from zoo.imaging import linear_to_srgb
from zoo.scene_classes import class_id


class FakeSceneRenderer:
    """As ``SceneRenderer``, in a millisecond."""

    def __init__(
        self,
        height: int = 192,
        width: int = 256,
        seed: int = 0,
        kind: str = "both",
        lights: int = 1,
        keys: Sequence[str] = (),
        device: Any = "cpu",
    ) -> None:
        self.height, self.width, self.seed, self.lights, self.keys = height, width, seed, lights, tuple(keys)

    def render(self, split: str, indices: Sequence[int]) -> dict[str, Tensor]:
        scenes = [self._scene(Draws(self.seed, split, [index])) for index in indices]
        return {key: torch.stack([scene[key] for scene in scenes]) for key in self.keys}

    def _scene(self, draws: Draws) -> dict[str, Tensor]:
        height, width = self.height, self.width
        y, x = torch.meshgrid((torch.arange(height) + 0.5) / height, (torch.arange(width) + 0.5) / width, indexing="ij")
        floor = y > 0.6
        sky = y < 0.15
        ball = (x - 0.3) ** 2 + (0.75 * (y - 0.6)) ** 2 < 0.15**2
        picture = (x > 0.6) & (x < 0.8) & (y > 0.25) & (y < 0.5)
        colours = torch.from_numpy(draws.between("colours", 0.1, 0.8, 4, 3)[0]).float()
        squares = floor & ((4 * x).long() + (8 * y).long() % 2 == 1)
        albedo = colours[0].view(3, 1, 1).expand(3, height, width).clone()
        for where, colour in ((squares, 1), (picture & ~floor, 2), (ball, 3)):
            albedo[:, where] = colours[colour][:, None]
        instances = torch.ones(height, width, dtype=torch.int64)
        for place, where in enumerate((floor, picture, ball), 2):
            instances[where] = place
        instances[sky] = 0
        normal = torch.zeros(3, height, width)
        normal[2] = 1
        normal[:, floor] = torch.tensor([0.0, 1.0, 0.0])[:, None]
        depth = torch.where(floor, 1.5 / (y - 0.1), 3.0)
        depth[ball] = 1.8
        depth[sky] = 0
        shadow = floor & (x > 0.7)
        edges = floor & ((x - 0.7).abs() < 1.01 / width)
        shadings = []
        for light in range(self.lights):
            level = float(draws.between(f"light {light}", 0.5, 1.0)[0])
            shadings.append((level * (1 - 0.3 * x) * torch.where(shadow, 0.4, 1.0)).expand(3, -1, -1))
        mask = ~sky & (torch.stack(shadings) * albedo).amax((0, 1)).le(1)
        segmentation = torch.where(floor, class_id("floor"), class_id("wall"))
        segmentation[ball], segmentation[sky] = class_id("ball"), class_id("sky")

        def picture_of(shading: Tensor) -> Tensor:
            seen = linear_to_srgb((albedo * shading).clamp(0, 1))
            return torch.where(sky, torch.tensor([0.5, 0.7, 0.9]).view(3, 1, 1), seen)

        valid = mask[None].float()
        return {
            "image": picture_of(shadings[0]),
            "albedo": albedo * valid,
            "shading": shadings[0] * valid,
            "normal": normal * ~sky,
            "depth": depth[None],
            "mask": valid,
            "segmentation": segmentation,
            "instances": instances,
            "shadow_edges": edges,
            "relit": torch.stack([picture_of(each) for each in shadings[1:]] or [albedo[:, :0]]),
            "relit_shading": torch.stack([each * valid for each in shadings[1:]] or [albedo[:, :0]]),
        }
