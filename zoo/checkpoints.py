"""Checkpoint files of every kind as plain tensors, read without running anything that is in them.

Ours are safetensors whose metadata name the model and its constructor arguments; Lightning's ``.ckpt`` says the
same in its hyper-parameters. Everything else is somebody's file: its tensors come out under the names they have
there, for a paper's ``convert.py`` to map.

Safetensors and HDF5 hold no code. Pickles (``.pth``, ``.ckpt``) may, so PyTorch's restricted unpickler reads them: a
global that is not on its list is refused by name before it is called.
"""

from __future__ import annotations

import json
import pickletools
import re
import struct
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from zoo.errors import UserError
from zoo.files import written_whole

__all__ = ["Checkpoint", "read_checkpoint", "save_weights", "training_only"]

_HDF5 = b"\x89HDF\r\n\x1a\n"
_ZIP = b"PK"
_LONGEST_HEADER = 100_000_000  # what the safetensors format allows, in bytes
_LARGEST_HALF = 6.0e4  # float16 ends at 65504
_STATE_KEYS = ("state_dict", "model_state_dict")
_PICKLE_SUFFIXES = (".pth", ".pt", ".ckpt", ".pkl", ".bin", ".tar", ".model")
_TENSOR_GLOBALS = (
    "torch",
    "torch._utils",
    "torch._tensor",
    "collections",
    "numpy",
    "numpy.core.multiarray",
    "numpy._core.multiarray",
)


@dataclass(frozen=True)
class Checkpoint:
    """What a file holds.

    Args:
        path: Where it was read.
        state: Tensors on the CPU, by name.
        model: The card's name, where the file says it (ours).
        class_path: The module's class, where the file says it (Lightning's).
        hparams: Constructor arguments, where the file has them.
    """

    path: Path
    state: dict[str, Tensor]
    model: str | None = None
    class_path: str | None = None
    hparams: dict[str, Any] = field(default_factory=dict)

    @property
    def ours(self) -> bool:
        """Whether the tensors have our names; if not, they are the authors' and need a paper's ``convert``."""
        return self.model is not None or self.class_path is not None


def training_only(module: nn.Module) -> tuple[str, ...]:
    """Prefixes of what a module needs to train but not to predict (discriminators, teachers), from its class.

    They stay out of saved weights and may be missing when weights are loaded.
    """
    return tuple(p if p.endswith(".") else f"{p}." for p in getattr(module, "training_only", ()))


def save_weights(
    module: nn.Module, path: str | Path, *, model: str | None = None, dtype: torch.dtype = torch.float16
) -> Path:
    """Write what a module needs to predict, with its name and constructor arguments, as one safetensors file.

    Tensors of two and more dimensions are stored as ``dtype``. Biases, normalisation statistics and whatever
    would overflow stay float32: they are small, and rounding them costs most.

    Args:
        module: A module whose ``hparams`` are its constructor arguments.
        path: The file to make; it appears whole or not at all.
        model: The card's name; by default the ``card_name`` of the module.
        dtype: ``torch.float16`` or ``torch.float32``.

    Returns:
        The path.

    Raises:
        UserError: A tensor is not finite, the arguments are no plain values, or the file cannot be written.
    """
    from safetensors.torch import save

    model = model or getattr(module, "card_name", None)
    if not isinstance(model, str):
        raise UserError(f"a {type(module).__name__} does not say which model it is; give model='name of the card'.")
    if dtype not in (torch.float16, torch.float32):
        raise UserError(f"weights are stored as float16 or float32, not {dtype}.")
    left_out = training_only(module)
    state = (
        {k: v for k, v in module.state_dict().items() if not k.startswith(left_out)}
        if left_out
        else (module.state_dict())
    )
    _check_finite(state, f"the weights of {model}")
    hparams = {k: v for k, v in dict(getattr(module, "hparams", {})).items() if not k.startswith("_")}
    try:
        arguments = json.dumps(hparams, sort_keys=True)
    except TypeError as error:
        raise UserError(f"the constructor arguments of {model} are not plain values ({error}).") from error
    tensors = {k: _stored(v, dtype) for k, v in state.items()}
    content = save(tensors, metadata={"model": model, "hparams": arguments})
    with written_whole(path) as part:
        part.write_bytes(content)
    return Path(path)


def _stored(value: Tensor, dtype: torch.dtype) -> Tensor:
    value = value.detach().cpu()
    if value.is_floating_point():
        fits = value.ndim >= 2 and value.numel() > 0 and float(value.abs().max()) < _LARGEST_HALF
        value = value.to(dtype if fits else torch.float32)
    return value.clone(memory_format=torch.contiguous_format)  # tied tensors must not share storage in the file


def read_checkpoint(path: str | Path) -> Checkpoint:
    """Read a file of weights, whatever it is: ours, Lightning's, PyTorch's, safetensors, or Caffe's HDF5.

    Args:
        path: The file.

    Returns:
        Its tensors (float32 where they were half precision) and what it says about itself.

    Raises:
        UserError: The file is missing, empty, cut short, no checkpoint, has code in it, or holds NaN.
    """
    path = Path(path).expanduser()
    head = _head(path)
    if _is_safetensors(head):  # first: their leading length may look like any other signature
        checkpoint = _read_safetensors(path)
    elif head.startswith(_HDF5):
        checkpoint = Checkpoint(path, _read_hdf5(path))
    elif head.startswith(_ZIP) or head[:1] == b"\x80":
        checkpoint = _read_pickle(path, zipped=head.startswith(_ZIP))
    elif path.suffix == ".safetensors":
        checkpoint = _read_safetensors(path)
    elif path.suffix in _PICKLE_SUFFIXES and not _what_else(head):  # the oldest protocol has no signature
        checkpoint = _read_pickle(path, zipped=False)
    else:
        raise UserError(f"{path} is no checkpoint (.safetensors, .ckpt, .pth or .h5){_what_else(head)}.")
    if not checkpoint.state and checkpoint.model is None:  # ours of a method without parameters holds its settings
        raise UserError(f"{path} holds no tensors; is it a checkpoint?")
    _check_finite(checkpoint.state, str(path))
    state = {k: v.float() if v.dtype in (torch.float16, torch.bfloat16) else v for k, v in checkpoint.state.items()}
    return Checkpoint(path, state, checkpoint.model, checkpoint.class_path, checkpoint.hparams)


def _head(path: Path) -> bytes:
    if not path.exists():
        raise UserError(f"there is no file {path}; check the path of the weights.")
    if path.is_dir():
        raise UserError(f"{path} is a folder; name the file of weights in it.")
    try:
        with path.open("rb") as file:
            head = file.read(64)
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}.") from error
    if not head:
        raise UserError(f"{path} is empty; fetch or save it again.")
    return head


def _is_safetensors(head: bytes) -> bool:
    return head[8:9] == b"{" and int.from_bytes(head[:8], "little") <= _LONGEST_HEADER


def _what_else(head: bytes) -> str:
    if head.lstrip()[:1] == b"<":
        return ": it is a web page, which some hosts send in place of a file; download it by hand"
    if head.startswith(b"version https://git-lfs"):
        return ": it is a git-lfs pointer; run `git lfs pull` where it comes from"
    return ""


def _cut_short(path: Path, kind: str) -> UserError:
    return UserError(
        f"{path} is cut short or damaged (it starts as {kind}, but cannot be read to its end); get it again."
    )


def _read_safetensors(path: Path) -> Checkpoint:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            state = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - a reader, not a dict
    except (SafetensorError, struct.error) as error:
        raise _cut_short(path, "safetensors") from error
    if "model" not in metadata:
        return Checkpoint(path, state)
    try:
        hparams = json.loads(metadata.get("hparams", "{}"))
    except json.JSONDecodeError as error:
        raise UserError(f"{path} names {metadata['model']}, but its constructor arguments are not JSON.") from error
    return Checkpoint(path, state, model=metadata["model"], hparams=hparams)


def _read_hdf5(path: Path) -> dict[str, Tensor]:
    import h5py

    state: dict[str, Tensor] = {}

    def take(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset) and item.dtype.kind in "fiu":
            state[name] = torch.from_numpy(item[()].reshape(item.shape))

    try:
        with h5py.File(path, "r") as file:
            file.visititems(take)  # follows neither external nor soft links
    except (OSError, RuntimeError, KeyError, TypeError, ValueError) as error:
        raise _cut_short(path, "HDF5") from error
    return state


def _read_pickle(path: Path, *, zipped: bool) -> Checkpoint:
    if zipped and not zipfile.is_zipfile(path):
        raise _cut_short(path, "a PyTorch file")
    if zipped and _is_program(path):
        raise UserError(
            f"{path} holds a program (TorchScript or torch.export), not weights; use the state dict's file."
        )
    try:
        with warnings.catch_warnings(), torch.serialization.safe_globals(_plain_containers()):
            warnings.simplefilter("ignore")  # about the pickle protocol
            content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # the unpickler raises whatever a damaged stream makes of it
        forbidden = _forbidden_global(path, str(error), zipped=zipped)
        if forbidden:
            raise UserError(
                f"{path} is a pickle with code in it: it wants to call {forbidden}. Nothing was run, nothing loaded; "
                "ask for the weights as safetensors, or save the tensors alone."
            ) from error
        raise _cut_short(path, "a PyTorch file") from error
    if isinstance(content, Mapping) and "pytorch-lightning_version" in content:
        hparams = dict(content.get("hyper_parameters") or {})
        hparams.pop("_instantiator", None)
        class_path = hparams.pop("_class_path", None)
        return Checkpoint(
            path, _tensors(content["state_dict"]), model=content.get("model"), class_path=class_path, hparams=hparams
        )
    if isinstance(content, Mapping):
        for key in _STATE_KEYS:
            if isinstance(content.get(key), Mapping):
                content = content[key]
                break
    return Checkpoint(path, _tensors(content))


def _is_program(path: Path) -> bool:
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
    return any(n.endswith(("constants.pkl", "archive_format")) or "/models/" in n for n in names)


def _plain_containers() -> list[Any]:
    """What authors' checkpoints carry beside tensors, and which runs no code: numpy values, argparse's results."""
    from argparse import Namespace

    import numpy as np
    from numpy._core import multiarray

    dtypes = [type(np.dtype(t)) for t in ("f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "?")]
    old_names = [(getattr(multiarray, n), f"numpy.core.multiarray.{n}") for n in ("_reconstruct", "scalar")]
    return [Namespace, np.ndarray, np.dtype, multiarray._reconstruct, multiarray.scalar, *old_names, *dtypes]


def _forbidden_global(path: Path, message: str, *, zipped: bool) -> str | None:
    """The function or class that a refused pickle wants: from the refusal, or else read off its opcodes."""
    found = re.search(r"GLOBAL ([\w.]+)", message)
    if found:
        return found[1]
    if zipped:
        with zipfile.ZipFile(path) as archive:
            name = next((n for n in archive.namelist() if n.endswith("data.pkl")), None)
            content = archive.read(name) if name else b""
    else:
        content = path.read_bytes()
    wanted = (name for name in _globals(content) if name.rpartition(".")[0] not in _TENSOR_GLOBALS)
    return next(wanted, None)


def _globals(content: bytes) -> Iterator[str]:
    """The globals that a pickle names, without running it."""
    strings: list[str] = []
    try:
        for opcode, argument, _ in pickletools.genops(content):
            if opcode.name in ("GLOBAL", "INST"):
                yield str(argument).replace(" ", ".")
            elif opcode.name == "STACK_GLOBAL" and len(strings) >= 2:
                yield ".".join(strings[-2:])
            elif isinstance(argument, str):
                strings.append(argument)
    except ValueError:  # cut short: what came before the cut has been yielded
        return


def _tensors(content: Any) -> dict[str, Tensor]:
    """All tensors of nested mappings by dotted name; one wrapper around all of them is dropped."""
    state = dict(_walk(content, ""))
    heads = {key.partition(".")[0] for key in state}
    if isinstance(content, Mapping) and len(heads) == 1 and isinstance(content.get(*heads), Mapping):
        return _tensors(content[heads.pop()])
    if state and all(key.startswith("module.") for key in state):  # saved out of DataParallel
        return {key.removeprefix("module."): value for key, value in state.items()}
    return state


def _walk(content: Any, prefix: str) -> Iterator[tuple[str, Tensor]]:
    if isinstance(content, Tensor):
        yield prefix.removesuffix("."), content.detach()
    elif isinstance(content, Mapping) and all(isinstance(key, str) for key in content):
        for key, value in content.items():
            yield from _walk(value, f"{prefix}{key}.")


def _check_finite(state: Mapping[str, Tensor], where: str) -> None:
    bad = [k for k, v in state.items() if v.is_floating_point() and not bool(torch.isfinite(v).all())]
    if bad:
        raise UserError(
            f"{where}: {len(bad)} of {len(state)} tensors hold NaN or infinity ({_some(bad)}); the training that made "
            "them diverged, use an earlier checkpoint."
        )


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (", …" if len(names) > 3 else "")
