"""Folders of scenes, each photographed under several lights: time lapses, flashes from many sides."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from datamodules.about import missing
from datamodules.base import ZooDataModule
from datamodules.crops import hash_share
from datamodules.samples import SampleDataset, crop, resize
from datamodules.sampling.draws import Draws
from datamodules.stored_values import read_values, refuse_other_sizes
from zoo.errors import UserError
from zoo.imaging import IMAGE_SUFFIXES, read_image

__all__ = ["Illuminations"]

_BURNT = 0.995
"""sRGB value from which on a pixel counts as burnt out: nothing can be learned of its paint."""


class Illuminations(ZooDataModule):
    """One scene under several lights: ``image``, ``relit``, ``mask`` and ``name`` (the scene's) in each batch.

    A sample is a scene. Which of its pictures is the image and which are the others is drawn anew in each epoch of
    training; otherwise they are taken in the order of their names. The mask leaves out pixels that are burnt out in one
    of the pictures at hand, and those that a mask file of one of them has as 0. Pictures are scaled until they cover
    the size asked for, then cropped: anywhere in training, else in the middle.

    Scenes are shared out to the splits by a hash of their name.

    Args:
        folder: Holds a folder a scene, with pictures of one size in it, or in a folder ``data`` in it as BigTime has
            them. A mask lies beside its picture: ``<name>_mask.png``. Where there are pictures called ``dir_…``, as in
            the MIT Multi-Illumination set, only those are taken.
        height: Of the pictures in a batch.
        width: Of the pictures in a batch.
        lights: How many pictures come as ``relit``; a scene needs at least one more than that.
        batch_size: Samples in a batch, on each device.
        num_workers: Processes that load; 0 loads in the main one.
        seed: Of order and augmentation.
        val_share: Share of scenes for validation.
        test_share: Share of scenes for the test.
        flip: Mirror half of the training samples, others in each epoch.

    Raises:
        UserError: There are no scenes, a scene has too few pictures, or one of another size.
    """

    def __init__(
        self,
        folder: str,
        height: int = 256,
        width: int = 256,
        lights: int = 1,
        batch_size: int = 8,
        num_workers: int = 4,
        seed: int = 0,
        val_share: float = 0.1,
        test_share: float = 0.1,
        flip: bool = True,
    ) -> None:
        super().__init__(batch_size, num_workers, seed)
        if lights < 1 or min(height, width) < 1:
            raise UserError(f"lights is {lights}, height {height} and width {width}; each is at least 1.")
        if min(val_share, test_share) < 0 or val_share + test_share > 1:
            raise UserError(f"val_share is {val_share} and test_share {test_share}; shares are at most 1 together.")
        self.folder, self.height, self.width, self.lights = Path(folder).expanduser(), height, width, lights
        self.shares, self.flip = (test_share, val_share), flip

    def prepare_data(self) -> None:
        """Look that the data is there."""
        self._scenes()

    def dataset(self, split: str) -> SampleDataset:
        """The scenes of a split; ``predict`` is all of them."""
        low, high = {
            "test": (0.0, self.shares[0]),
            "val": (self.shares[0], sum(self.shares)),
            "train": (sum(self.shares), 1.0),
        }.get(split, (0.0, 1.0))
        scenes = {name: files for name, files in self._scenes().items() if low <= hash_share(name) < high}
        if not scenes:
            raise UserError(f"no scene of {self.folder} falls to '{split}'; add scenes, or change the shares.")
        flip = self.flip and split == "train"
        return _Scenes(scenes, (self.height, self.width), self.lights, split, self.seed, flip)

    def _scenes(self) -> dict[str, list[Path]]:
        if not self.folder.is_dir():
            raise missing("illuminations", f"there is no folder {self.folder}")
        scenes = {}
        for place in sorted(path for path in self.folder.iterdir() if path.is_dir() and path.name[0] != "."):
            files = _pictures(place)
            if len(files) <= self.lights:
                raise UserError(
                    f"{place} has {len(files)} of the {self.lights + 1} pictures that are needed: a scene is shown "
                    "under several lights. Add pictures, lower --data.lights, or take the folder away."
                )
            scenes[place.name] = files
        if not scenes:
            raise missing("illuminations", f"{self.folder} holds no folders of scenes")
        return scenes


def _pictures(place: Path) -> list[Path]:
    inner = place / "data"
    files = sorted((inner if inner.is_dir() else place).iterdir())
    files = [
        f for f in files if f.suffix.lower() in IMAGE_SUFFIXES and not f.stem.endswith("_mask") and f.name[0] != "."
    ]
    return [file for file in files if file.name.startswith("dir_")] or files


class _Scenes(SampleDataset):
    def __init__(
        self, scenes: dict[str, list[Path]], size: tuple[int, int], lights: int, split: str, seed: int, flip: bool
    ) -> None:
        super().__init__(len(scenes), split, seed, flip)
        self.names, self.files = list(scenes), list(scenes.values())
        self.size, self.lights = size, lights

    def read(self, sample: int, draws: Draws) -> dict[str, Any]:
        files, place = self.files[sample], (0.5, 0.5)
        if self.split == "train":
            order = draws.uniform("lights", len(files))[0].argsort()
            files = [files[i] for i in order]
            place = tuple(draws.uniform("crop", 2)[0].tolist())
        files = files[: self.lights + 1]
        pictures = [read_image(file) for file in files]
        masks = [self._mask(file, picture) for file, picture in zip(files, pictures, strict=True)]
        refuse_other_sizes({file: picture.shape[1:] for file, picture in zip(files, pictures, strict=True)})
        valid = torch.stack(masks).amin(0)
        shown = _cover([*pictures, valid], self.size, place)
        return {
            "image": shown[0],
            "relit": torch.stack(shown[1:-1]),
            "mask": (shown[-1] > 1 - 1e-4).float(),
            "name": self.names[sample],
        }

    def _mask(self, file: Path, picture: Tensor) -> Tensor:
        mask = (picture.amax(0, keepdim=True) < _BURNT).float()
        given = file.with_name(f"{file.stem}_mask.png")
        if given.is_file():
            values = read_values(given, 1)
            refuse_other_sizes({file: mask.shape[1:], given: values.shape[1:]})
            mask = mask * (values > 0.5)
        return mask


def _cover(planes: Sequence[Tensor], size: tuple[int, int], place: tuple[float, ...]) -> list[Tensor]:
    """Scale planes of one size until they cover ``size``, then crop at a place from 0 (top, left) to 1."""
    height, width = planes[0].shape[-2:]
    zoom = max(size[0] / height, size[1] / width)
    larger = max(size[0], round(height * zoom)), max(size[1], round(width * zoom))
    top, left = (round(p * (big - small)) for p, big, small in zip(place, larger, size, strict=True))
    mode = "area" if zoom < 1 else "bilinear"
    return [crop(resize(plane, *larger, mode=mode), top, left, *size) for plane in planes]
