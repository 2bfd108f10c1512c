"""Trains a tiny SfSNet on one or two processes and writes what came out; ``test_ddp.py`` starts it."""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from pytorch_lightning import Trainer, seed_everything
from torch import nn

from datamodules import ProceduralFaces
from lightning_modules.sfsnet.module import SfSNet


def without_batch_statistics(model: SfSNet) -> SfSNet:
    """Batch normalisation sees its own process's samples alone, so it is left out of the comparison."""
    for name, layer in list(model.named_modules()):
        if isinstance(layer, nn.BatchNorm2d):
            parent, _, child = name.rpartition(".")
            setattr(model.get_submodule(parent), child, nn.Identity())
    return model


def main(devices: int, output: Path) -> None:
    seed_everything(0, verbose=False)
    model = without_batch_statistics(SfSNet(width=2, lr=1e-3))
    data = ProceduralFaces(size=32, train=16, val=4, test=8, batch_size=4 // devices, occluders=0.0)
    trainer = Trainer(
        accelerator="cpu",
        devices=devices,
        strategy="ddp" if devices > 1 else "auto",
        max_epochs=2,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(model, data)
    metrics = trainer.test(model, data, verbose=False)[0]
    if trainer.is_global_zero:
        weights = {name: value.detach() for name, value in model.named_parameters()}
        torch.save({"weights": weights, "metrics": metrics, "steps": trainer.global_step}, output)


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
