"""Predictions on real faces, kept as labels for the next stage: one safetensors file a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.callbacks import BasePredictionWriter
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file
from torch import Tensor

from datamodules.augment import flip_coins, hflip
from datamodules.base import BatchDataset
from datamodules.loader import epoch_and_sample
from datamodules.storage import pack, unpack
from zoo.errors import UserError
from zoo.files import written_whole

__all__ = ["PSEUDO_LABEL_KEYS", "PseudoLabelWriter", "PseudoLabels", "write_pseudo_label"]

PSEUDO_LABEL_KEYS = ("image", "albedo", "normal", "light", "mask")
"""What a file holds: image and mask in 8 bits, albedo and normal in half floats, light in floats."""

_FORMAT = "prior-zoo pseudo-label 1"


def write_pseudo_label(path: str | Path, sample: Mapping[str, Tensor], source: str = "") -> Path:
    """Write one picture and what a model sees in it, whole or not at all.

    Args:
        path: A file that ends in .safetensors.
        sample: ``PSEUDO_LABEL_KEYS`` without the batch dimension, as in the contract; more keys are left out.
        source: Where the picture came from, kept as a note.

    Raises:
        UserError: A key is missing, a value is not finite, or the file cannot be written.
    """
    lacking = [key for key in PSEUDO_LABEL_KEYS if key not in sample]
    if lacking:
        raise UserError(f"a pseudo-label needs {', '.join(PSEUDO_LABEL_KEYS)}, and {', '.join(lacking)} is missing.")
    values = {key: sample[key].detach().float().cpu() for key in PSEUDO_LABEL_KEYS}
    broken = [key for key, value in values.items() if not bool(torch.isfinite(value).all())]
    if broken:
        raise UserError(
            f"the prediction for {source or path} has {broken[0]} values that are not finite; train it anew."
        )
    with written_whole(path) as part:
        save_file(pack(values), part, {"format": _FORMAT, "source": source})
    return Path(path)


class PseudoLabels(BatchDataset):
    """A folder of pseudo-labelled pictures, in the order of their names.

    Args:
        folder: Files of ``write_pseudo_label``, also in folders inside it.
        keys: What to return: some of ``PSEUDO_LABEL_KEYS``, and shading, which follows from them.
        flip: Mirror half of them, others in each epoch.
        seed: Of the mirroring.

    Raises:
        UserError: There is no such file; when one is read: it is damaged, or of another size.
    """

    def __init__(
        self, folder: str | Path, keys: Sequence[str] = PSEUDO_LABEL_KEYS, flip: bool = False, seed: int = 0
    ) -> None:
        self.folder, self.keys, self.flip, self.seed = Path(folder).expanduser(), tuple(keys), flip, seed
        self.files = sorted(path for path in self.folder.rglob("*.safetensors") if not path.name.startswith("."))
        if not self.files:
            raise UserError(
                f"no pseudo-labels lie in {self.folder}. Write them with the callback datamodules.PseudoLabelWriter "
                "while a trained model predicts a folder of faces."
            )

    def __len__(self) -> int:
        return len(self.files)

    def batch(self, indices: Sequence[int]) -> dict[str, Any]:
        """The samples of these indices, collated."""
        rows = [self._read(self.files[epoch_and_sample(index, len(self))[1]]) for index in indices]
        sizes = {tuple(row["image"].shape) for row in rows}
        if len(sizes) > 1:
            raise UserError(
                f"the pseudo-labels in {self.folder} have several sizes, {sorted(sizes)}; keep one of them."
            )
        arrays = {key: torch.stack([row[key] for row in rows]).numpy() for key in PSEUDO_LABEL_KEYS}
        batch: dict[str, Any] = unpack(arrays, self.keys)
        return hflip(batch, flip_coins(self.seed, indices)) if self.flip else batch

    def _read(self, path: Path) -> dict[str, Tensor]:
        try:
            arrays = load_file(path)
        except (SafetensorError, OSError, ValueError) as problem:
            raise UserError(
                f"the pseudo-label {path} is damaged ({problem}). Remove it, or write it again."
            ) from problem
        lacking = [key for key in PSEUDO_LABEL_KEYS if key not in arrays]
        if lacking:
            raise UserError(f"{path} is no pseudo-label: it lacks {', '.join(lacking)}. Remove it from the folder.")
        return {key: torch.from_numpy(value) for key, value in arrays.items()}


class PseudoLabelWriter(BasePredictionWriter):
    """Writes what a model predicts for pictures of faces, one file a picture, as labels for ``SfSSupervision``.

    The batch needs ``image``; its ``mask`` is kept where it has one. Its ``name`` (a list of strings) names the files;
    without one they are numbered as in the data set.

    Args:
        folder: Where to write.
    """

    def __init__(self, folder: str) -> None:
        super().__init__(write_interval="batch")
        self.folder = Path(folder).expanduser()

    def write_on_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        prediction: Any,
        batch_indices: Sequence[int] | None,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int,
    ) -> None:
        """Write the files of one batch."""
        image = batch["image"]
        mask = batch.get("mask", torch.ones_like(image[:, :1]))
        names = batch.get("name") or [f"{index:06d}" for index in batch_indices or ()]
        for i, name in zip(range(len(image)), names, strict=True):
            sample = {
                "image": image[i],
                "mask": mask[i],
                **{k: prediction[k][i] for k in ("albedo", "normal", "light")},
            }
            write_pseudo_label(self.folder / f"{Path(name).with_suffix('')}.safetensors", sample, name)
