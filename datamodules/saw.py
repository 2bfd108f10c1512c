"""Shading Annotations in the Wild: photos with labels of smooth shading, shadow edges and edges of shape."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from datamodules.about import missing
from datamodules.name_lists import read_npy_names
from datamodules.samples import crop, jitter_box, resize
from datamodules.sampling.draws import Draws
from datamodules.size_groups import GroupedDataModule, GroupedSamples, picture_size
from datamodules.stored_values import refuse_other_sizes
from zoo.contract import IGNORE
from zoo.errors import UserError
from zoo.imaging import Size, by_ratio, read_image

__all__ = ["SAW", "shading_labels"]

_LABELS = "saw_data-filter_size_0-ignore_border_0.05-normal_gradmag_thres_1.5-depth_gradmag_thres_2.0"
_SPLITS = ("train", "val", "test")
_JITTER = 10
"""Pixels by which a training crop is smaller than its photo, as in CGIntrinsics' loader."""


class SAW(GroupedDataModule):
    """SAW's photos and labels: ``image``, ``shading_labels``, ``mask``, ``original_size`` and ``name`` in each batch.

    Photos come at a network size that fits their shape (``by_ratio``), and a batch has one size; labels are taken from
    the nearest pixel. The average precision is defined at the size of the labels, so validation and test also give
    ``native_shading_labels`` and ``native_image``: lists with one (h,w) and one (3,h,w) tensor a photo.

    Args:
        folder: Holds ``saw_splits``, ``saw_images_512`` and ``saw_pixel_labels``.
        batch_size: Samples in a batch, on each device.
        num_workers: Processes that load; 0 loads in the main one.
        seed: Of order and augmentation.
        height: With ``width``, one size for all photos; 0 for the sizes by shape.
        width: See ``height``.
        labels: Which set of labels; by default the one that published average precisions are measured with.
        flip: Mirror half of the training samples and shift their crop by up to 9 pixels, otherwise in each epoch.

    Raises:
        UserError: The data is not there, or damaged.
    """

    def __init__(
        self,
        folder: str,
        batch_size: int = 16,
        num_workers: int = 4,
        seed: int = 0,
        height: int = 0,
        width: int = 0,
        labels: str = _LABELS,
        flip: bool = True,
    ) -> None:
        super().__init__(batch_size, num_workers, seed, height, width)
        self.folder, self.labels, self.flip = Path(folder).expanduser(), labels, flip

    def prepare_data(self) -> None:
        """Look that the data is there."""
        for split in _SPLITS:
            self._names(split)

    def dataset(self, split: str) -> GroupedSamples:
        """The photos of SAW's own lists; ``predict`` is ``test``."""
        names = self._names("test" if split == "predict" else split)
        return _Photos(self.folder, names, self.labels, self.size, split, self.seed, self.flip and split == "train")

    def _names(self, split: str) -> list[str]:
        path = self.folder / "saw_splits" / f"{split}_ids.npy"
        if not path.is_file():
            raise missing("saw", f"there is no {path}")
        names = read_npy_names(path)
        for folder, suffix in ((self.folder / "saw_images_512", "png"), (self._label_folder(), "npy")):
            there = {file.stem for file in folder.glob(f"*.{suffix}")}
            absent = next((name for name in names if name not in there), None)
            if absent is not None:
                raise missing("saw", f"{folder / absent}.{suffix} is missing")
        return names

    def _label_folder(self) -> Path:
        return self.folder / "saw_pixel_labels" / self.labels


class _Photos(GroupedSamples):
    def __init__(
        self, folder: Path, names: Sequence[str], labels: str, size: Size | None, split: str, seed: int, augment: bool
    ) -> None:
        self.images, self.labels = folder / "saw_images_512", folder / "saw_pixel_labels" / labels
        self.names = list(names)
        sizes = [size or by_ratio(*picture_size(self.images / f"{name}.png")) for name in names]
        super().__init__(sizes, split, seed, augment)

    def read(self, sample: int, draws: Draws) -> dict[str, Any]:
        name, size = self.names[sample], self.sizes[sample]
        picture, annotation = self.images / f"{name}.png", self.labels / f"{name}.npy"
        image, labels = read_image(picture), shading_labels(annotation)
        height, width = image.shape[1:]
        refuse_other_sizes({picture: (height, width), annotation: labels.shape})
        box = jitter_box(draws, (height, width), _JITTER if self.flip else 0)
        row = {
            "image": resize(crop(image, *box), *size),
            "shading_labels": resize(crop(labels, *box), *size, mode="nearest"),
            "mask": torch.ones(1, *size),
            "original_size": torch.tensor([height, width]),
            "name": name,
        }
        if self.split != "train":
            row.update(native_image=image, native_shading_labels=labels)
        return row


def shading_labels(path: Path) -> Tensor:
    """The labels of one photo.

    Args:
        path: A ``.npy`` file: 0 edge of depth or normal, 1 of a shadow, 2 smooth, more than 99 for no label.

    Returns:
        (h,w) int64, the contract's 255 for no label.

    Raises:
        UserError: The file is damaged, no map, or holds other numbers.
    """
    try:
        values = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as problem:
        raise UserError(f"{path} is damaged, or no map of labels. Copy it again.") from problem
    if values.ndim != 2 or values.dtype.kind not in "iu":
        raise UserError(f"{path} holds {values.dtype} of shape {values.shape} in place of a map of labels.")
    labels = values.astype(np.int64)
    labels[labels > 99] = IGNORE
    odd = (labels > 2) & (labels != IGNORE) | (labels < 0)
    if odd.any():
        raise UserError(f"{path} holds the label {labels[odd][0]}; 0, 1, 2 and 100 are expected. Copy it again.")
    return torch.from_numpy(labels)
