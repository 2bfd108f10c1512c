"""Contact sheets of procedural scenes and of the materials in them, for a person to judge.

    python tests/looks/scene_sheets.py OUT [--kind rooms gardens] [--count 24] [--first 0] [--only pictures keys ...]

No test: it writes PNG files, prints how often each class occurs, and asserts nothing.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from datamodules.scenes.materials import USES, Material, albedo_of, draw_material
from datamodules.scenes.renderer import SceneRenderer
from zoo.imaging import contact_sheet, display, linear_to_srgb, panel, write_image
from zoo.scene_classes import GARDEN_CLASSES, SCENE_CLASSES, SCENE_COLOURS

SHEETS = ("pictures", "keys", "lights", "classes", "materials")
KEYS = ("image", "albedo", "shading", "normal", "depth", "segmentation", "instances", "mask")
_ROWS, _LIGHTS, _BATCH = 6, 5, 4
_LYING = {"floor", "grass", "ground", "gravel", "pavement", "dirt", "woodchip", "water", "rug", "step"}
_TILE = 176


def scenes(kind: str, first: int, count: int, lights: int = 1) -> dict[str, Tensor]:
    """Scenes ``first`` and following of the split that no model trains on."""
    keys = [*KEYS, "shadow_edges"] + (["relit", "relit_shading"] if lights > 1 else [])
    renderer = SceneRenderer(192, 256, kind=kind, lights=lights, keys=keys)
    batches = [
        renderer.render("predict", range(start, min(start + _BATCH, first + count)))
        for start in range(first, first + count, _BATCH)
    ]
    return {key: torch.cat([batch[key] for batch in batches]) for key in batches[0]}


def shown(key: str, value: Tensor, mask: Tensor) -> Tensor:
    """A key as a picture: classes in the data set's colours, things in colours that differ from their neighbours'."""
    if key == "segmentation":
        return (torch.tensor(SCENE_COLOURS)[value.long()].float() / 255).permute(0, 3, 1, 2)
    if key == "instances":
        # neighbouring numbers far apart on the colour wheel
        turn = (value.float() * 0.618034 % 1.0)[:, None] * 6 - torch.tensor([0.0, 2.0, 4.0]).view(1, 3, 1, 1)
        return ((turn % 6 - 3).abs() - 1).clamp(0, 1) * 0.8 + 0.1
    if key == "shading":
        # each picture by its own brightest tenth: exposure is no property of a scene
        top = torch.stack([v[m.expand_as(v) > 0].quantile(0.9) for v, m in zip(value, mask, strict=True)])
        return linear_to_srgb((value * 0.7 / top.view(-1, 1, 1, 1)).clamp(0, 1)).expand(-1, 3, -1, -1)
    outside = None if key in ("image", "relit", "mask") else mask
    return display(key, value, outside)


def keys_sheet(data: dict[str, Tensor]) -> Tensor:
    """A row a scene, a column a key."""
    mask = data["mask"][:_ROWS]
    columns = {key: shown(key, data[key][:_ROWS], mask) for key in KEYS}
    columns["shadow edges"] = data["shadow_edges"][:_ROWS, None].float()
    return panel(columns, scale=1.0)


def lights_sheet(data: dict[str, Tensor]) -> Tensor:
    """A row a scene: its picture and albedo, then the same under other lights, and their shading."""
    mask = data["mask"]
    columns = {"image": data["image"], "albedo": shown("albedo", data["albedo"], mask)}
    for k in range(data["relit"].shape[1]):
        columns[f"light {k + 2}"] = data["relit"][:, k]
    columns["shading"] = shown("shading", data["shading"], mask)
    columns["shading 2"] = shown("shading", data["relit_shading"][:, 0], mask)
    return panel(columns, scale=1.0)


def materials_sheet() -> Tensor:
    """Every use: three materials, each seen half a metre and two metres wide."""
    generator = np.random.default_rng(0)
    tiles, titles = [], []
    for use in USES:
        for _ in range(3):
            material = draw_material(use, generator)
            for width in (0.5, 2.0):
                tiles.append(swatch(material, width, use in _LYING))
                titles.append(f"{use}: {material.kind}")
    return contact_sheet(tiles, titles, columns=12, tile=_TILE)


def swatch(material: Material, width: float, lies: bool) -> Tensor:
    """A piece of a floor or a wall of some width in metres, seen straight on: (3,S,S) sRGB."""
    place = ((torch.arange(_TILE) + 0.5) / _TILE - 0.5) * width
    v, u = torch.meshgrid(-place, place, indexing="ij")
    flat = torch.zeros_like(u)
    points = torch.stack([u, flat, -v] if lies else [u, v, flat], -1).reshape(-1, 3)
    normals = torch.tensor([[0.0, 1.0, 0.0] if lies else [0.0, 0.0, 1.0]]).expand_as(points)
    footprint = torch.full((len(points),), width / _TILE)
    return linear_to_srgb(albedo_of(material, points, normals, footprint)).view(_TILE, _TILE, 3).permute(2, 0, 1)


def print_classes(kind: str, segmentation: Tensor) -> None:
    """A table: how much of all pictures is of a class, and how many pictures have at least 20 pixels of it."""
    count = torch.stack([torch.bincount(s.flatten(), minlength=256) for s in segmentation]).float()
    names = GARDEN_CLASSES if kind == "gardens" else SCENE_CLASSES
    print(f"{kind}: {len(count)} scenes\n{'class':12s} {'pixels':>7s} {'scenes':>7s}")
    for name in names:
        column = count[:, SCENE_CLASSES.index(name)]
        print(f"{name:12s} {float(column.sum() / count.sum()):7.1%} {float((column >= 20).float().mean()):7.0%}")


def main() -> None:
    """Write the sheets that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--kind", nargs="*", default=["rooms", "gardens"], choices=["rooms", "gardens"])
    parser.add_argument("--count", type=int, default=24)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--only", nargs="*", default=list(SHEETS), choices=SHEETS)
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)

    def write(name: str, picture: Tensor) -> None:
        write_image(given.out / f"{name}.png", picture)
        print(given.out / f"{name}.png")

    if "materials" in given.only:
        write("materials", materials_sheet())
    for kind in given.kind:
        if {"pictures", "keys", "classes"} & set(given.only):
            data = scenes(kind, given.first, given.count)
            if "pictures" in given.only:
                names = [str(given.first + k) for k in range(given.count)]
                write(f"{kind}_pictures", contact_sheet(list(data["image"]), names, columns=6, tile=256))
            if "keys" in given.only:
                write(f"{kind}_keys", keys_sheet(data))
            if "classes" in given.only:
                print_classes(kind, data["segmentation"])
        if "lights" in given.only:
            write(f"{kind}_lights", lights_sheet(scenes(kind, given.first, _ROWS, _LIGHTS)))


if __name__ == "__main__":
    main()
