"""Prior Zoo: papers that take a picture apart and put it together again with priors.

The five things to do with the zoo from Python; nothing here imports PyTorch before a model is wanted::

    import zoo

    zoo.list_models()                      # ['sfsnet', ...]
    zoo.info("sfsnet").paper.title         # the model's card
    model = zoo.load("sfsnet")             # a trained module, no network needed
    layers = zoo.predict(model, "photo.jpg")
    model = zoo.create("sfsnet", lr=1e-4)  # random weights, to be trained
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

    from lightning_modules.base import ZooModule
    from zoo.cards import ModelCard

__all__ = ["create", "info", "list_models", "load", "predict"]
__version__ = "0.1.0"


def list_models(task: str | None = None) -> list[str]:
    """The names of all models, or of those for one task.

    Args:
        task: Part of a card's ``task`` or ``family``; case does not matter.
    """
    from zoo.cards import list_cards

    wanted = (task or "").lower()
    return [card.name for card in list_cards() if wanted in card.task.lower() or wanted in card.family.lower()]


def info(name: str) -> ModelCard:
    """The card of a model: paper, inputs and outputs, results, weights, licences.

    Raises:
        zoo.errors.UserError: There is no such model; the message suggests the nearest one.
    """
    from zoo.cards import load_card

    return load_card(name)


def create(name: str, **arguments: Any) -> ZooModule:
    """A new module with random weights.

    Args:
        name: The model's name; case, ``-`` and ``_`` do not matter.
        **arguments: Of the module's constructor: ``python -m zoo fit --model NAME --model.help`` lists them.

    Raises:
        zoo.errors.UserError: There is no such model, or it has no such argument.
    """
    from zoo.cards import load_card
    from zoo.errors import UserError

    card = load_card(name)
    kind = card.import_class()
    import inspect

    from zoo.names import find_name

    known = [each for each in inspect.signature(kind).parameters if each != "self"]
    for each in arguments:
        if each not in known:
            find_name(each, known, kind=f"argument of {card.name}", hint=f"it takes {', '.join(known)}")
            raise UserError(f"{card.name} has no argument '{each}'; it takes {', '.join(known)}.")
    module: ZooModule = kind(**arguments)
    return module


def load(
    name: str,
    weights: str | Path | None = None,
    device: str = "cpu",
    *,
    download: bool = False,
    **overrides: Any,
) -> ZooModule:
    """A trained module, ready to predict.

    Args:
        name: The model's name.
        weights: A tag from the card, a file of ours, or the authors' file; by default the card's default weights.
        device: Where it shall live: ``cpu``, ``cuda``, ``cuda:1``.
        download: Whether weights that are not on this machine may be fetched; their licence is shown first.
        **overrides: Constructor arguments in place of those stored with the weights.

    Raises:
        zoo.errors.UserError: There is no such model or file, or the file must not be used; the message says why.
    """
    from zoo.hub import load as load_from_hub

    return load_from_hub(name, weights, device, download=download, **overrides)


def predict(model: str | ZooModule, image: str | Path | Tensor, **options: Any) -> dict[str, Tensor]:
    """Every layer that a model sees in a picture.

    Args:
        model: A module, or a name whose default weights are loaded.
        image: A file, or a picture (3, H, W), sRGB in [0, 1].
        **options: For models that want a face: ``face`` (``"largest"``, ``"whole"`` or a number), ``detector`` and
            ``size`` of the crop, as ``zoo.inference.predict_image`` takes them.

    Returns:
        The model's outputs by their names in ``zoo.contract``, batch of one, and its input as ``image``.

    Raises:
        zoo.errors.UserError: The picture cannot be read, or there is no face in it.
    """
    from zoo.inference import predict_image

    return predict_image(load(model) if isinstance(model, str) else model, image, **options).layers
