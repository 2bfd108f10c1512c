"""Contact sheets of face models under fixed cameras and one light, for a person to judge.

    python tests/looks/face_sheets.py OUT [--morphable SPEC] [--beside SPEC] [--only neutral identities ...]

No test: it writes PNG files and asserts nothing.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from datamodules.sampling.coefficients import draw_expression, draw_identity, draw_texture
from datamodules.sampling.draws import Draws
from zoo.imaging import linear_to_srgb
from zoo.imaging.files import write_image
from zoo.imaging.panel import contact_sheet
from zoo.morphable import MorphableModel
from zoo.render import MeshRenderer, PerspectiveCamera, euler_to_matrix

VIEWS = {"front": 0.0, "three-quarter": 38.0, "profile": 88.0}
"""Degrees that the head is turned to its left."""
SHEETS = ("neutral", "expressions", "identities", "turned", "random")
_PEOPLE, _TILE, _OVERSAMPLING, _BATCH = 64, 192, 2, 4
_FOV, _DISTANCE_MM = 22.0, 800.0
_BEHIND = 0.22
# direction to each lamp (camera frame) and its strength; the key stands high on the left of the picture
_LAMPS = (((-0.45, 0.55, 0.75), 1.45), ((0.7, 0.1, 0.6), 0.40))
_SKY, _GROUND = 0.50, 0.22


class Studio:
    """One model in front of the fixed camera.

    Args:
        model: Any face model with 68 landmarks.
        size: Height and width of the pictures.
    """

    def __init__(self, model: MorphableModel, size: int = _TILE) -> None:
        self.model = model
        self.size = size
        points = model.landmarks(model.mean[None])
        assert points is not None
        # every model stands alike: the middle of its eyes 60 mm in front of the axis that it turns about
        self.pivot = points[0, 36:48].mean(0) - points.new_tensor([0.0, 0.25, 0.6]) * 0.1 / model.metres_per_unit

    def shoot(self, view: str, **coefficients: Tensor) -> list[Tensor]:
        """Pictures of the heads of given coefficients: (3,size,size) each, sRGB."""
        batch = max(len(value) for value in coefficients.values())
        pictures: list[Tensor] = []
        for start in range(0, batch, _BATCH):
            part = {name: value[start : start + _BATCH] for name, value in coefficients.items()}
            pictures += self._shoot(view, part).unbind(0)
        return pictures

    def _shoot(self, view: str, coefficients: dict[str, Tensor]) -> Tensor:
        head = self.model(**coefficients)
        turn = euler_to_matrix(torch.tensor([[0.0, VIEWS[view], 0.0]]).deg2rad())[0]
        millimetres = (head["vertices"] - self.pivot) * self.model.metres_per_unit * 1000
        placed = millimetres @ turn.T - torch.tensor([0.0, 0.0, _DISTANCE_MM])
        camera = PerspectiveCamera.from_fov(_FOV, self.size * _OVERSAMPLING, self.size * _OVERSAMPLING)
        drawn = MeshRenderer("torch")(placed, self.model.triangles, head["albedo"], camera)
        linear = drawn["image"] * _light(drawn["normal"])
        linear = torch.where(drawn["mask"] > 0, linear, torch.full_like(linear, _BEHIND))
        return linear_to_srgb(F.avg_pool2d(linear, _OVERSAMPLING).clamp(0, 1))


def neutral(studio: Studio) -> Iterator[tuple[str, Tensor]]:
    """The mean in all views."""
    for view in VIEWS:
        yield view, studio.shoot(view, identity=torch.zeros(1, studio.model.n_identity))[0]


def expressions(studio: Studio) -> Iterator[tuple[str, Tensor]]:
    """Every expression component at full strength, from the front and turned; left halves stand for pairs."""
    names = studio.model.expression_names or tuple(str(k) for k in range(studio.model.n_expression))
    right = {name: k for k, name in enumerate(names)}
    for k, name in enumerate(names):
        if name.endswith("_R"):
            continue
        strength = torch.zeros(1, len(names))
        strength[0, k] = 1.0
        if name.endswith("_L") and f"{name[:-2]}_R" in right:
            strength[0, right[f"{name[:-2]}_R"]] = 1.0
        for view in ("front", "three-quarter"):
            yield f"{name.removesuffix('_L')}", studio.shoot(view, expression=strength)[0]


def people(studio: Studio, view: str, moved: bool = False) -> Iterator[tuple[str, Tensor]]:
    """The same 64 random people in every sheet."""
    draws = Draws(0, "predict", range(_PEOPLE))
    model = studio.model
    given = {"identity": draw_identity(draws, model)}
    if model.n_texture:
        given["texture"] = draw_texture(draws, model)
    if moved:
        given["expression"] = draw_expression(draws, model)
    for k, picture in enumerate(studio.shoot(view, **given)):
        yield str(k), picture


def sheet(name: str, studio: Studio) -> Tensor:
    """One of ``SHEETS``: (3,H,W) sRGB."""
    if name in ("neutral", "expressions"):
        shots = list(neutral(studio) if name == "neutral" else expressions(studio))
        columns = 3 if name == "neutral" else 12
    else:
        shots = list(people(studio, "three-quarter" if name == "turned" else "front", moved=name == "random"))
        columns = 8
    titles, pictures = zip(*shots, strict=True)
    return contact_sheet(pictures, titles, columns=columns, tile=studio.size)


def _light(normal: Tensor) -> Tensor:
    """Irradiance of two lamps, sky and ground, (B,1,H,W) for unit normals (B,3,H,W) in the camera frame."""
    up = normal[:, 1:2]
    total = _GROUND + (_SKY - _GROUND) * (0.5 + 0.5 * up)
    for direction, strength in _LAMPS:
        towards = F.normalize(normal.new_tensor(direction), dim=0).view(1, 3, 1, 1)
        total = total + strength * (normal * towards).sum(1, keepdim=True).clamp_min(0)
    return total


@torch.no_grad()
def main() -> None:
    """Write the sheets."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, help="folder to write to")
    parser.add_argument(
        "--morphable", default="procedural", help="the model to look at, 'procedural' or 'ict:PATH' ..."
    )
    parser.add_argument("--beside", help="another model, drawn to the right of it in the same pictures")
    parser.add_argument("--only", nargs="+", choices=SHEETS, default=SHEETS, help="which sheets")
    parser.add_argument("--size", type=int, default=_TILE, help="pixels of one picture")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    studios = [Studio(MorphableModel.load(spec), given.size) for spec in (given.morphable, given.beside) if spec]
    for name in given.only:
        sheets = [sheet(name, studio) for studio in studios]
        tallest = max(picture.shape[1] for picture in sheets)
        level = [F.pad(picture, (0, 0, 0, tallest - picture.shape[1]), value=1.0) for picture in sheets]
        write_image(given.out / f"{name}.png", torch.cat(level, 2))
        print(given.out / f"{name}.png")


if __name__ == "__main__":
    main()
