"""Where a run lives: ``runs/<model>/<time>`` with its configuration, checkpoints, metrics and pictures."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import yaml

from zoo.cards import read_yaml
from zoo.errors import UserError
from zoo.files import written_whole

__all__ = ["VARIABLE", "Run", "find_run", "is_main_process", "new_run", "newest_checkpoint"]

VARIABLE = "ZOO_RUN"
"""Names the run's folder to processes that Lightning starts, and to YAML files as ``${oc.env:ZOO_RUN}``."""


@dataclass(frozen=True)
class Run:
    """A run's folder, and what lies where in it.

    Args:
        folder: The run's own folder.
    """

    folder: Path

    @property
    def config(self) -> Path:
        """The configuration after all flags; ``--config`` takes it."""
        return self.folder / "config.yaml"

    @property
    def checkpoints(self) -> Path:
        """The folder of checkpoints."""
        return self.folder / "checkpoints"

    @property
    def last(self) -> Path:
        """Where training stood: what resuming starts from."""
        return self.checkpoints / "last.ckpt"

    @property
    def best(self) -> Path:
        """The checkpoint with the least validation loss."""
        return self.checkpoints / "best.ckpt"

    @property
    def panels(self) -> Path:
        """The folder of pictures."""
        return self.folder / "panels"

    @property
    def trained(self) -> Path | None:
        """The checkpoint to use: the best, else the last, else None."""
        return next((path for path in (self.best, self.last) if path.is_file()), None)

    @property
    def command(self) -> Path:
        """The command that began the run, without its verb."""
        return self.folder / "command.yaml"

    def stage(self, name: str) -> Run:
        """The run of one stage, in a folder of this one."""
        return Run(self.folder / name)

    def write_command(self, arguments: Sequence[str]) -> None:
        """Keep the command, so that ``--resume`` can repeat it."""
        if not is_main_process():
            return
        with written_whole(self.command) as part:
            part.write_text(yaml.safe_dump({"arguments": list(arguments)}), encoding="utf-8")

    def read_command(self) -> list[str]:
        """The command that was kept."""
        return list(read_yaml(self.command)["arguments"])

    def remove_if_unused(self) -> None:
        """Take the folder away again when a command ended before it wrote anything worth keeping."""
        if not is_main_process():
            return
        if {path.name for path in self.folder.glob("**/*") if path.is_file()} <= {self.command.name, self.config.name}:
            shutil.rmtree(self.folder, ignore_errors=True)

    def mark_done(self) -> None:
        """Say that this stage has ended."""
        (self.folder / "done").touch()

    @property
    def done(self) -> bool:
        """Whether this stage has ended."""
        return (self.folder / "done").exists()


def new_run(model: str, folder: Path | None = None, suffix: str = "") -> Run:
    """Make the folder of a new run, or take the one that this process was started for.

    Args:
        model: The model's name.
        folder: The folder to use; by default ``runs/<model>/<time>`` here.
        suffix: Goes after the time.

    Raises:
        UserError: The folder cannot be made, or holds another run's checkpoints.
    """
    inherited = os.environ.get(VARIABLE)
    if inherited and os.environ.get("LOCAL_RANK", "0") != "0":  # Lightning started this process
        return Run(Path(inherited))
    if folder is not None:
        run = Run(folder)
        if is_main_process() and (run.last.exists() or run.command.exists()):
            raise UserError(
                f"{folder} holds a run already; go on with it by --resume {folder}, or name another folder."
            )
    else:
        folder = _free(Path("runs") / model / f"{_name()}{suffix}")
        run = Run(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"cannot make the run's folder {folder}: {error.strerror}; give another by --run.") from error
    return run


def find_run(model: str, name: str) -> Run:
    """The run to go on with.

    Args:
        model: The model's name, for ``last``.
        name: A run's folder, a checkpoint in it, or ``last`` for the newest run of the model here.

    Raises:
        UserError: There is no such run.
    """
    if name == "last":
        folders = [path.parent for path in (Path("runs") / model).glob("*/command.yaml")]
        if not folders:
            raise UserError(f"there is no run of {model} under {Path('runs') / model} to go on with.")
        return Run(max(folders, key=lambda path: path.name))
    path = Path(name)
    if path.suffix == ".ckpt":
        path = path.parent.parent
    run = Run(path)
    if not path.is_dir():
        raise UserError(f"there is no run at {path}; --resume takes a run's folder, runs/<model>/<time>, or last.")
    if not run.command.is_file():
        raise UserError(
            f"{path} is no run's folder (there is no command.yaml); --resume takes runs/<model>/<time>, or last."
        )
    return run


def newest_checkpoint(model: str, which: str) -> Path:
    """``best.ckpt`` or ``last.ckpt`` of the newest run of a model here, of its last stage where it has several.

    Raises:
        UserError: There is none.
    """
    found = [path for path in (Path("runs") / model).glob(f"**/checkpoints/{which}.ckpt") if path.is_file()]
    if not found:
        raise UserError(f"there is no {which}.ckpt under {Path('runs') / model}; give the path of a checkpoint.")
    return max(found, key=lambda path: path.parts)


def is_main_process() -> bool:
    """Whether this process is the first of all that train together, as far as can be told before they meet."""
    ranks = (os.environ.get(name, "0") for name in ("RANK", "LOCAL_RANK", "SLURM_PROCID", "NODE_RANK"))
    return all(rank == "0" for rank in ranks)


def _name() -> str:
    """The time; for processes that a cluster started apart, something that all of them see alike."""
    now = datetime.now()
    if int(os.environ.get("SLURM_NTASKS", "1")) > 1 and "SLURM_JOB_ID" in os.environ:
        return f"slurm-{os.environ['SLURM_JOB_ID']}"
    if int(os.environ.get("WORLD_SIZE", "1")) > 1 and "TORCHELASTIC_RUN_ID" in os.environ:
        if os.environ["TORCHELASTIC_RUN_ID"] != "none":
            return f"torchrun-{os.environ['TORCHELASTIC_RUN_ID']}"
        launcher = Path("/proc") / str(os.getppid())
        if not launcher.exists() or int(os.environ.get("GROUP_WORLD_SIZE", "1")) > 1:
            raise UserError(
                "several machines must agree on the run's folder: --run FOLDER, or torchrun --rdzv-id NAME."
            )
        now = datetime.fromtimestamp(launcher.stat().st_ctime)
    return now.strftime("%Y-%m-%d_%H-%M-%S")


def _free(folder: Path) -> Path:
    """The folder, or one numbered after it when a run of the same second has it."""
    if int(os.environ.get("WORLD_SIZE", "1")) > 1 or int(os.environ.get("SLURM_NTASKS", "1")) > 1:
        return folder  # all processes take the same one
    candidate, number = folder, 2
    while candidate.exists():
        candidate, number = folder.with_name(f"{folder.name}-{number}"), number + 1
    return candidate
