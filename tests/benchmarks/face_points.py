"""How near the points of reconstructed faces come to the true points of photographs.

    python tests/benchmarks/face_points.py FOLDER
    python tests/benchmarks/face_points.py FOLDER --weights runs/deep3dface/…/best.safetensors -o out

FOLDER holds photos with five true points each: ``name.jpg`` beside ``name.txt``, as ``zoo.faces.read_landmarks`` reads
them. Each face is reconstructed twice: aligned by the true points, and by what the zoo's own detector finds. The error
is the mean distance of the reconstructed face's five points (eyes' centres, tip of the nose, corners of the mouth) from
the true ones in per cent of the distance between the true centres of the eyes. Beside it stands the mean face, posed by
the alignment alone: what a network says that has learnt nothing. With ``-o`` a sheet is written with each face twice:
its 68 reconstructed points (green), its outline (blue) and the true points (red), and the same face drawn.
"""

from __future__ import annotations

import argparse
import math
import statistics
from dataclasses import replace
from pathlib import Path

import torch
from landmarks import errors, portraits
from torch import Tensor
from torch.nn.functional import max_pool2d

import zoo.hub
from lightning_modules.deep3dface.coefficients import split
from lightning_modules.deep3dface.module import Deep3DFace
from lightning_modules.deep3dface.views import crop_screen
from zoo.errors import UserError
from zoo.faces import five_points
from zoo.faces.landmarks import draw_landmarks
from zoo.imaging import contact_sheet, write_image
from zoo.inference import Prediction, predict_image
from zoo.meshes import draw_smoothly

ALIGNED_BY = ("true points", "detector")
POINTS = ("left eye", "right eye", "nose", "left mouth corner", "right mouth corner")
SIDE = 448


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--weights", help="a file, or a tag of deep3dface's card; the shipped ones by default")
    parser.add_argument("--morphable", help="the face model that they belong to, such as ict:PATH")
    parser.add_argument("--detector", default="auto", help="as zoo predict takes it")
    parser.add_argument("-o", "--output", type=Path, help="where the sheet is written")
    options = parser.parse_args()
    torch.set_num_threads(1)
    given = {} if options.morphable is None else {"morphable": options.morphable}
    model = zoo.hub.load("deep3dface", options.weights, **given)
    assert isinstance(model, Deep3DFace)
    tiles: list[Tensor] = []
    titles: list[str] = []
    rows: list[list[float]] = []
    parts: list[Tensor] = []
    header = [f"{what}, {by}" for by in ALIGNED_BY for what in ("reconstructed", "mean face")]
    print("| error in % of the distance between the eyes | " + " | ".join(header) + " |")
    print("|---" * (1 + len(header)) + "|")
    for name, photo, points in portraits(options.folder):
        row = []
        for by, detector in zip(
            ALIGNED_BY, (f"landmarks:{options.folder / f'{name}.txt'}", options.detector), strict=True
        ):
            found = reconstructed(model, photo, detector)
            if found is None or found.crop is None:
                row += [math.nan, math.nan]
                continue
            own, mean = (
                errors(found.crop.to_photo(landmarks), points)
                for landmarks in (found.layers["landmarks"][0], mean_landmarks(model))
            )
            row += [float(own.mean()), float(mean.mean())]
            parts += [torch.stack((own, mean))] if by == ALIGNED_BY[0] else []
            if options.output:
                tiles += pictures(model, photo, found, points)
                titles += [f"{name}, {by}: {row[-2]:.1f} %", f"drawn (mean face: {row[-1]:.1f} %)"]
        rows.append(row)
        told(name, row)
    if not parts:
        parser.error(f"no face of {options.folder} was reconstructed: photos name.jpg beside name.txt are expected.")
    columns = [[value for value in column if not math.isnan(value)] for column in zip(*rows, strict=True)]
    told("mean", [statistics.mean(column) if column else math.nan for column in columns])
    told("worst", [max(column, default=math.nan) for column in columns])
    told("not found", [len(rows) - len(column) for column in columns])
    print("\n| by point, aligned by the true points | reconstructed | mean face |\n|---|---|---|")
    for point, row in zip(POINTS, torch.stack(parts).mean(0).T.tolist(), strict=True):
        told(point, row)
    if options.output:
        place = options.output / "face_points.png"
        write_image(place, contact_sheet(tiles, titles, columns=4, tile=SIDE))
        print(f"\n{place}")


def told(name: str, row: list[float] | list[int]) -> None:
    print(
        f"| {name} | " + " | ".join(f"{value:.2f}" if isinstance(value, float) else str(value) for value in row) + " |"
    )


def reconstructed(model: Deep3DFace, photo: Tensor, detector: str) -> Prediction | None:
    """None where the detector finds no face."""
    try:
        return predict_image(model, photo, detector=detector)
    except UserError as problem:
        print(problem)
        return None


@torch.no_grad()
def mean_landmarks(model: Deep3DFace) -> Tensor:
    """The 68 points of zero coefficients in the aligned crop (68,2)."""
    parts = split(torch.zeros(1, model.sizes.total), model.sizes)
    return model.decoder.contract(parts, model.decoder.geometry(parts))["landmarks"][0]


@torch.no_grad()
def pictures(model: Deep3DFace, photo: Tensor, found: Prediction, points: Tensor) -> list[Tensor]:
    """The crop with everything that tells how well the face fits, and the face drawn over it."""
    assert found.crop is not None
    crop = replace(found.crop, size=SIDE)
    picture = crop.cut(photo)
    decoder, larger = model.decoder, SIDE / model.decoder.size
    screen = crop_screen(decoder, found.layers["vertices"])[0]
    screen = torch.cat(((screen[:, :2] + 0.5) * larger - 0.5, screen[:, 2:]), 1)
    colours = decoder(split(found.outputs["coefficients"], model.sizes))["colour"][0].clamp(0, 1)
    face, cover = draw_smoothly(screen, decoder.front_triangles, colours, SIDE, SIDE)
    rim = (max_pool2d(cover[None], 5, 1, 2)[0] - cover).clamp(0, 1)
    marked = torch.lerp(picture, picture.new_tensor([0.1, 0.3, 1.0])[:, None, None].expand_as(picture), rim)
    landmarks = crop.to_crop(found.crop.to_photo(found.layers["landmarks"]))
    marked = draw_landmarks(marked[None], landmarks)[0]
    y, x = torch.meshgrid(torch.arange(SIDE), torch.arange(SIDE), indexing="ij")
    for point in crop.to_crop(five_points(points)):
        dot = (4.0 - torch.hypot(x - point[0], y - point[1])).clamp(0, 1)
        marked = torch.lerp(marked, marked.new_tensor([1.0, 0.1, 0.1])[:, None, None].expand_as(marked), dot)
    return [marked, face + (1 - cover) * picture]


if __name__ == "__main__":
    main()
