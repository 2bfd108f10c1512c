"""The progress bar: Lightning's rich one without the loggers' version numbers."""

from __future__ import annotations

from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.callbacks import RichProgressBar
from pytorch_lightning.callbacks.progress.rich_progress import RichProgressBarTheme

__all__ = ["Progress"]


class Progress(RichProgressBar):
    """Epoch, speed, losses in four digits; nothing that is in the run's folder name already."""

    def __init__(self) -> None:
        super().__init__(theme=RichProgressBarTheme(metrics_format=".4g"))

    def get_metrics(
        self, trainer: Trainer, pl_module: LightningModule
    ) -> dict[str, int | str | float | dict[str, float]]:
        """What stands beside the bar."""
        items = super().get_metrics(trainer, pl_module)
        items.pop("v_num", None)
        return items
