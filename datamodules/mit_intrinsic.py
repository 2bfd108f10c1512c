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

_LIGHTS = 10
_DARK = 1e-4


class MITIntrinsic(ZooDataModule):
    """The twenty objects: ``image``, ``albedo``, ``shading`` (grey), ``mask`` and ``name`` in each batch.

    The files have 16 bits and are linear. The image is ``diffuse.png``, without gloss. ``shading.png`` is scaled by one
    number an object, so that albedo times shading comes nearest to the image; the two were measured apart, so that this
    holds only nearly. Objects differ in size: each is cropped to its mask's box, shrunk or grown to fit, and laid in
    the middle of a black square, where the mask is 0.

    The pictures ``light01`` to ``light10`` come as ``relit`` with the usual estimate of their shading, their brightness
    over that of the albedo, as ``relit_shading``. Those have gloss. In the order of the files in evaluation; drawn
    anew in each epoch in training.

    Args:
        folder: Holds a folder for each object.
        size: Height and width of a batch.
        batch_size: Samples in a batch, on each device.
        num_workers: Processes that load; 0 loads in the main one.
        seed: Of order and augmentation.
        objects: "barron", the usual split, or "grosse", that of the first study.
        val: How many of the training objects, the last by name, are kept for validation.
        lights: How many of the ten other pictures come as ``relit``; 0 for none.
        picture: What the image is in training: "diffuse", or "any", one of the ten other pictures, which then does not
            come again as ``relit``, with its own shading.
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
        most = _LIGHTS - (picture == "any")
        if not 0 <= lights <= most:
            raise UserError(f"lights is {lights}; there are 0 to {most} other pictures of an object.")
        self.folder, self.size, self.lights, self.picture = Path(folder).expanduser(), size, lights, picture
        self.objects = {"train": train[:-val], "val": train[-val:], "test": test, "predict": test}
        self.flip = flip

    def prepare_data(self) -> None:
        """Look that the data is there."""
        for name in (*self.objects["train"], *self.objects["val"], *self.objects["test"]):
            kinds = ["diffuse", "reflectance", "shading", "mask"]
            kinds += [f"light{i + 1:02d}" for i in range(_LIGHTS)] if self.lights or self.picture == "any" else []
            for kind in kinds:
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

    def read(self, sample: int, draws: Draws) -> dict[str, Any]:
        name = self.names[sample]
        order = list(range(_LIGHTS))
        if self.split == "train":
            order = draws.uniform("lights", _LIGHTS)[0].argsort().tolist()
        first = 1 if self.any_picture else 0
        others = [f"light{i + 1:02d}" for i in order[: first + self.lights]]
        pictures = self._read(
            name, {"diffuse": 3, "reflectance": 3, "shading": 1, "mask": 1, **dict.fromkeys(others, 3)}
        )
        inside = (pictures.pop("mask") > 0).float()
        if not inside.any():
            raise UserError(
                f"{self.folder / name / 'mask.png'} is empty: nothing of the object is in it. Copy it again."
            )
        fitted, mask = _fit(pictures, inside, self.size)
        albedo = fitted["reflectance"]
        scale = _scale(fitted["diffuse"], albedo * fitted["shading"])
        grey = albedo.mean(0, keepdim=True).clamp_min(_DARK)
        estimates = {other: fitted[other].mean(0, keepdim=True) / grey for other in others}
        image, shading = fitted["diffuse"], scale * fitted["shading"]
        if self.any_picture:
            image, shading = fitted[others[0]], estimates[others[0]]
            others = others[1:]
        row = {"image": linear_to_srgb(image), "albedo": albedo, "shading": shading, "mask": mask, "name": name}
        if others:
            row["relit"] = torch.stack([linear_to_srgb(fitted[other]) for other in others])
            row["relit_shading"] = torch.stack([estimates[other] for other in others])
        return row

    def _read(self, name: str, channels: dict[str, int]) -> dict[str, Tensor]:
        files = {kind: self.folder / name / f"{kind}.png" for kind in channels}
        values = {kind: read_values(file, channels[kind]) for kind, file in files.items()}
        refuse_other_sizes({files[kind]: value.shape[1:] for kind, value in values.items()})
        return values


def _scale(target: Tensor, product: Tensor) -> Tensor:
    """The number by which a product comes nearest to its target, in the sense of least squares."""
    return (target * product).sum() / product.square().sum().clamp_min(1e-12)


def _fit(pictures: dict[str, Tensor], inside: Tensor, size: int) -> tuple[dict[str, Tensor], Tensor]:
    """Cut all to the mask's box and fit them into a square; pixels outside the mask are mixed into none inside."""
    rows, columns = inside[0].any(1).nonzero(), inside[0].any(0).nonzero()
    top, bottom, left, right = int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1
    zoom = size / max(bottom - top, right - left)
    height, width = max(1, round((bottom - top) * zoom)), max(1, round((right - left) * zoom))
    mode = "area" if zoom < 1 else "bilinear"
    above, before = (size - height) // 2, (size - width) // 2
    border = (before, size - width - before, above, size - height - above)

    def fit(value: Tensor) -> Tensor:
        return resize(value[:, top:bottom, left:right], height, width, mode)

    share = fit(inside)
    fitted = {kind: F.pad(fit(value * inside) / share.clamp_min(1e-6), border) for kind, value in pictures.items()}
    mask = F.pad((share > 1 - 1e-4).float(), border)
    return {kind: (value * mask).clamp(0, 1) for kind, value in fitted.items()}, mask
