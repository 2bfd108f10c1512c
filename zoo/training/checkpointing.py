"""Checkpoints that are whole or not there, and from which training goes on as if it had never stopped."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import torch
from lightning_fabric.plugins.io.torch_io import TorchCheckpointIO
from lightning_fabric.utilities.types import _PATH
from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.callbacks import Checkpoint

from zoo.errors import UserError, ZooError
from zoo.files import written_whole
from zoo.runs import Run

__all__ = ["LastCheckpoint", "WholeFiles"]


class WholeFiles(TorchCheckpointIO):
    """Writes a checkpoint beside its place and moves it there, so that a kill or a full disk leaves the earlier one."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: _PATH, storage_options: Any | None = None) -> None:
        """Write a checkpoint.

        Raises:
            ZooError: The disk is full or the folder cannot be written to; earlier checkpoints are intact.
        """
        try:
            with written_whole(path) as part, part.open("wb") as file:
                try:
                    torch.save(checkpoint, file)
                    file.flush()
                except RuntimeError as error:  # PyTorch's own name for a write that came up short
                    raise _cause(error) from error
        except UserError as error:
            raise ZooError(f"the checkpoint was not saved, earlier ones are intact: {error}") from error


class LastCheckpoint(Checkpoint):
    """Keeps ``last.ckpt``: after every validation, at the end, and whenever ``save`` is called.

    The states of the random generators go into it, so that a run that was killed and resumed sees the same shuffles and
    augmentations as one that was not.

    Args:
        run: The run whose checkpoint it is.
    """

    def __init__(self, run: Run) -> None:
        super().__init__()
        self.run = run
        self.saved_step = -1
        self._generators: dict[str, Any] | None = None

    def save(self, trainer: Trainer) -> None:
        """Save now; all ranks must call it."""
        if trainer.global_step == self.saved_step or getattr(trainer, "fast_dev_run", False):
            return
        trainer.save_checkpoint(self.run.last)
        self.saved_step = trainer.global_step

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Save after a validation during training."""
        if trainer.state.fn == "fit" and not trainer.sanity_checking:
            self.save(trainer)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Save after an epoch where there is nothing to validate on."""
        if not trainer.enable_validation:
            self.save(trainer)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Save where training ended between two validations."""
        self.save(trainer)

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Put the generators' states into the checkpoint, as plain types."""
        checkpoint["random_generators"] = _generator_states()

    def on_load_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Take the generators' states from the checkpoint that training goes on from."""
        self._generators = checkpoint.get("random_generators")
        if self._generators and trainer.world_size == 1:
            _set_generators(self._generators)

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Set the states once more: making loaders and validating draw from the generators after a resume."""
        if self._generators and trainer.world_size == 1:
            _set_generators(self._generators)
        self._generators = None


def _cause(error: BaseException) -> OSError:
    """What the disk said, behind what PyTorch made of it."""
    behind = error.__context__
    return behind if isinstance(behind, OSError) else OSError(str(error).splitlines()[0])


def _generator_states() -> dict[str, Any]:
    version, internal, gauss = random.getstate()
    kind, keys, position, has_gauss, cached = np.random.get_state(legacy=True)
    return {
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
        "python": [version, list(internal), gauss],
        "numpy": [
            str(kind),
            torch.from_numpy(np.asarray(keys).astype(np.int64)),
            int(position),
            int(has_gauss),
            float(cached),
        ],
    }


def _set_generators(states: dict[str, Any]) -> None:
    torch.set_rng_state(states["torch"])
    if len(states["cuda"]) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all(states["cuda"])
    version, internal, gauss = states["python"]
    random.setstate((version, tuple(internal), gauss))
    kind, keys, position, has_gauss, cached = states["numpy"]
    np.random.set_state((kind, keys.numpy().astype(np.uint32), position, has_gauss, cached))
