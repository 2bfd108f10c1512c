"""A training that only remembers which batches it was given, for tests of their order and of restarts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from pytorch_lightning import LightningDataModule, LightningModule, Trainer
from pytorch_lightning.callbacks import ModelCheckpoint


class Recorder(LightningModule):
    """Keeps every batch as its names and numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, list[Any]]] = []
        self.weight = torch.nn.Parameter(torch.zeros(1))

    def training_step(self, batch: dict[str, torch.Tensor], batch_idx: int) -> torch.Tensor:
        self.seen += [(name, value.tolist()) for name, value in batch.items()]
        return self.weight.sum()

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), 0.1)


def fit(module: Recorder, data: LightningDataModule, folder: Path, checkpoint: Path | None = None) -> None:
    """Three epochs with a checkpoint after every step, from ``checkpoint`` on where one is given."""
    trainer = Trainer(
        max_epochs=3,
        accelerator="cpu",
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=folder,
        callbacks=[ModelCheckpoint(folder, every_n_train_steps=1, save_top_k=-1)],
    )
    trainer.fit(module, data, ckpt_path=checkpoint, weights_only=True)
