"""Panels: what the model sees, as a PNG in the run's folder and in W&B after every validation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.callbacks import Callback
from pytorch_lightning.loggers import WandbLogger
from torch import Tensor

from lightning_modules.base import ZooModule
from zoo.imaging import panel, write_image
from zoo.runs import Run

__all__ = ["PanelWriter"]

_ROWS = 6


class PanelWriter(Callback):
    """Draws the first samples of the first validation and test batch through ``module.panels``.

    Args:
        run: The run whose folder receives the pictures.
    """

    def __init__(self, run: Run) -> None:
        self.run = run
        self.latest: Path | None = None
        self._batch: dict[str, Any] | None = None

    def on_validation_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        """Remember the first batch."""
        self._remember(trainer, batch, batch_idx, dataloader_idx)

    def on_test_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        """Remember the first batch."""
        self._remember(trainer, batch, batch_idx, dataloader_idx)

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Draw."""
        self._draw(trainer, pl_module, f"val-{trainer.global_step:07d}.png")

    def on_test_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Draw."""
        self._draw(trainer, pl_module, "test.png")

    def _remember(self, trainer: Trainer, batch: Any, batch_idx: int, dataloader_idx: int) -> None:
        if batch_idx == dataloader_idx == 0 and trainer.is_global_zero and isinstance(batch, dict):
            self._batch = {key: value[:_ROWS] if isinstance(value, Tensor) else value for key, value in batch.items()}

    @torch.no_grad()
    def _draw(self, trainer: Trainer, pl_module: LightningModule, name: str) -> None:
        batch, self._batch = self._batch, None
        if batch is None or trainer.sanity_checking or not isinstance(pl_module, ZooModule):
            return
        columns = pl_module.panels(pl_module(batch["image"]), batch)
        self.latest = self.run.panels / name
        write_image(self.latest, panel(columns))
        for logger in trainer.loggers:
            if isinstance(logger, WandbLogger):
                logger.log_image(f"panels/{name.partition('-')[0].removesuffix('.png')}", [str(self.latest)])
