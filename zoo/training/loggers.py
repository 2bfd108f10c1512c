"""Where figures go while a model trains: a CSV file always, W&B unless it is not wanted; never a question."""

from __future__ import annotations

import csv
import hashlib
import os
import platform
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lightning_fabric.utilities.rank_zero import rank_zero_only
from pytorch_lightning.loggers import Logger

from zoo.files import written_whole
from zoo.runs import Run
from zoo.wandb_mode import wandb_mode

__all__ = ["MetricsFile", "finish_wandb", "make_loggers"]


def make_loggers(wished: str, run: Run, model: str) -> list[Logger]:
    """The loggers of a run.

    Args:
        wished: ``wandb`` (and CSV), ``csv`` or ``none``.
        run: The run that is logged.
        model: The model's name, by which W&B groups.
    """
    loggers: list[Logger] = [] if wished == "none" else [MetricsFile(run.folder / "metrics.csv")]
    mode = wandb_mode()
    if wished == "wandb" and mode in ("online", "offline"):
        from pytorch_lightning.loggers import WandbLogger

        os.environ.setdefault("WANDB_SILENT", "true")
        os.environ.setdefault("WANDB_CONSOLE", "off")
        logger = WandbLogger(
            project=os.environ.get("WANDB_PROJECT", "prior-zoo"),
            name=_run_name(run, model),
            group=model,
            id=_run_id(run),
            save_dir=str(run.folder),
            offline=mode == "offline",
        )
        logger._wandb_init.pop("anonymous", None)  # Lightning passes it on, and W&B warns that it is no more
        loggers.append(logger)
    return loggers


def finish_wandb() -> None:
    """End the W&B run of this process, if there is one, so that the next stage begins its own."""
    wandb = sys.modules.get("wandb")
    if wandb is not None and wandb.run is not None:
        wandb.finish()


def _run_name(run: Run, model: str) -> str:
    """``sfsnet 2026-01-31_12-00-00``, and the stage after it where the run is one of a recipe."""
    above, name = run.folder.parts[-2:] if len(run.folder.parts) > 1 else ("", run.folder.name)
    return f"{model} {above} {name}" if Run(run.folder.parent).command.is_file() else f"{model} {name}"


def _run_id(run: Run) -> str:
    """One id for one folder on one machine, so that a resumed run goes on with the same curves."""
    place = f"{platform.node()}:{run.folder.resolve()}"
    return hashlib.sha256(place.encode()).hexdigest()[:12]


class MetricsFile(Logger):
    """``metrics.csv``: one row a step, every figure a column, appended to when a run is resumed.

    Lightning's own CSV logger empties its file when a run goes on in the same folder.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self._rows: list[dict[str, Any]] = []
        self._columns: list[str] = []

    @property
    def name(self) -> str:
        """What Lightning calls the logger."""
        return "metrics"

    @property
    def version(self) -> None:
        """None: the run's folder has the time in its name, and the progress bar need not repeat it."""

    @property
    def save_dir(self) -> str:
        """The run's folder."""
        return str(self.path.parent)

    @rank_zero_only
    def log_hyperparams(self, params: Any, *args: Any, **kwargs: Any) -> None:
        """Nothing: the run's ``config.yaml`` holds them."""

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Add figures of a step."""
        if self._rows and self._rows[-1]["step"] == step:
            self._rows[-1].update(metrics)
        else:
            self._rows.append({"step": step, **metrics})
        if len(self._rows) > 100:
            self.save()

    @rank_zero_only
    def save(self) -> None:
        """Append what has come since the last time; new columns make the file be written anew."""
        rows, self._rows = self._rows, []
        if not rows:
            return
        earlier: list[dict[str, Any]] = []
        if self.path.exists() and not set().union(*rows) <= set(self._columns):
            with self.path.open(newline="") as file:
                earlier = list(csv.DictReader(file))
            if not self._columns:  # a resumed run repeats the steps after its last checkpoint
                earlier = [row for row in earlier if int(row["step"] or 0) < int(rows[0]["step"] or 0)]
            self._columns = []
        if self._columns:
            with self.path.open("a", newline="") as file:
                csv.DictWriter(file, self._columns, restval="").writerows(rows)
            return
        self._columns = list(dict.fromkeys(key for row in [*earlier, *rows] for key in row))
        with written_whole(self.path) as part, part.open("w", newline="") as file:
            writer = csv.DictWriter(file, self._columns, restval="")
            writer.writeheader()
            writer.writerows([*earlier, *rows])

    @rank_zero_only
    def finalize(self, status: str) -> None:
        """Write the rest."""
        self.save()
