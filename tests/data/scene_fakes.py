"""Tiny fakes of data sets of scenes, in their true layouts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from scipy.io import savemat

from zoo.imaging import write_image

# IIW

LANDSCAPE, PORTRAIT, SQUARE = (20, 30), (30, 20), (24, 24)


def ramp(height: int, width: int) -> torch.Tensor:
    """Red grows to the right, green downwards."""
    x = ((torch.arange(width) + 0.5) / width).expand(height, width)
    y = ((torch.arange(height) + 0.5) / height)[:, None].expand(height, width)
    return torch.stack((x, y, torch.full((height, width), 0.5)))


def iiw_json(comparisons: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    points = [
        {"id": 7, "x": 0.25, "y": 0.5, "sRGB": "ffffff", "opaque": True},
        {"id": 8, "x": 0.75, "y": 0.125, "sRGB": "ffffff", "opaque": True},
        {"id": 9, "x": 0.5, "y": 0.5, "sRGB": "ffffff", "opaque": False},
    ]
    if comparisons is None:
        comparisons = [
            comparison(7, 8, "1", 0.5),
            comparison(8, 7, "2", 1.5),
            comparison(7, 8, "E", 0.25),
            comparison(7, 9, "1", 1.0),  # not opaque
            comparison(7, 8, "1", None),  # null weight
            comparison(7, 8, "1", 0.0),
            comparison(7, 8, "1", -2.0),
            comparison(7, 8, None, 1.0),
        ]
    return {"photo": 1, "license": "CC BY", "intrinsic_points": points, "intrinsic_comparisons": comparisons}


def comparison(first: int, second: int, darker: str | None, score: float | None) -> dict[str, Any]:
    return {"id": 1, "point1": first, "point2": second, "darker": darker, "darker_score": score}


def write_iiw(folder: Path, sizes: dict[str, tuple[int, int]]) -> Path:
    (folder / "data").mkdir(parents=True)
    for name, size in sizes.items():
        write_image(folder / "data" / f"{name}.png", ramp(*size))
        (folder / "data" / f"{name}.json").write_text(json.dumps(iiw_json()))
    return folder


# SAW

SAW_SET = "saw_data-filter_size_0-ignore_border_0.05-normal_gradmag_thres_1.5-depth_gradmag_thres_2.0"


def write_saw(folder: Path) -> Path:
    """Seven photos, smooth on the left, with an edge of shape above and a shadow's below."""
    for name in ("saw_splits", "saw_images_512", f"saw_pixel_labels/{SAW_SET}"):
        (folder / name).mkdir(parents=True)
    ids = {"train": [30, 4, 100, 5], "val": [7], "test": [21, 3]}
    for split, numbers in ids.items():
        np.save(folder / "saw_splits" / f"{split}_ids.npy", np.array(numbers))
        for number in numbers:
            height, width = (24, 32) if number != 4 else (32, 24)
            write_image(folder / "saw_images_512" / f"{number}.png", ramp(height, width))
            labels = np.full((height, width), 100, np.int64)
            labels[:, : width // 2], labels[0], labels[-1] = 2, 0, 1
            np.save(folder / f"saw_pixel_labels/{SAW_SET}" / f"{number}.npy", labels)
    return folder


# CGIntrinsics

CGI_HEIGHT, CGI_WIDTH = 48, 64
CGI_ALBEDO = np.array([0.5, 0.4, 0.3])


def write_cgi_png(path: Path, values: np.ndarray, bits: int = 8) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    stored = np.round(values * (2**bits - 1)).astype(np.uint16 if bits == 16 else np.uint8)
    cv2.imwrite(str(path), stored if stored.ndim == 2 else stored[..., ::-1])


def cgi_light() -> np.ndarray:
    """Shading from 0.2 at the left to 1 at the right."""
    return np.broadcast_to(np.linspace(0.2, 1, CGI_WIDTH), (CGI_HEIGHT, CGI_WIDTH))[..., None]


def cgi_paint() -> np.ndarray:
    albedo = np.broadcast_to(CGI_ALBEDO, (CGI_HEIGHT, CGI_WIDTH, 3)).copy()
    albedo[:, : CGI_WIDTH // 2] *= 0.5
    return albedo


def cells(regions: list[np.ndarray]) -> np.ndarray:
    """A cell array as MATLAB writes it: (n,1) of matrices with y and x as fractions."""
    array = np.empty((len(regions), 1), object)
    for i, region in enumerate(regions):
        array[i, 0] = region
    return array


def pixels(rows: range, columns: range) -> np.ndarray:
    y, x = np.meshgrid(list(rows), list(columns), indexing="ij")
    return np.stack((y.ravel() / CGI_HEIGHT, x.ravel() / CGI_WIDTH), -1)


CGI_NAMES = [f"scene{s}/{i:06d}_mlt.png" for s in range(6) for i in (1, 12)]


def write_cgi(folder: Path) -> Path:
    """Six scenes of two pictures, the last one dark; two regions of many pixels and one of a single one."""
    mask = np.ones((CGI_HEIGHT, CGI_WIDTH))
    mask[0] = 0
    regions = [pixels(range(24), range(32)), pixels(range(24, 48), range(32, 64)), pixels(range(40, 41), range(1))]
    for name in CGI_NAMES:
        stem = folder / "images" / name.removesuffix(".png")
        write_cgi_png(Path(f"{stem}.png"), (cgi_paint() * cgi_light()) ** (1 / 2.2), bits=16)
        write_cgi_png(Path(f"{stem}_albedo.png"), cgi_paint())
        write_cgi_png(Path(f"{stem}_mask.png"), mask)
        place = folder / "superpixels" / f"{name}.mat"
        place.parent.mkdir(parents=True, exist_ok=True)
        savemat(place, {"data": cells(regions)})
    lines = [f"{name.removesuffix('.png')}.rgbe 0.5 {0.1 if '5/' in name else 0.6} \n" for name in CGI_NAMES]
    (folder / "rgbe_image_stats.txt").write_text("".join(lines))
    (folder / "train_list").mkdir()
    # as Python 2 writes a list of str
    lists = "".join(f"S'{name}'\np{i}\na" for i, name in enumerate(CGI_NAMES, start=1))
    (folder / "train_list" / "img_batch.p").write_bytes(f"(lp0\n{lists}.".encode())
    (folder / "train_test_split").mkdir()
    (folder / "train_test_split" / "CGI_train_split_v0.csv").write_text("\n".join(CGI_NAMES[:8]) + "\n")
    (folder / "train_test_split" / "CGI_test_split_v0.csv").write_text("\n".join(CGI_NAMES[8:]) + "\n")
    return folder
