"""The few fine renderings that CGIntrinsics' authors add to their data in training."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from datamodules.about import missing
from datamodules.divided_shading import GAMMA, divided_shading, eroded
from datamodules.name_lists import read_pickled_names
from datamodules.samples import crop, jitter_box, resize
from datamodules.sampling.draws import Draws
from datamodules.size_groups import GroupedDataModule, GroupedSamples, picture_size
from datamodules.stored_values import read_values, refuse_other_sizes
from zoo.errors import UserError
from zoo.imaging import Shapes, by_ratio

__all__ = ["CGIRendered"]

_JITTER = 20
"""Pixels by which a training crop is smaller than its picture."""

_RENDERED_SHAPES: Shapes = ((1.73, (512, 256)), (1.41, (768, 512)), (1.15, (512, 384)), (0.0, (512, 512)))


class CGIRendered(GroupedDataModule):
    """The few fine renderings that CGIntrinsics' authors add in training: keys as ``CGI``, without superpixels.

    Their pictures are stored linear. They are for training alone and have no split; they come at sizes by their shape,
    so that a batch has one size. Some of them belong to the ARAP data set: who trains on them cannot test there.

    Args:
        folder: The folder called ``intrinsics_final``.
        batch_size: Samples in a batch, on each device; 1 in the paper's code.
        num_workers: Processes that load; 0 loads in the main one.
        seed: Of order and augmentation.
        height: With ``width``, one size for all pictures; 0 for the sizes by shape.
        width: See ``height``.
        flip: Mirror half of the samples and shift their crop by up to 19 pixels, otherwise in each epoch.

    Raises:
        UserError: The data is not there or damaged, or another split than training is asked for.
    """

    def __init__(
        self,
        folder: str,
        batch_size: int = 1,
        num_workers: int = 0,
        seed: int = 0,
        height: int = 0,
        width: int = 0,
        flip: bool = True,
    ) -> None:
        super().__init__(batch_size, num_workers, seed, height, width)
        self.folder, self.flip = Path(folder).expanduser(), flip

    def prepare_data(self) -> None:
        """Look that the data is there."""
        self.dataset("train")

    def dataset(self, split: str) -> GroupedSamples:
        """All pictures, for ``train`` alone."""
        if split != "train":
            raise UserError("the rendered extra set of CGIntrinsics is for training alone; test on another.")
        path = self.folder / "render_list" / "img_batch.p"
        if not path.is_file():
            raise missing("cgi", f"there is no {path}")
        names = read_pickled_names(path)
        files = [_rendered_files(self.folder, name) for name in names]
        absent = next((file for each in files for file in each if not file.is_file()), None)
        if absent is not None:
            raise missing("cgi", f"there is no {absent}")
        sizes = [self.size or by_ratio(*picture_size(each[0]), shapes=_RENDERED_SHAPES) for each in files]
        return _Extra(files, names, sizes, self.seed, self.flip)


def _rendered_files(folder: Path, name: str) -> tuple[Path, Path, Path]:
    place, scene = folder / "rendered", Path(name).stem.split("_")[0]
    return place / "images" / name, place / "albedo" / f"{scene}_albedo.png", place / "mask" / f"{scene}_alpha.png"


class _Extra(GroupedSamples):
    def __init__(
        self,
        files: Sequence[tuple[Path, Path, Path]],
        names: Sequence[str],
        sizes: Sequence[tuple[int, int]],
        seed: int,
        flip: bool,
    ) -> None:
        super().__init__(sizes, "train", seed, flip)
        self.files, self.names = list(files), list(names)

    def read(self, sample: int, draws: Draws) -> dict[str, Any]:
        files, size = self.files[sample], self.sizes[sample]
        linear, albedo, mask = (read_values(file, channels) for file, channels in zip(files, (3, 3, 1), strict=True))
        refuse_other_sizes({f: v.shape[1:] for f, v in zip(files, (linear, albedo, mask), strict=True)})
        box = jitter_box(draws, linear.shape[1:], _JITTER if self.flip else 0)
        row = divided_shading(
            # resized as it is displayed, as the authors do
            resize(crop(linear ** (1 / GAMMA), *box), *size) ** GAMMA,
            resize(crop(albedo.clamp_min(1e-4), *box), *size),
            resize(crop(eroded((mask >= 0.99).float(), 7), *box), *size, mode="nearest"),
            brightest=20.0,
        )
        return {**row, "name": self.names[sample]}
