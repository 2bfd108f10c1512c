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

    def _get_train_description(self, current_epoch: int) -> str:
        """Lightning counts from 0, and says ``1/-2`` where training ends by steps."""
        last = self.trainer.max_epochs
        epoch = f"Epoch {current_epoch + 1}" + (f"/{last}" if last is not None and last > 0 else "")
        return f"{epoch:<{len(self.validation_description)}}"
