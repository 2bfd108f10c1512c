"""The joint stage of SfS-supervision: labelled synthetic faces and pseudo-labelled real ones in the same batches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from datamodules.base import BatchDataset, ZooDataModule
from datamodules.loader import epoch_and_sample
from datamodules.pseudo_labels import PseudoLabels
from zoo.errors import UserError

__all__ = ["SfSSupervision"]

_KEYS = ("image", "albedo", "shading", "normal", "light", "mask")


class SfSSupervision(ZooDataModule):
    """Mixes labelled faces with a folder of pseudo-labels; ``is_real`` (B,) tells them apart, 1 for real.

    An epoch has every synthetic sample once and as many real ones as the share asks for, from the beginning again if
    there are too few. Validation and test are those of the synthetic data.

    Args:
        synthetic: Labelled faces, such as ProceduralFaces or SfSNetSynthetic, of the same size.
        pseudo_labels: The folder that PseudoLabelWriter wrote.
        real_share: Share of real samples, between 0 and 1.
        batch_size: Samples in a batch, on each device.
        num_workers: Processes that load; 0 loads in the main one.
        seed: Of order and augmentation.
        flip: Mirror half of the real samples, others in each epoch; the synthetic data module decides for its own.

    Raises:
        UserError: The share is not between 0 and 1, there are no pseudo-labels, or sizes differ.

    Source: Sengupta et al., SfSNet, CVPR 2018, section on training with real images.
    """

    def __init__(
        self,
        synthetic: ZooDataModule,
        pseudo_labels: str,
        real_share: float = 0.5,
        batch_size: int = 16,
        num_workers: int = 0,
        seed: int = 0,
        flip: bool = True,
    ) -> None:
        super().__init__(batch_size, num_workers, seed)
        if not 0 < real_share < 1:
            raise UserError(f"real_share is {real_share}; it must lie between 0 and 1.")
        self.synthetic, self.pseudo_labels, self.real_share, self.flip = synthetic, pseudo_labels, real_share, flip

    def prepare_data(self) -> None:
        """Make the synthetic data ready."""
        self.synthetic.prepare_data()

    def dataset(self, split: str) -> BatchDataset:
        """The mixture for ``train``; the synthetic data for the other splits."""
        data = self.synthetic.split(split)
        assert isinstance(data, BatchDataset)
        if split != "train":
            return data
        return _Mixed(data, PseudoLabels(self.pseudo_labels, _KEYS, self.flip, self.seed), self.real_share)


class _Mixed(BatchDataset):
    def __init__(self, synthetic: BatchDataset, real: BatchDataset, real_share: float) -> None:
        self.synthetic, self.real = synthetic, real
        self.real_count = max(1, round(len(synthetic) * real_share / (1 - real_share)))
        sizes = [tuple(data[0]["image"].shape[-2:]) for data in (synthetic, real)]
        if sizes[0] != sizes[1]:
            raise UserError(
                f"the synthetic faces have {sizes[0][0]} x {sizes[0][1]} pixels and the pseudo-labels {sizes[1][0]} x "
                f"{sizes[1][1]}; make both with the same size."
            )

    def __len__(self) -> int:
        return len(self.synthetic) + self.real_count

    def batch(self, indices: Sequence[int]) -> dict[str, Any]:
        """Both kinds, in the order of the indices."""
        synthetic, real, order = [], [], []
        for place, index in enumerate(indices):
            epoch, sample = epoch_and_sample(index, len(self))
            if sample < len(self.synthetic):
                synthetic.append((place, epoch * len(self.synthetic) + sample))
            else:
                # counting on through the epochs, a small share of many real faces gets round to all of them
                real.append((place, epoch * self.real_count + sample - len(self.synthetic)))
        parts = []
        for data, members, is_real in ((self.synthetic, synthetic, 0.0), (self.real, real, 1.0)):
            if members:
                part = data.batch([index for _, index in members])
                parts.append({**{key: part[key] for key in _KEYS}, "is_real": torch.full((len(members),), is_real)})
                order += [place for place, _ in members]
        back = torch.tensor(order).argsort()
        device = parts[0]["image"].device
        return {key: torch.cat([part[key].to(device) for part in parts])[back] for key in (*_KEYS, "is_real")}
