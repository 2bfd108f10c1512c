"""Ctrl-C during training: finish the step, save, stop."""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType
from typing import Any

from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.callbacks import Callback
from pytorch_lightning.utilities.exceptions import SIGTERMException

from zoo.runs import is_main_process
from zoo.training.checkpointing import LastCheckpoint

__all__ = ["Interrupted", "StopOnInterrupt"]

_AGREE_EVERY = 10
"""Steps between two questions to the other ranks whether one of them was interrupted."""


class Interrupted(Exception):
    """Training was stopped by a person or by the cluster, and its state is saved."""


class StopOnInterrupt(Callback):
    """Turns the first Ctrl-C into a checkpoint at the end of the step; the second stops at once.

    The handler is there before the loaders' worker processes start, so that they do not die of the same Ctrl-C.

    Args:
        checkpoint: Saves the state.
    """

    def __init__(self, checkpoint: LastCheckpoint) -> None:
        self.checkpoint = checkpoint
        self.requested = False
        self.process = os.getpid()
        self._training = False
        self._in_step = False
        self._previous: Any = None

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Begin to listen."""
        if stage == "fit":
            self._previous = signal.signal(signal.SIGINT, self._handle)

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Give Ctrl-C back."""
        self._training = False
        if self._previous is not None:
            signal.signal(signal.SIGINT, self._previous)
            self._previous = None

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """From here on there is something to save."""
        self._training = True

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        """Until the step ends, the state is not one to go on from."""
        self._in_step = True

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Stop if it was asked for."""
        self._in_step = False
        if trainer.world_size == 1:
            stop = self.requested
        else:
            stop = batch_idx % _AGREE_EVERY == 0 and trainer.strategy.reduce_boolean_decision(self.requested, all=False)
        if stop:
            self.checkpoint.save(trainer)
            raise Interrupted

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Stop if it was asked for; the checkpoint of this validation is saved by itself at the end of the epoch."""
        if self._training and self.requested and trainer.world_size == 1:
            self.checkpoint.save(trainer)
            raise Interrupted

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Save when the cluster ends the job, or when Ctrl-C ended a worker between two steps."""
        if isinstance(exception, Interrupted):
            return
        wished = self.requested or isinstance(exception, SIGTERMException)
        if wished and self._training and not self._in_step:
            self.checkpoint.save(trainer)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if os.getpid() != self.process:  # a worker process of a loader: the main process ends it
            return
        if self.requested or not self._training:
            raise KeyboardInterrupt
        self.requested = True
        if is_main_process():
            print("\nStopping after this step to save a checkpoint; Ctrl-C once more stops at once.", file=sys.stderr)
