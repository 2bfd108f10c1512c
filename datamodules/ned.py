"""NED, renderings of gardens: paint, light and the class of everything in them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from datamodules.about import missing
from datamodules.base import ZooDataModule
from datamodules.crops import hash_share
from datamodules.mat_files import read_mat_array
from datamodules.name_lists import read_text_names
from datamodules.samples import SampleDataset, resize
from datamodules.sampling.draws import Draws
from datamodules.stored_values import refuse_other_sizes
from zoo.errors import UserError
from zoo.imaging import linear_to_srgb
from zoo.scene_classes import GARDEN_CLASSES

__all__ = ["NED", "NED_CONDITIONS", "garden_classes"]

NED_CONDITIONS = ("clear", "cloudy", "overcast", "sunset", "twilight")
"""The weathers in which the gardens are rendered; in some copies of the data they are folders."""

_RAW = {
    **{0: "void", 1: "ground", 2: "grass", 3: "dirt", 4: "gravel", 5: "gravel", 6: "gravel", 7: "woodchip"},
    **{8: "pavement", 11: "box", 20: "topiary", 30: "rose", 102: "tree", 103: "fence", 104: "step"},
    **{105: "flowerpot", 106: "stone", 223: "sky"},
}
"""The data's own ids. 5 is mulch and 6 pebble, which have no class of their own."""

_DARKEST = 1e-3


class NED(ZooDataModule):
    """NED's renderings: ``image``, ``albedo``, ``shading`` (colour), ``mask`` and ``name``, and ``segmentation``.

    The release with the finer parts of shading (ShadingNet's) has a ``.mat`` file a picture and a kind, linear, in
    [0, 1]. The image is ``composite`` encoded as sRGB. Where pictures are shrunk, shading is what the shrunk product of
    albedo and shading leaves beside the shrunk albedo, so that the product holds there too. The mask leaves out what
    the data's mask does, pixels that are burnt out, and black albedo.

    ``segmentation`` has the 16 classes of IntrinSeg (``zoo.scene_classes.GARDEN_CLASSES``) and is there if a folder of
    labels is; that release has none, so it has to come from the full set. Mulch and pebble count as gravel.

    Args:
        folder: Holds ``train_files.txt``, ``test_files.txt`` and the folders of kinds; or, in place of the latter, a
            folder a condition (``NED_CONDITIONS``) with the folders of kinds in each.
        height: Of a batch.
        width: Of a batch.
        batch_size: Samples in a batch, on each device.
        num_workers: Processes that load; 0 loads in the main one.
        seed: Of order and augmentation.
        labels: The folder of labels beside ``composite``: ``.mat``, or grey ``.png`` files, of the data's own ids.
        val_share: Share of the training pictures that is kept for validation, by a hash of their name.
        flip: Mirror half of the training samples, others in each epoch.

    Raises:
        UserError: The data is not there, or damaged.
    """

    def __init__(
        self,
        folder: str,
        height: int = 480,
        width: int = 352,
        batch_size: int = 16,
        num_workers: int = 4,
        seed: int = 0,
        labels: str = "labels",
        val_share: float = 0.05,
        flip: bool = True,
    ) -> None:
        super().__init__(batch_size, num_workers, seed)
        if min(height, width) < 1 or not 0 <= val_share < 1:
            raise UserError(
                f"height is {height}, width {width}, val_share {val_share}; take at least 1, 1, and 0 to 1."
            )
        self.folder, self.size, self.labels = Path(folder).expanduser(), (height, width), labels
        self.val_share, self.flip = val_share, flip

    def prepare_data(self) -> None:
        """Look that the data is there."""
        for split in ("train", "val", "test"):
            self._samples(split)

    def dataset(self, split: str) -> SampleDataset:
        """The pictures of a split; ``predict`` is ``test``."""
        samples = self._samples("test" if split == "predict" else split)
        labels = self.labels if all((root / self.labels).is_dir() for root in self._roots()) else ""
        return _Gardens(samples, self.size, labels, split, self.seed, self.flip and split == "train")

    def _roots(self) -> list[Path]:
        roots = [self.folder, *(self.folder / condition for condition in NED_CONDITIONS)]
        found = [root for root in roots if (root / "composite").is_dir()]
        if not found:
            raise missing("ned", f"there is no folder {self.folder / 'composite'}")
        return found

    def _samples(self, split: str) -> list[tuple[Path, str]]:
        """The folder of kinds and the name of each picture; in folders of conditions a name may say its condition."""
        path = self.folder / f"{'test' if split == 'test' else 'train'}_files.txt"
        if not path.is_file():
            raise missing("ned", f"there is no {path}")
        names = [Path(name).with_suffix("") if name.endswith(".mat") else Path(name) for name in read_text_names(path)]
        if split != "test":
            names = [name for name in names if (hash_share(name.name) < self.val_share) == (split == "val")]
        samples = []
        for name in names:
            places = [
                (root, str(short))
                for root in self._roots()
                for short in {name, name.relative_to(root.name) if name.parts[0] == root.name else name}
                if (root / "composite" / f"{short}.mat").is_file()
            ]
            if not places:
                raise missing("ned", f"there is no {self.folder / 'composite' / f'{name}.mat'}")
            samples += places
        if not samples:
            raise UserError(f"no picture of {path} falls to '{split}'; change --data.val_share.")
        return samples


class _Gardens(SampleDataset):
    def __init__(
        self,
        samples: Sequence[tuple[Path, str]],
        size: tuple[int, int],
        labels: str,
        split: str,
        seed: int,
        flip: bool,
    ) -> None:
        super().__init__(len(samples), split, seed, flip)
        self.samples, self.size, self.labels = list(samples), size, labels

    def read(self, sample: int, draws: Draws) -> dict[str, Any]:
        root, name = self.samples[sample]
        files = {kind: root / kind / f"{name}.mat" for kind in ("composite", "albedo", "shading", "mask")}
        values = {kind: _planes(read_mat_array(file, kind), file) for kind, file in files.items()}
        refuse_other_sizes({files[kind]: value.shape[1:] for kind, value in values.items()})
        composite, albedo, shading = (values[kind].expand(3, -1, -1) for kind in ("composite", "albedo", "shading"))
        valid = (values["mask"].amin(0, keepdim=True) > 0.5) & (composite.amax(0, keepdim=True) < 1)
        paint, product = self._shrunk(albedo), self._shrunk(albedo * shading)
        mask = (self._shrunk(valid.float()) > 1 - 1e-4) & (paint.amin(0, keepdim=True) > _DARKEST)
        row: dict[str, Any] = {
            "image": linear_to_srgb(self._shrunk(composite)).clamp(0, 1),
            "albedo": paint,
            "shading": product / paint.clamp_min(_DARKEST),
            "mask": mask.float(),
            "name": name if root.name not in NED_CONDITIONS else f"{root.name}/{name}",
        }
        if self.labels:
            row["segmentation"] = self._classes(root / self.labels / name, files["composite"], composite.shape[1:])
        return row

    def _shrunk(self, values: Tensor) -> Tensor:
        return resize(values, *self.size, mode="area")

    def _classes(self, stem: Path, picture: Path, size: Sequence[int]) -> Tensor:
        png = Path(f"{stem}.png")
        file = png if png.is_file() else Path(f"{stem}.mat")
        ids = _read_ids(file) if file is png else read_mat_array(file, "labels")
        if ids.ndim != 2:
            raise UserError(f"{file} holds colours in place of ids of classes.")
        refuse_other_sizes({picture: size, file: ids.shape})
        return resize(garden_classes(ids, file), *self.size, mode="nearest")


def _planes(values: NDArray[Any], file: Path) -> Tensor:
    """(H,W) or (H,W,1 or 3) as (1 or 3,H,W)."""
    planes = values[..., None] if values.ndim == 2 else values
    if planes.ndim != 3 or planes.shape[2] not in (1, 3):
        raise UserError(f"{file} holds an array of shape {values.shape} in place of a picture. Copy it again.")
    return torch.from_numpy(np.ascontiguousarray(planes.transpose(2, 0, 1), np.float32)).clamp_min(0)


def _read_ids(path: Path) -> NDArray[Any]:
    try:
        with Image.open(path) as picture:
            return np.asarray(picture)  # of a palette the indices
    except (OSError, ValueError, SyntaxError) as problem:
        raise UserError(f"{path} is damaged or no image. Copy it again.") from problem


def garden_classes(ids: NDArray[Any], path: Path) -> Tensor:
    """From the data's own ids to ids of ``GARDEN_CLASSES``.

    Args:
        ids: Any shape.
        path: Their file, for messages.

    Returns:
        int64 of the same shape, 0 to 15.

    Raises:
        UserError: There is an id that the data does not have.

    Example:
        >>> garden_classes(np.array([0, 5, 11, 223]), Path("labels.png"))
        tensor([ 0,  4,  7, 15])
    """
    table = np.full(256, -1, np.int64)
    for raw, name in _RAW.items():
        table[raw] = GARDEN_CLASSES.index(name)
    whole = ids.astype(np.int64)
    classes = np.where((whole >= 0) & (whole < 256) & (whole == ids), table[whole.clip(0, 255)], -1)
    if (classes < 0).any():
        raise UserError(f"{path} holds the label {ids[classes < 0][0]}, which is none of NED's. Copy it again.")
    return torch.from_numpy(classes)
