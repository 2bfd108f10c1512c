"""Intrinsic Images in the Wild: indoor photos with judgements of which of two points has the darker paint."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import h5py
import numpy as np
import torch
from torch import Tensor

from datamodules.about import missing
from datamodules.crops import hash_share
from datamodules.samples import resize
from datamodules.sampling.draws import Draws
from datamodules.size_groups import GroupedDataModule, GroupedSamples, by_orientation, picture_size
from zoo.errors import UserError
from zoo.imaging import Size, read_image

__all__ = ["IIW", "dense_judgements", "judgements"]

_DARKER = {"1": 1.0, "2": 2.0, "E": 0.0}
_PICTURES = 5230


class IIW(GroupedDataModule):
    """IIW's photos and judgements: ``image``, ``judgements``, ``mask``, ``original_size`` and ``name`` in each batch.

    The split is the published one: names sorted as *strings*, every fifth from the first on is for the test (1,046 of
    5,230). Validation takes a share of the rest. Photos come at the network's sizes, 256 x 384, 384 x 256 or 384 x 384
    by orientation, and a batch has one size. WHDR is defined on predictions resized to the photo's own size, which
    ``original_size`` (B,2), height and width, tells; points are fractions of it, so that both agree.

    Args:
        folder: Holds ``data/<id>.png`` and ``data/<id>.json``, and for "dense" ``long_range_data_4/<id>.h5``.
        batch_size: Samples in a batch, on each device.
        num_workers: Processes that load; 0 loads in the main one.
        seed: Of order and augmentation.
        height: With ``width``, one size for all photos in place of the three; 0 for the three.
        width: See ``height``.
        pairs: Training on the "original" judgements, or on the "dense" ones that CGIntrinsics' authors derive from
            them. Validation and test always have the original ones.
        val_share: Share of the training photos that is kept for validation.
        pictures: How many photos there must be, because one too few would move the whole split; 0 takes any number.
        flip: Mirror half of the training samples, others in each epoch.

    Raises:
        UserError: The data is not there, incomplete, or damaged.
    """

    def __init__(
        self,
        folder: str,
        batch_size: int = 16,
        num_workers: int = 4,
        seed: int = 0,
        height: int = 0,
        width: int = 0,
        pairs: Literal["original", "dense"] = "original",
        val_share: float = 0.02,
        pictures: int = _PICTURES,
        flip: bool = True,
    ) -> None:
        super().__init__(batch_size, num_workers, seed, height, width)
        self.folder, self.pairs, self.val_share, self.pictures = Path(folder).expanduser(), pairs, val_share, pictures
        self.flip = flip

    def prepare_data(self) -> None:
        """Look that the data is there."""
        self._names("train")

    def dataset(self, split: str) -> GroupedSamples:
        """The photos of a split; ``predict`` is ``test``."""
        names = self._names("test" if split == "predict" else split)
        dense = split == "train" and self.pairs == "dense"
        return _Photos(self.folder, names, self.size, dense, split, self.seed, self.flip and split == "train")

    def _names(self, split: str) -> list[str]:
        photos = self.folder / "data"
        names = sorted(path.stem for path in photos.glob("*.png"))
        if not names:
            raise missing("iiw", f"there is no photo in {photos}")
        if self.pictures and len(names) != self.pictures:
            raise missing(
                "iiw",
                f"{photos} has {len(names)} photos in place of {self.pictures}, which would change the split "
                "(--data.pictures 0 takes any number)",
            )
        if split == "test":
            chosen = names[::5]
        else:
            rest = [name for place, name in enumerate(names) if place % 5]
            chosen = [name for name in rest if (hash_share(name) < self.val_share) == (split == "val")]
        if not chosen:
            raise UserError(f"no photo falls to '{split}' of {self.folder}; raise --data.val_share or add photos.")
        return chosen


class _Photos(GroupedSamples):
    def __init__(
        self, folder: Path, names: Sequence[str], size: Size | None, dense: bool, split: str, seed: int, flip: bool
    ) -> None:
        self.folder, self.names, self.dense = folder, list(names), dense
        sizes = [size or by_orientation(*picture_size(folder / "data" / f"{name}.png")) for name in names]
        super().__init__(sizes, split, seed, flip)

    def read(self, sample: int, draws: Draws) -> dict[str, Any]:
        name, (height, width) = self.names[sample], self.sizes[sample]
        image = read_image(self.folder / "data" / f"{name}.png")
        if self.dense:
            pairs = dense_judgements(self.folder / "long_range_data_4" / f"{name}.h5")
        else:
            pairs = judgements(self.folder / "data" / f"{name}.json")
        return {
            "image": resize(image, height, width),
            "judgements": pairs,
            "mask": torch.ones(1, height, width),
            "original_size": torch.tensor(image.shape[1:]),
            "name": name,
        }


def judgements(path: Path) -> Tensor:
    """The comparisons of one photo that count in WHDR.

    Left out are those whose answer is none of "1", "2" and "E", whose weight is null or not positive, and those with a
    point that is not on an opaque surface.

    Args:
        path: A JSON file of IIW.

    Returns:
        (P,6) float32 as the contract has it; P may be 0.

    Raises:
        UserError: The file is missing, damaged, or no JSON of IIW.
    """
    if not path.is_file():
        raise missing("iiw", f"there is no {path}")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as problem:
        raise UserError(f"{path} is damaged: it is no JSON. Copy it again.") from problem
    if not isinstance(content, Mapping) or "intrinsic_comparisons" not in content or "intrinsic_points" not in content:
        raise UserError(f"{path} holds no comparisons of points, as the files of IIW do. Copy it again.")
    try:
        points = {point["id"]: point for point in content["intrinsic_points"]}
        rows = [row for each in content["intrinsic_comparisons"] if (row := _row(each, points)) is not None]
    except (KeyError, TypeError, ValueError) as problem:
        raise UserError(f"{path} is damaged: a comparison or a point in it is not whole. Copy it again.") from problem
    return torch.tensor(rows, dtype=torch.float32).view(-1, 6)


def _row(comparison: Mapping[str, Any], points: Mapping[Any, Mapping[str, Any]]) -> list[float] | None:
    darker, weight = comparison["darker"], comparison["darker_score"]
    if weight is None or weight <= 0 or darker not in _DARKER:  # null first: it cannot be compared
        return None
    first, second = points[comparison["point1"]], points[comparison["point2"]]
    if not (first["opaque"] and second["opaque"]):
        return None
    return [*(float(point[axis]) for point in (first, second) for axis in "xy"), _DARKER[darker], float(weight)]


def dense_judgements(path: Path) -> Tensor:
    """The densified comparisons of one photo, which CGIntrinsics' authors derive from IIW's by transitivity.

    Args:
        path: An HDF5 file with ``/info/equal`` and ``/info/inequal``, columns ``y1 x1 y2 x2 weight`` as MATLAB writes
            them, transposed; in unequal pairs the second point is the darker one.

    Returns:
        (P,6) float32 as the contract has it.

    Raises:
        UserError: The file is missing, damaged, or has other columns.
    """
    if not path.is_file():
        raise missing("iiw", f"there is no {path}")
    rows = []
    try:
        with h5py.File(path, "r") as file:
            for kind, count, darker in (("equal", "num_eq", 0.0), ("inequal", "num_ineq", 2.0)):
                if int(np.asarray(file[f"info/{count}"]).ravel()[0]) > 0:
                    y1, x1, y2, x2, weight = np.asarray(file[f"info/{kind}"], np.float32)
                    rows.append(np.stack((x1, y1, x2, y2, np.full_like(x1, darker), weight), -1))
    except (OSError, KeyError, ValueError, IndexError) as problem:
        raise UserError(f"{path} is damaged, or holds no densified judgements. Copy it again.") from problem
    return torch.from_numpy(np.concatenate(rows) if rows else np.zeros((0, 6), np.float32))
