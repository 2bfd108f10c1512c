"""What data modules share that make their pictures themselves: once, kept on disk, or anew on the training device."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import torch

from datamodules.base import ZooDataModule

__all__ = ["SPLIT_NAMES", "RenderedDataModule"]

SPLIT_NAMES = {"train": "training", "val": "validation", "test": "test"}
"""Splits as people call them."""


class RenderedDataModule(ZooDataModule):
    """A data module that renders.

    Args:
        batch_size: Samples in a batch, on each device.
        num_workers: Processes that load; 0 loads in the main one.
        seed: Of the samples, the order and the augmentation.
        cache: Keep what is rendered on disk.
        on_the_fly: Render new training samples in every epoch, on the training device; nothing is kept.
    """

    def __init__(self, batch_size: int, num_workers: int, seed: int, cache: bool, on_the_fly: bool) -> None:
        super().__init__(batch_size, num_workers, seed)
        self.cache, self.on_the_fly = cache and not on_the_fly, on_the_fly

    def prepare_data(self) -> None:
        """Render what is not yet on disk. Lightning calls it on one rank a node."""
        if not self.cache:
            return
        function = self.trainer.state.fn.value if self.trainer and self.trainer.state.fn else "fit"
        for split in {"validate": ["val"], "test": ["test"], "predict": ["test"]}.get(function, list(SPLIT_NAMES)):
            self._arrays(split)

    @abstractmethod
    def _arrays(self, split: str) -> Any:
        """The samples of a split on disk; rendered if they are not there."""

    def _options(self) -> dict[str, Any]:
        options = super()._options()
        if self.on_the_fly:  # what is rendered on the training device is rendered in its process
            options |= {"num_workers": 0, "persistent_workers": False, "pin_memory": False}
        return options

    def _device(self) -> torch.device:
        if self.trainer is not None:
            return self.trainer.strategy.root_device
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
