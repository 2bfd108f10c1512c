"""MPI Sintel in its version for intrinsic images: frames of an animated film with their paint and their light."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from datamodules.about import missing
from datamodules.base import ZooDataModule
from datamodules.samples import SampleDataset, crop
from datamodules.sampling.draws import Draws
from datamodules.stored_values import read_values, refuse_other_sizes
from zoo.errors import UserError
from zoo.imaging import linear_to_srgb, srgb_to_linear

__all__ = ["SINTEL_DEFECTIVE", "SINTEL_HALVES", "SintelIntrinsic"]

SINTEL_HALVES: tuple[tuple[str, ...], tuple[str, ...]] = (
    (
        *("alley_1", "bamboo_1", "bandage_1", "cave_2", "market_2", "market_6", "shaman_2", "sleeping_1"),
        "temple_2",
    ),
    (
        *("alley_2", "bamboo_2", "bandage_2", "cave_4", "market_5", "mountain_1", "shaman_3", "sleeping_2"),
        "temple_3",
    ),
)
"""The scene split: 440 and 450 frames. The first half trains and the second tests, then the other way round."""

SINTEL_DEFECTIVE = ("bandage_1", "shaman_3")
"""Scenes that later work leaves out for defects in their rendering: 390 and 400 frames remain."""

_DARKEST = 1e-4


class SintelIntrinsic(ZooDataModule):
    """Sintel's frames: ``image``, ``albedo``, ``shading`` (colour), ``mask`` and ``name`` in each batch.

    The image is normally the product of albedo and shading, since the film's own frames hold more than both and
    defects; pixels with black albedo are masked. The files have 8 bits, and the papers multiply and measure the numbers
    as they are. With ``encoding="linear"`` those numbers are taken as linear light, so that metrics on albedo and
    shading are the papers', and the image is their product encoded as sRGB: a network that decodes its input sees what
    the papers' networks see. With "display" the stored numbers are taken as displayed ones: the image is their
    product as it is, and albedo and shading are decoded.

    Args:
        folder: Holds ``albedo``, ``shading`` and, for ``picture="clean"``, ``clean``, each with a folder a scene.
        crop: Height and width of training crops, anywhere in a frame; 0 for whole frames, as in evaluation.
        batch_size: Samples in a batch, on each device.
        num_workers: Processes that load; 0 loads in the main one.
        seed: Of order and augmentation.
        fold: 0 trains on the first half of the scene split and tests on the second, 1 the other way round; papers
            give the mean of both.
        defect_free: Leave out the scenes of ``SINTEL_DEFECTIVE``.
        val_scenes: How many scenes of the training half, the last by name, are kept for validation.
        picture: "resynthesised", or "clean" for the film's own frames, which albedo times shading does not give.
        encoding: See above.
        flip: Mirror half of the training samples, others in each epoch.

    Raises:
        UserError: The data is not there, or damaged.
    """

    def __init__(
        self,
        folder: str,
        crop: int = 256,
        batch_size: int = 8,
        num_workers: int = 4,
        seed: int = 0,
        fold: Literal[0, 1] = 0,
        defect_free: bool = False,
        val_scenes: int = 1,
        picture: Literal["resynthesised", "clean"] = "resynthesised",
        encoding: Literal["linear", "display"] = "linear",
        flip: bool = True,
    ) -> None:
        super().__init__(batch_size, num_workers, seed)
        if fold not in (0, 1):
            raise UserError(f"fold is {fold}; there are the folds 0 and 1.")
        left_out = SINTEL_DEFECTIVE if defect_free else ()
        train, test = ([s for s in SINTEL_HALVES[half] if s not in left_out] for half in (fold, 1 - fold))
        if not 0 < val_scenes < len(train):
            raise UserError(f"val_scenes is {val_scenes}; keep 1 to {len(train) - 1} of the {len(train)} scenes.")
        self.folder, self.crop, self.flip = Path(folder).expanduser(), crop, flip
        self.scenes = {"train": train[:-val_scenes], "val": train[-val_scenes:], "test": test, "predict": test}
        self.picture, self.encoding = picture, encoding

    def prepare_data(self) -> None:
        """Look that the data is there."""
        for split in ("train", "val", "test"):
            self._frames(split)

    def dataset(self, split: str) -> SampleDataset:
        """The frames of a split's scenes; ``predict`` is ``test``."""
        train = split == "train"
        frames = self._frames(split)
        kinds = ["albedo", "shading", *(["clean"] if self.picture == "clean" else [])]
        return _Frames(
            self.folder,
            frames,
            kinds,
            self.encoding == "linear",
            self.crop if train else 0,
            split,
            self.seed,
            self.flip and train,
        )

    def _frames(self, split: str) -> list[str]:
        names = []
        for scene in self.scenes[split]:
            found = sorted(path.name for path in (self.folder / "albedo" / scene).glob("frame_*.png"))
            if not found:
                raise missing("sintel", f"there is no frame in {self.folder / 'albedo' / scene}")
            for kind in ("shading", *(["clean"] if self.picture == "clean" else [])):
                there = {path.name for path in (self.folder / kind / scene).glob("frame_*.png")}
                absent = next((name for name in found if name not in there), None)
                if absent is not None:
                    raise missing("sintel", f"there is no {self.folder / kind / scene / absent}")
            names += [f"{scene}/{name}" for name in found]
        return names


class _Frames(SampleDataset):
    def __init__(
        self,
        folder: Path,
        names: Sequence[str],
        kinds: Sequence[str],
        linear: bool,
        side: int,
        split: str,
        seed: int,
        flip: bool,
    ) -> None:
        super().__init__(len(names), split, seed, flip)
        self.folder, self.names, self.kinds = folder, list(names), list(kinds)
        self.linear, self.side = linear, side

    def read(self, sample: int, draws: Draws) -> dict[str, Any]:
        name = self.names[sample]
        files = [self.folder / kind / name for kind in self.kinds]
        values = [read_values(file, 3) for file in files]
        refuse_other_sizes({file: value.shape[1:] for file, value in zip(files, values, strict=True)})
        if self.side:
            height, width = values[0].shape[1:]
            if min(height, width) < self.side:
                raise UserError(
                    f"{files[0]} has {width} x {height} pixels; --data.crop {self.side} is too large for it."
                )
            room = (height - self.side + 1, width - self.side + 1)
            top, left = (draws.uniform("crop", 2)[0] * room).astype(int).tolist()
            values = [crop(value, top, left, self.side, self.side) for value in values]
        albedo, shading, *clean = values
        mask = (albedo.amax(0, keepdim=True) > 0).float()
        stored = clean[0] if clean else albedo * shading
        if self.linear:
            image = linear_to_srgb(stored)
        else:
            image, product = stored, srgb_to_linear(albedo * shading)
            albedo = srgb_to_linear(albedo)
            shading = product / albedo.clamp_min(_DARKEST)
        return {"image": image, "albedo": albedo, "shading": shading, "mask": mask, "name": name.removesuffix(".png")}
