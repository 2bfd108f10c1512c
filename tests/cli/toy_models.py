"""A model that learns in seconds and its data, so that the command line is tested without a paper's weight."""

from __future__ import annotations

import time
from pathlib import Path
from typing import ClassVar

import torch
from pytorch_lightning import LightningDataModule
from pytorch_lightning.callbacks import BasePredictionWriter
from torch.utils.data import DataLoader, Dataset
from torchmetrics import MeanAbsoluteError, MetricCollection

from lightning_modules.base import ZooModule
from zoo.metrics import Keyed


class Toy(ZooModule):
    """Guesses albedo pixel by pixel.

    Args:
        width: Channels.
        lr: Learning rate.
        pause: Seconds that each training step takes longer.
    """

    card_name: ClassVar[str] = "toy"

    def __init__(self, width: int = 4, lr: float = 1e-2, pause: float = 0.0) -> None:
        super().__init__({"albedo": 1.0}, lr)
        self.save_hyperparameters()
        self.pause = pause
        self.net = torch.nn.Sequential(torch.nn.Conv2d(3, width, 1), torch.nn.ReLU(), torch.nn.Conv2d(width, 3, 1))

    def forward(self, image):
        return {"albedo": self.net(image).clamp_min(0)}

    def losses(self, prediction, batch):
        if self.training:
            time.sleep(self.pause)
        return {"albedo": (prediction["albedo"] - batch["albedo"]).abs().mean()}

    def metrics(self):
        return MetricCollection({"albedo_error": Keyed(MeanAbsoluteError(), "albedo", mask=None)})

    def panels(self, prediction, batch):
        return {"image": batch["image"], "albedo": prediction["albedo"].clamp(0, 1)}

    def views(self, prediction):
        return {"half light": prediction["albedo"].clamp(0, 1) / 2}

    def write(self, found, folder):
        if self.pause == 0:
            return []
        size = folder / "size.txt"
        size.write_text("{}x{}".format(*found.photo.shape[1:]))
        return [size]

    def baselines(self, data):
        return {"grey": Grey(), "dark grey": Grey(0.1)}


class Grey:
    """Says one value whatever it is shown."""

    def __init__(self, value=0.25) -> None:
        self.value = value

    def predict(self, batch):
        return {"albedo": torch.full_like(batch["albedo"], self.value)}


class Noise(Dataset):
    """Pictures from a seed; those for training are disturbed anew in each epoch, by the global generator."""

    def __init__(self, count: int, disturbed: bool) -> None:
        self.count, self.disturbed = count, disturbed

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        image = torch.rand(3, 16, 16, generator=torch.Generator().manual_seed(index))
        albedo = image.flip(0) / 2
        if self.disturbed:
            image = (image + 0.05 * torch.randn(3, 16, 16)).clamp(0, 1)
        return {"image": image, "albedo": albedo, "mask": torch.ones(1, 16, 16)}


class ToyData(LightningDataModule):
    """Noise.

    Args:
        train: Training samples.
        batch_size: Samples in a batch.
        num_workers: Loading processes.
    """

    def __init__(self, train: int = 32, batch_size: int = 8, num_workers: int = 0) -> None:
        super().__init__()
        self.train, self.batch_size, self.num_workers = train, batch_size, num_workers

    def train_dataloader(self):
        data = Noise(self.train, True)
        return DataLoader(data, batch_size=self.batch_size, shuffle=True, num_workers=self.num_workers)

    def val_dataloader(self):
        return DataLoader(Noise(8, False), batch_size=self.batch_size)

    def test_dataloader(self):
        return self.val_dataloader()

    def predict_dataloader(self):
        return self.val_dataloader()


class LabelledData(ToyData):
    """Noise whose labels a model wrote.

    Args:
        labels: The folder of labels.
        train: Training samples.
    """

    def __init__(self, labels: str, train: int = 32) -> None:
        super().__init__(train)
        self.labels = Path(labels)

    def setup(self, stage):
        assert list(self.labels.glob("*.pt")), f"no labels in {self.labels}"


class LabelWriter(BasePredictionWriter):
    """Writes predictions, batch by batch.

    Args:
        folder: Where to.
    """

    def __init__(self, folder: str) -> None:
        super().__init__("batch")
        self.folder = Path(folder)

    def write_on_batch_end(self, trainer, pl_module, prediction, batch_indices, batch, batch_idx, dataloader_idx):
        self.folder.mkdir(exist_ok=True)
        torch.save(prediction, self.folder / f"{batch_idx}.pt")
