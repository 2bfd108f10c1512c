"""MIT Intrinsic Images: photographed objects with measured reflectance and shading, under eleven lights."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from datamodules.about import missing
from datamodules.base import ZooDataModule
from datamodules.samples import SampleDataset, resize
from datamodules.sampling.draws import Draws
from datamodules.stored_values import read_values, refuse_other_sizes
from zoo.errors import UserError
from zoo.imaging import linear_to_srgb

__all__ = ["MIT_SPLITS", "MITIntrinsic"]

MIT_SPLITS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "barron": (
        ("apple", "box", "cup1", "dinosaur", "frog1", "panther", "paper1", "phone", "squirrel", "teabag2"),
        ("cup2", "deer", "frog2", "paper2", "pear", "potato", "raccoon", "sun", "teabag1", "turtle"),
    ),
    "grosse": (
        ("box", "cup1", "cup2", "dinosaur", "panther", "squirrel", "sun", "teabag2"),
        ("deer", "frog1", "frog2", "paper1", "paper2", "raccoon", "teabag1", "turtle"),
    ),
}
"""The objects for training and for the test: Barron and Malik's split, and the two sets of Grosse's study."""

_PICTURES = ("diffuse", *(f"light{i:02d}" for i in range(1, 11)))

_DARK = 1e-3
"""Albedo below which no shading can be told."""


class MITIntrinsic(ZooDataModule):
    """The twenty objects: ``image``, ``albedo``, ``shading`` (grey), ``mask`` and ``name`` in each batch.

    The files have 16 bits and are linear. The image is ``diffuse.png``, without gloss. ``shading.png`` is scaled by one
    number an object, so that albedo times shading comes nearest to the image; the two were measured apart, so that this
    holds only nearly. Objects differ in size: each is cropped to its mask's box, shrunk or grown to fit, and laid in
    the middle of a black square, where the mask is 0.

    The pictures ``light01`` to ``light10``, which have gloss, come as ``relit``, and with the usual estimate of their
    shading, their brightness over that of the albedo, as ``relit_shading``: the first ones in evaluation, others in
    each epoch of training. The mask leaves out black albedo, which says nothing of the light.

    Args:
        folder: Holds a folder for each object.
        size: Height and width of a batch.
        batch_size: Samples in a batch, on each device.
        num_workers: Processes that load; 0 loads in the main one.
        seed: Of order and augmentation.
        objects: "barron", the usual split, or "grosse", that of the first study.
        val: How many of the training objects, the last by name, are kept for validation.
        lights: How many of the ten other pictures come as ``relit``; 0 for none.
        picture: What the image is in training: "diffuse", or "any" of the eleven pictures with its own shading, so that
            ``relit`` may be the picture without gloss.
        flip: Mirror half of the training samples, others in each epoch.

    Raises:
        UserError: The data is not there, or damaged.
    """

    def __init__(
        self,
        folder: str,
        size: int = 256,
        batch_size: int = 5,
        num_workers: int = 4,
        seed: int = 0,
        objects: Literal["barron", "grosse"] = "barron",
        val: int = 1,
        lights: int = 1,
        picture: Literal["diffuse", "any"] = "diffuse",
        flip: bool = True,
    ) -> None:
        super().__init__(batch_size, num_workers, seed)
        train, test = MIT_SPLITS[objects]
        if not 0 < val < len(train):
            raise UserError(f"val is {val}; keep 1 to {len(train) - 1} of the {len(train)} training objects.")
        if not 0 <= lights < len(_PICTURES):
            raise UserError(f"lights is {lights}; there are 0 to {len(_PICTURES) - 1} other pictures of an object.")
        self.folder, self.size, self.lights, self.picture = Path(folder).expanduser(), size, lights, picture
        self.objects = {"train": train[:-val], "val": train[-val:], "test": test, "predict": test}
        self.flip = flip

    def prepare_data(self) -> None:
        """Look that the data is there."""
        for name in (*self.objects["train"], *self.objects["val"], *self.objects["test"]):
            pictures = _PICTURES if self.lights or self.picture == "any" else _PICTURES[:1]
            for kind in ("mask", "reflectance", "shading", *pictures):
                path = self.folder / name / f"{kind}.png"
                if not path.is_file():
                    raise missing("mit", f"there is no {path}")

    def dataset(self, split: str) -> SampleDataset:
        """The objects of a split; ``predict`` is ``test``."""
        self.prepare_data()
        train = split == "train"
        return _Objects(
            self.folder,
            self.objects[split],
            self.size,
            self.lights,
            train and self.picture == "any",
            split,
            self.seed,
            self.flip and train,
        )


class _Objects(SampleDataset):
    def __init__(
        self,
        folder: Path,
        names: Sequence[str],
        size: int,
        lights: int,
        any_picture: bool,
        split: str,
        seed: int,
        flip: bool,
    ) -> None:
        super().__init__(len(names), split, seed, flip)
        self.folder, self.names, self.size = folder, list(names), size
        self.lights, self.any_picture = lights, any_picture

        self._windows: dict[str, _Window] = {}
        self._kept: dict[tuple[str, str], Tensor] = {}  # few objects, read again and again

    def read(self, sample: int, draws: Draws) -> dict[str, Any]:
        name = self.names[sample]
        albedo, measured, diffuse = (self._map(name, kind) for kind in ("reflectance", "shading", "diffuse"))
        grey = albedo.mean(0, keepdim=True)
        mask = self._window(name).mask * (grey > _DARK)
        scale = _scale(diffuse * mask, albedo * measured * mask)
        pictures, shadings = [], []
        for kind in self._shown(draws):
            pictures.append(linear_to_srgb(self._map(name, kind)))
            estimate = self._map(name, kind).mean(0, keepdim=True) / grey.clamp_min(_DARK)
            shadings.append((scale * measured if kind == "diffuse" else estimate) * mask)
        row = {"image": pictures[0], "albedo": albedo, "shading": shadings[0], "mask": mask, "name": name}
        if self.lights:
            row.update(relit=torch.stack(pictures[1:]), relit_shading=torch.stack(shadings[1:]))
        return row

    def _shown(self, draws: Draws) -> list[str]:
        """The pictures of an object in this epoch, the image first."""
        if self.any_picture:
            order = draws.uniform("pictures", len(_PICTURES))[0].argsort()
            return [_PICTURES[i] for i in order[: self.lights + 1]]
        others = list(_PICTURES[1:])
        if self.split == "train":
            others = [others[i] for i in draws.uniform("lights", len(others))[0].argsort()]
        return [_PICTURES[0], *others[: self.lights]]

    def _map(self, name: str, kind: str) -> Tensor:
        """One of an object's files, fitted."""
        if (name, kind) not in self._kept:
            window, file = self._window(name), self.folder / name / f"{kind}.png"
            values = read_values(file, 1 if kind == "shading" else 3)
            refuse_other_sizes({self.folder / name / "mask.png": window.inside.shape[1:], file: values.shape[1:]})
            self._kept[name, kind] = window.fit(values)
        return self._kept[name, kind]

    def _window(self, name: str) -> _Window:
        if name not in self._windows:
            file = self.folder / name / "mask.png"
            inside = (read_values(file, 1) > 0).float()
            if not inside.any():
                raise UserError(f"{file} is empty: nothing of the object is in it. Copy it again.")
            self._windows[name] = _Window(inside, self.size)
        return self._windows[name]


def _scale(target: Tensor, product: Tensor) -> Tensor:
    """The number by which a product comes nearest to its target, in the sense of least squares."""
    return (target * product).sum() / product.square().sum().clamp_min(1e-12)


class _Window:
    """How an object's pictures are cut to its mask's box and laid into a square.

    Args:
        inside: (1,H,W), 1 on the object.
        size: Of the square.
    """

    def __init__(self, inside: Tensor, size: int) -> None:
        rows, columns = inside[0].any(1).nonzero(), inside[0].any(0).nonzero()
        top, bottom, left, right = int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1
        self.inside, self.box = inside, (slice(None), slice(top, bottom), slice(left, right))
        zoom = size / max(bottom - top, right - left)
        height, width = max(1, round((bottom - top) * zoom)), max(1, round((right - left) * zoom))
        self.shape, self.mode = (height, width), "area" if zoom < 1 else "bilinear"
        above, before = (size - height) // 2, (size - width) // 2
        self.border = (before, size - width - before, above, size - height - above)
        self.share = self._resized(inside)
        self.mask = F.pad((self.share > 1 - 1e-4).float(), self.border)

    def fit(self, values: Tensor) -> Tensor:
        """A picture (C,H,W) in the square; nothing from outside the mask is mixed into it, and it is 0 there."""
        inner = self._resized(values * self.inside) / self.share.clamp_min(1e-6)
        return (F.pad(inner, self.border) * self.mask).clamp(0, 1)

    def _resized(self, values: Tensor) -> Tensor:
        return resize(values[self.box], *self.shape, mode=self.mode)
