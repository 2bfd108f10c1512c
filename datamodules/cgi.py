"""CGIntrinsics: photorealistic renderings of rooms, with the paint of everything in them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from datamodules.about import missing
from datamodules.base import ZooDataModule
from datamodules.crops import hash_share
from datamodules.divided_shading import GAMMA, divided_shading, eroded
from datamodules.mat_files import read_mat
from datamodules.name_lists import read_pickled_names, read_text_names
from datamodules.samples import SampleDataset, crop, jitter_box, resize
from datamodules.sampling.draws import Draws
from datamodules.stored_values import read_values, refuse_other_sizes
from zoo.errors import UserError

__all__ = ["CGI"]

_JITTER = 10
"""Pixels by which a training crop is smaller than its picture: 630 x 470 of 640 x 480."""

_DARK = 0.25
"""Brightness in the list of statistics below which a rendering counts as noisy."""


class CGI(ZooDataModule):
    """CGI's renderings: ``image``, ``albedo``, ``shading``, ``mask``, ``superpixels`` and ``name`` in each batch.

    The data set has no shading: as its authors do, it is what is left of the linear picture (the file to the power of
    2.2) beside the albedo, divided by its own 90th percentile inside the mask. The albedo is multiplied by that number,
    so that the product remains the picture; both have a free scale anyhow. The image is the linear picture, encoded as
    sRGB. Unlike in their code, albedo and shading keep three channels: who wants grey takes the mean.

    The mask leaves out what is black, 5 pixels around everything left out, and where shading is above 10 or below 1e-4.
    Renderings with little light are noisy: input and shading are each smoothed by total variation, as the authors do,
    and only nearly agree then.

    ``split="authors"`` takes their list of training pictures and shares it out by scenes, since they publish no test;
    ``split="community"`` takes the lists that came later, and keeps scenes of their training part for validation.

    Args:
        folder: The folder called ``intrinsics_final``.
        height: Of a batch.
        width: Of a batch.
        batch_size: Samples in a batch, on each device.
        num_workers: Processes that load; 0 loads in the main one.
        seed: Of order and augmentation.
        split: See above.
        val_share: Share of scenes for validation.
        test_share: Share of scenes for the test, where no list says.
        superpixels: Give regions of one paint each, from ``superpixels/<scene>/<picture>.mat``.
        denoise: Smooth dark pictures.
        flip: Mirror half of the training samples and shift their crop by up to 9 pixels, otherwise in each epoch.

    Raises:
        UserError: The data is not there, or damaged.

    Source: the released loader of Li and Snavely, ECCV 2018.
    """

    def __init__(
        self,
        folder: str,
        height: int = 384,
        width: int = 512,
        batch_size: int = 16,
        num_workers: int = 4,
        seed: int = 0,
        split: Literal["authors", "community"] = "authors",
        val_share: float = 0.02,
        test_share: float = 0.05,
        superpixels: bool = True,
        denoise: bool = True,
        flip: bool = True,
    ) -> None:
        super().__init__(batch_size, num_workers, seed)
        if min(height, width) < 1 or min(val_share, test_share) < 0 or val_share + test_share >= 1:
            raise UserError(
                f"height is {height}, width {width}, val_share {val_share} and test_share {test_share}; sizes are at "
                "least 1, and shares less than 1 together."
            )
        self.folder, self.size, self.lists = Path(folder).expanduser(), (height, width), split
        self.shares, self.superpixels, self.denoise, self.flip = (val_share, test_share), superpixels, denoise, flip

    def prepare_data(self) -> None:
        """Look that the data is there."""
        for split in ("train", "val", "test"):
            names = self._names(split)
            for path in _files(self.folder, names[0], self.superpixels):
                if not path.is_file():
                    raise missing("cgi", f"there is no {path}")
        if self.denoise:
            _brightness(self.folder)

    def dataset(self, split: str) -> SampleDataset:
        """The renderings of a split; ``predict`` is ``test``."""
        names = self._names("test" if split == "predict" else split)
        brightness = _brightness(self.folder) if self.denoise else {}
        if self.denoise:
            unknown = next((name for name in names if _key(name) not in brightness), None)
            if unknown is not None:
                raise UserError(
                    f"rgbe_image_stats.txt has no line for {_key(unknown)}. Copy it again, or set --data.denoise false."
                )
        noisy = {name for name in names if brightness.get(_key(name), 1.0) < _DARK}
        flip = self.flip and split == "train"
        return _Renderings(self.folder, names, noisy, self.size, self.superpixels, split, self.seed, flip)

    def _names(self, split: str) -> list[str]:
        val, test = self.shares
        if self.lists == "community":
            part = "test" if split == "test" else "train"
            path = self.folder / "train_test_split" / f"CGI_{part}_split_v0.csv"
            read, test = read_text_names, 0.0
        else:
            path, read = self.folder / "train_list" / "img_batch.p", read_pickled_names
        if not path.is_file():
            raise missing("cgi", f"there is no {path}")
        names = read(path)
        if not (self.lists == "community" and split == "test"):
            low, high = {"test": (0.0, test), "val": (test, test + val)}.get(split, (test + val, 1.0))
            names = [name for name in names if low <= hash_share(_scene(name)) < high]
        if not names:
            raise UserError(f"no scene of {path} falls to '{split}'; change the shares.")
        return names


def _scene(name: str) -> str:
    return name.strip("/").split("/", maxsplit=1)[0]


def _key(name: str) -> str:
    return f"{name.removesuffix('.png')}.rgbe"


def _files(folder: Path, name: str, superpixels: bool) -> list[Path]:
    stem = folder / "images" / name.removesuffix(".png")
    files = [folder / "images" / name, Path(f"{stem}_albedo.png"), Path(f"{stem}_mask.png")]
    return [*files, folder / "superpixels" / f"{name}.mat"] if superpixels else files


def _brightness(folder: Path) -> dict[str, float]:
    path = folder / "rgbe_image_stats.txt"
    if not path.is_file():
        raise missing("cgi", f"there is no {path}")
    rows = [line.split() for line in path.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    try:
        return {row[0]: float(row[2]) for row in rows}
    except (IndexError, ValueError) as problem:
        raise UserError(f"{path} has a line without three columns. Copy it again.") from problem


class _Renderings(SampleDataset):
    def __init__(
        self,
        folder: Path,
        names: Sequence[str],
        noisy: set[str],
        size: tuple[int, int],
        superpixels: bool,
        split: str,
        seed: int,
        flip: bool,
    ) -> None:
        super().__init__(len(names), split, seed, flip)
        self.folder, self.names, self.noisy = folder, list(names), noisy
        self.size, self.superpixels = size, superpixels

    def read(self, sample: int, draws: Draws) -> dict[str, Any]:
        name = self.names[sample]
        picture, *maps = _files(self.folder, name, self.superpixels)
        image, albedo, mask = read_values(picture, 3), read_values(maps[0], 3), read_values(maps[1], 1)
        refuse_other_sizes({p: v.shape[1:] for p, v in ((picture, image), (maps[0], albedo), (maps[1], mask))})
        mask = (mask > 0.5) & (albedo.mean(0) >= 1e-6) & (image.mean(0) >= 1e-6)
        box = jitter_box(draws, image.shape[1:], _JITTER if self.flip else 0)
        row: dict[str, Any] = divided_shading(
            resize(crop(image, *box), *self.size) ** GAMMA,
            resize(crop(albedo.clamp_min(1e-6), *box), *self.size),
            resize(crop(eroded(mask.float(), 11), *box), *self.size, mode="nearest"),
            brightest=10.0,
            noisy=name in self.noisy,
        )
        row["name"] = name
        if self.superpixels:
            row["superpixels"] = _superpixels(maps[2], image.shape[1:], box, self.size)
        return row


def _superpixels(path: Path, shape: Sequence[int], box: tuple[int, int, int, int], size: tuple[int, int]) -> Tensor:
    """Regions of two pixels or more as a map of ids from 1 on, (H,W) int64, painted into the crop.

    The file holds a cell array called ``data`` with a (n,2) matrix a region: y and x of its pixels as fractions of the
    picture's height and width.
    """
    cells = read_mat(path).get("data")
    if not isinstance(cells, np.ndarray) or cells.dtype != object:
        raise UserError(f"{path} holds no cell array called 'data'. Copy it again.")
    top, left, height, width = box
    # in the smaller of both sizes, in which no pixel between two others is left unpainted
    grid = min(size[0], height), min(size[1], width)
    painted = np.zeros(grid, np.int64)
    for number, cell in enumerate(cells.ravel(), start=1):
        points: NDArray[Any] = np.asarray(cell, np.float64)
        if points.ndim != 2 or points.shape[1] != 2:
            raise UserError(f"{path} holds a region that is no list of y and x. Copy it again.")
        if len(points) < 2:
            continue
        # the rounding of the fractions must not carry a pixel to its neighbour
        y = np.floor(points[:, 0] * shape[0] + 1e-4).clip(0, shape[0] - 1) - top
        x = np.floor(points[:, 1] * shape[1] + 1e-4).clip(0, shape[1] - 1) - left
        seen = (y >= 0) & (y < height) & (x >= 0) & (x < width)
        rows = ((y[seen] + 0.5) * grid[0] / height).astype(int)
        columns = ((x[seen] + 0.5) * grid[1] / width).astype(int)
        painted[rows, columns] = number
    return resize(torch.from_numpy(painted), *size, mode="nearest")
