"""Weights: find them, verify them, and put them into a module.

    >>> import zoo.hub
    >>> module = zoo.hub.load("sfsnet", weights="out/mine.safetensors")   # doctest: +SKIP

Weights come from three places: beside a card (shipped, no network), from an address on the card (only when a
download is asked for; kept under ``zoo_home()/weights``), or from a file that a person brings: ours, a Lightning
checkpoint, or the authors'. Whatever the card lists is hashed before a byte of it is used.

The authors' files are the business of ``lightning_modules/<name>/convert.py``, which maps names and nothing else::

    def detect(keys: Iterable[str]) -> bool: ...
    def convert(state: Mapping[str, Tensor]) -> tuple[dict[str, Any], dict[str, Tensor]]: ...

``detect`` says whether these names are those of the file that the authors released; ``convert`` gives constructor
arguments and a state dict of our module. A name that ``convert`` misses may simply raise ``KeyError``.

The state it is given has the file's own names: nested dicts are flattened with dots, a wrapper around everything
(``state_dict``) and ``module.`` of DataParallel are gone, Caffe's blobs are ``data/<layer>/<number>``.
"""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

import zoo
from zoo.cards import ModelCard, Weights, list_cards, load_card
from zoo.checkpoints import Checkpoint, read_checkpoint, save_weights, training_only
from zoo.downloads import fetch
from zoo.errors import UserError
from zoo.files import human_bytes, sha256_of
from zoo.home import zoo_home
from zoo.names import find_name

if TYPE_CHECKING:
    from lightning_modules.base import ZooModule

__all__ = ["convert_file", "download", "find_weights", "load", "load_file", "load_weights", "save_weights"]

_WEIGHT_SUFFIXES = (".safetensors", ".ckpt", ".pth", ".pt", ".h5", ".hdf5", ".bin", ".tar")


def load(
    name: str,
    weights: str | Path | None = None,
    device: str = "cpu",
    *,
    download: bool = False,
    **overrides: Any,
) -> ZooModule:
    """A trained module in evaluation mode; a new one where the card says that there is nothing to train.

    Args:
        name: The model's name, or ``name.tag``.
        weights: A tag on the card, or a file: ours, Lightning's, or the authors'; otherwise the card's default.
        device: Where the module shall live: ``cpu``, ``cuda``, ``cuda:1``.
        download: Whether weights that are not on this machine may be fetched; their licence is shown first.
        **overrides: Constructor arguments in place of those stored with the weights.

    Returns:
        The module, in float32.

    Raises:
        UserError: No such model, weights or device; or a file that is missing, damaged, unsafe, or of another model.
        ZooError: A download failed.

    Example:
        >>> load("sfsnet", weights="lost.ckpt")
        Traceback (most recent call last):
        ...
        zoo.errors.UserError: there is no file lost.ckpt; check the path of the weights.
    """
    if weights is None and "." in name:
        name, _, weights = name.partition(".")
    card = load_card(name)
    where = _device(device)
    if weights is None and not card.trainable:
        return zoo.create(card.name, **overrides).eval().to(where)
    path = find_weights(card, weights, download=download)
    _check_needs(card, weights, overrides)
    return load_file(card, path, **overrides).to(where)


def find_weights(card: ModelCard, weights: str | Path | None = None, *, download: bool = False) -> Path:
    """The file of some weights, verified where the card lists it.

    Args:
        card: The model's card.
        weights: A tag, a path, or None for the card's default.
        download: Whether it may be fetched.

    Raises:
        UserError: There is no such tag, the file is not on this machine, or it is not the one that the card promises.
    """
    if weights is not None and _is_path(weights, card):
        return Path(weights).expanduser()
    entry = _entry(card, None if weights is None else str(weights))
    path = _place(card, entry)
    if entry.url and not path.exists():
        if not download:
            call = f"zoo.hub.download('{card.name}', '{entry.tag}')"
            raise UserError(
                f"the weights '{entry.tag}' of {card.name} ({human_bytes(entry.bytes)}, licence: {entry.licence}) are "
                f'not on this machine; fetch them with: python -c "import zoo.hub; {call}"'
            )
        return _download(card, entry)
    _verify(path, entry)
    return path


def download(name: str, tag: str | None = None) -> Path:
    """Fetch weights into ``zoo_home()/weights``, after showing their licence; nothing happens when they are there.

    Args:
        name: The model's name.
        tag: Which weights; by default the card's default ones.

    Returns:
        The verified file.

    Raises:
        UserError: No such model or tag, or the disk is full.
        ZooError: No mirror has the file, or there is no network.
    """
    card = load_card(name)
    return find_weights(card, _entry(card, tag).tag, download=True)


def load_file(card: ModelCard, path: str | Path, **overrides: Any) -> ZooModule:
    """A module from any file of weights of this model.

    Args:
        card: The model's card.
        path: Ours, a Lightning checkpoint, or the authors' file.
        **overrides: Constructor arguments in place of those stored in the file.

    Returns:
        The module on the CPU, in evaluation mode.

    Raises:
        UserError: The file is damaged, unsafe, of another model, or does not fit its own constructor arguments.
    """
    checkpoint = read_checkpoint(path)
    hparams, state = _our_names(card, checkpoint)
    strange = [each for each in hparams if each not in inspect.signature(card.import_class()).parameters]
    try:
        module = zoo.create(card.name, **{**hparams, **overrides})
    except UserError as error:
        if not strange:  # such as a face model that lies elsewhere on this machine: its own sentence says it best
            raise
        raise UserError(f"{checkpoint.path} was written by another version of {card.name}: {error}") from error
    load_weights(module, state, source=str(checkpoint.path), name=card.name)
    return module.eval()


def load_weights(module: nn.Module, state: Mapping[str, Tensor], *, source: str, name: str) -> None:
    """Put tensors into a module, all or none.

    Args:
        module: Receives them.
        state: Tensors under the module's names. What it needs for training alone (``training_only``) may be missing.
        source: Where they come from, for messages.
        name: The model's name, for messages.

    Raises:
        UserError: Names or shapes differ; the message counts them and gives the first.
    """
    check = getattr(module, "check_weights", None)
    if check is not None:
        check(state, source)
    own = {k: v for k, v in module.state_dict().items() if not k.endswith(".num_batches_tracked")}
    needed = [k for k in own if not k.startswith(training_only(module) or ("\0",))]
    given = {k: v for k, v in state.items() if not k.endswith(".num_batches_tracked")}
    missing = [k for k in needed if k not in given]
    surplus = [k for k in given if k not in own]
    shapes = [
        f"{k} is {tuple(v.shape)}, wanted is {tuple(own[k].shape)}"
        for k, v in given.items()
        if k in own and v.shape != own[k].shape
    ]
    parts = [
        f"{len(names)} {what} ({'; '.join(names[:3])}{'; …' if len(names) > 3 else ''})"
        for names, what in ((missing, "missing"), (surplus, "unexpected"), (shapes, "of another shape"))
        if names
    ]
    if parts:
        raise UserError(
            f"the tensors of {source} do not fit {name}: {', '.join(parts)}; it was made with other constructor "
            "arguments, or is another network's."
        )
    module.load_state_dict(dict(state), strict=False)


def convert_file(name: str, source: str | Path, target: str | Path, *, half: bool = False, **overrides: Any) -> Path:
    """Turn any file of weights of a model, the authors' first of all, into ours.

    Args:
        name: The model's name.
        source: The file to read.
        target: The safetensors file to make.
        half: Whether to store float16, which rounds; by default nothing is lost.
        **overrides: Constructor arguments in place of those that come with the weights, such as where a face model is.

    Returns:
        The target, with ``.safetensors`` added if it had another ending.

    Raises:
        UserError: The source cannot be used, or the target not be written.
    """
    import torch

    card = load_card(name)
    target = Path(target)
    if target.suffix != ".safetensors":
        target = target.with_name(f"{target.name}.safetensors")
    dtype = torch.float16 if half else torch.float32
    return save_weights(load_file(card, source, **overrides), target, model=card.name, dtype=dtype)


def _is_path(weights: str | Path, card: ModelCard) -> bool:
    if isinstance(weights, Path) or weights.endswith(_WEIGHT_SUFFIXES) or "/" in weights or "\\" in weights:
        return True
    return weights not in [each.tag for each in card.weights] and Path(weights).exists()


def _entry(card: ModelCard, tag: str | None) -> Weights:
    if not card.trainable:
        raise UserError(f"{card.name} has no parameters, so that it has no weights and needs none.")
    if tag is None:
        if card.default_weights is None:
            raise UserError(
                f"there are no trained weights of {card.name} yet; train it (python -m zoo fit --model {card.name}) "
                "and give the checkpoint's path as weights."
            )
        return card.default_weights
    tags = [each.tag for each in card.weights]
    kind = f"weights of {card.name}"
    found = find_name(tag, tags, kind=kind, hint=f"a tag from python -m zoo info {card.name}, or the path of a file")
    return card.weights[tags.index(found)]


def _check_needs(card: ModelCard, weights: str | Path | None, overrides: Mapping[str, Any]) -> None:
    """Name the arguments that must come with some weights on the card, before a worse message does."""
    if weights is not None and _is_path(weights, card):
        return
    entry = _entry(card, None if weights is None else str(weights))
    missing = {name: what for name, what in entry.needs.items() if name not in overrides}
    if missing:
        flags = " ".join(f"--model.{name} {what}" for name, what in missing.items())
        calls = ", ".join(f'{name}="{what}"' for name, what in missing.items())
        raise UserError(
            f"the weights '{entry.tag}' of {card.name} need a file of yours: {flags} on the command line, {calls} in "
            "Python."
        )


def _place(card: ModelCard, entry: Weights) -> Path:
    if entry.file:
        return card.folder / entry.file
    suffix = Path(_places(entry)[0].partition("?")[0]).suffix
    return zoo_home() / "weights" / card.name / f"{entry.tag}-{entry.sha256[:8]}{suffix}"


def _places(entry: Weights) -> list[str]:
    """The mirrors of a file: ``url`` on the card may hold several addresses, separated by blanks."""
    return entry.url.split()


def _download(card: ModelCard, entry: Weights) -> Path:
    print(
        f"{card.name} weights '{entry.tag}': {human_bytes(entry.bytes)}, trained on {entry.trained_on}.\n"
        f"Licence of these weights: {entry.licence}",
        file=sys.stderr,
    )
    return fetch(_places(entry), _place(card, entry), sha256=entry.sha256, size=entry.bytes)


def _verify(path: Path, entry: Weights) -> None:
    mend = "delete it and download again" if entry.url else "install the package again"
    if not path.exists():
        raise UserError(f"the weights '{entry.tag}' should be at {path}, but there is no such file; {mend}.")
    found = sha256_of(path)
    if found != entry.sha256.lower():
        raise UserError(
            f"{path} is not the file that the card promises (sha256 {found[:12]}… instead of {entry.sha256[:12]}…), so "
            f"it is not used; {mend}."
        )


def _our_names(card: ModelCard, checkpoint: Checkpoint) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Constructor arguments and tensors under our names, from whoever's file."""
    if checkpoint.ours:
        owner = checkpoint.model or _owner(checkpoint.class_path or "")
        if owner != card.name:
            who = f"{owner}; use --model {owner}" if owner else f"{checkpoint.class_path}, which no card names"
            raise UserError(f"{checkpoint.path} holds weights of {who}, not of {card.name}.")
        return checkpoint.hparams, checkpoint.state
    converter = _converter(card)
    if converter is not None and converter.detect(checkpoint.state.keys()):
        try:
            return converter.convert(checkpoint.state)
        except KeyError as error:
            raise UserError(f"{checkpoint.path} looks like the authors' {card.name}, but lacks {error}.") from error
    for other in list_cards():
        theirs = None if other.name == card.name else _converter(other)
        if theirs is not None and theirs.detect(checkpoint.state.keys()):
            raise UserError(
                f"{checkpoint.path} is the authors' file of {other.name}, not of {card.name}; use --model {other.name}."
            )
    return checkpoint.hparams, checkpoint.state  # a bare state dict of ours; if it is not, its names will not fit


def _owner(class_path: str) -> str | None:
    """The card of a class, by its full path, or by its name where a card gives a shorter path to it."""
    cards = list_cards()
    exact = [card.name for card in cards if card.class_path == class_path]
    alike = [card.name for card in cards if card.class_path.rpartition(".")[2] == class_path.rpartition(".")[2]]
    return next(iter(exact or alike), None)


def _converter(card: ModelCard) -> ModuleType | None:
    if not (card.folder / "convert.py").exists():
        return None
    parts = card.class_path.split(".")
    package = parts[: parts.index(card.name) + 1] if card.name in parts else parts[:-1]
    return importlib.import_module(".".join([*package, "convert"]))


def _device(device: str) -> Any:
    import torch

    try:
        where = torch.device(device)
        torch.empty(0, device=where)
    except (RuntimeError, AssertionError) as error:
        raise UserError(f"the device '{device}' cannot be used here; take cpu, or see python -m zoo doctor.") from error
    return where
