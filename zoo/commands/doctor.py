"""``zoo doctor``: what is installed, what is missing, and what to do about it."""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from zoo.commands.arguments import Arguments
from zoo.files import human_bytes
from zoo.home import zoo_home

__all__ = ["main"]

_NEEDED = ("torch", "torchvision", "pytorch-lightning", "jsonargparse", "omegaconf", "torchmetrics", "timm", "kornia")
_EXPORT = ("onnx", "onnxscript", "onnxruntime")
_ROOM = 5 * 10**9


@dataclass(frozen=True)
class Finding:
    """One line of the report.

    Args:
        what: What was looked at.
        state: What was found.
        todo: What to do about it; empty where all is well.
        broken: Whether the zoo does not work without it.
    """

    what: str
    state: str
    todo: str = ""
    broken: bool = False


def main(arguments: Sequence[str]) -> int:
    """Print the report; 1 when something that is needed is missing."""
    Arguments(
        "doctor", "What is installed, what is missing, and what to do about it.", "  python -m zoo doctor"
    ).parse_args(arguments)
    findings = list(_examine())
    width = max(len(each.what) for each in findings)
    for each in findings:
        mark = "✗" if each.broken else "!" if each.todo else "✓"
        print(f"{mark} {each.what:<{width}}  {each.state}")
        if each.todo:
            print(f"  {'':<{width}}  -> {each.todo}")
    return 1 if any(each.broken for each in findings) else 0


def _examine() -> Iterator[Finding]:
    yield Finding("python", f"{platform.python_version()} on {platform.platform(terse=True)}")
    missing = [name for name in _NEEDED if _version(name) is None]
    present = ", ".join(f"{name} {_version(name)}" for name in _NEEDED if name not in missing)
    todo = f"pip install {' '.join(missing)}" if missing else ""
    yield Finding("packages", present or "none", todo, broken=bool(missing))
    yield from _lightning_twice()
    if "torch" not in missing:
        yield _device()
        yield _renderer()
    yield from _cache()
    yield _wandb()
    yield _export()
    yield _detector()


def _lightning_twice() -> Iterator[Finding]:
    if _version("lightning") is not None:
        todo = "pip uninstall lightning (the zoo imports pytorch_lightning; classes of the two do not mix)"
        yield Finding("lightning", f"{_version('lightning')} is installed beside pytorch-lightning", todo)


def _device() -> Finding:
    import torch

    if torch.cuda.is_available():
        name, memory = torch.cuda.get_device_name(), torch.cuda.get_device_properties(0).total_memory
        return Finding(
            "device", f"{torch.cuda.device_count()} x {name}, {human_bytes(memory)}, CUDA {torch.version.cuda}"
        )
    if torch.backends.mps.is_available():
        return Finding("device", "Apple GPU (mps)")
    built = f"torch is built for CUDA {torch.version.cuda}, but finds no GPU" if torch.version.cuda else "no GPU"
    return Finding("device", f"{torch.get_num_threads()} CPU threads; {built}")


def _renderer() -> Finding:
    if importlib.util.find_spec("pytorch3d") is not None:
        return Finding("renderer", f"pytorch3d {_version('pytorch3d') or ''} (auto takes it), torch")
    return Finding("renderer", "torch (pytorch3d is not installed; nothing needs it)")


def _cache() -> Iterator[Finding]:
    home = zoo_home()
    there = next(folder for folder in (home, *home.parents) if folder.exists())
    free = shutil.disk_usage(there).free
    used = sum(path.stat().st_size for path in home.rglob("*") if path.is_file()) if home.exists() else 0
    state = f"{home}: {human_bytes(used)} used, {human_bytes(free)} free"
    if not os.access(there, os.W_OK):
        yield Finding("cache", f"{home} cannot be written to", "set ZOO_HOME to a folder of yours", broken=True)
    elif free < _ROOM:
        yield Finding("cache", state, "make room, or set ZOO_HOME to a folder on a larger disk")
    else:
        yield Finding("cache", state)
    if not os.access(Path.cwd(), os.W_OK):
        yield Finding("this folder", f"{Path.cwd()} cannot be written to", "run from another, or fit with --run FOLDER")


def _wandb() -> Finding:
    from zoo.wandb_mode import wandb_mode

    mode = wandb_mode()
    states = {
        "online": "logged in: fit sends its runs",
        "offline": "offline: fit writes into its run's folder and asks nothing (wandb login, then wandb sync sends it)",
        "disabled": "off, by WANDB_MODE",
        "missing": "not installed: fit writes CSV alone",
    }
    return Finding("W&B", states[mode], "pip install wandb" if mode == "missing" else "")


def _export() -> Finding:
    missing = [name for name in _EXPORT if _version(name) is None]
    if missing:
        return Finding("export", f"pt2 works; onnx lacks {', '.join(missing)}", "pip install 'prior-zoo[export]'")
    return Finding("export", "pt2, " + ", ".join(f"{name} {_version(name)}" for name in _EXPORT))


def _detector() -> Finding:
    from zoo.faces.yunet import yunet_weights

    if yunet_weights().is_file():
        return Finding("face detector", "cascade, and YuNet's weights are there")
    return Finding("face detector", "cascade (--detector yunet fetches YuNet's weights once)")


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
