"""Procedural faces as a LightningDataModule: made once and kept, or anew in every epoch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, Protocol

import torch
from numpy.typing import NDArray
from torch import Tensor

from datamodules.augment import flip_coins, hflip, recolour, refuse_unflippable
from datamodules.base import BatchDataset
from datamodules.cache import ArrayCache, MappedArrays
from datamodules.faces.effects import EFFECTS, check_effects
from datamodules.faces.fingerprint import code_fingerprint, model_fingerprint
from datamodules.faces.renderer import FaceRenderer
from datamodules.faces.worn import WornRange
from datamodules.loader import epoch_and_sample
from datamodules.rendered import SPLIT_NAMES, RenderedDataModule
from datamodules.sampling.camera import CameraRange
from datamodules.sampling.draws import Draws
from datamodules.sampling.pose import PoseRange
from datamodules.storage import pack, stored_keys, unpack
from datamodules.threads import one_thread_each
from zoo.errors import UserError
from zoo.morphable import MorphableModel

__all__ = ["DEFAULT_KEYS", "ProceduralFaces"]

DEFAULT_KEYS = ("image", "albedo", "shading", "normal", "light", "mask", "landmarks")

_POSE, _CAMERA, _WORN = PoseRange(), CameraRange(), WornRange()
_OF_ONE_MODEL = {"identity", "expression", "texture", "vertices", "triangles"}


class ProceduralFaces(RenderedDataModule):
    """Faces made by code, with every key of the contract as truth. Needs no download.

    Sample i of a seed is the same face on every machine, and the three splits share no person. By default the samples
    are rendered once and kept under ``ZOO_HOME``; on a GPU they can be rendered anew in every epoch instead.

    Args:
        size: Height and width of the pictures.
        train: Training samples (an epoch).
        val: Validation samples.
        test: Test samples.
        batch_size: Samples in a batch, on each device.
        num_workers: Processes that load; 0 loads in the main one.
        seed: Of the faces, the order and the augmentation.
        morphable: The face model: "procedural", "bfm:PATH", "ict:PATH" or "flame:PATH"; or several of them, which
            take turns from sample to sample.
        keys: What a batch holds; see ``datamodules.faces.FACE_KEYS``, and ``person``.
        cache: Keep the samples on disk; otherwise they are rendered each time they are asked for.
        on_the_fly: Render new training faces in every epoch, on the training device; nothing is kept.
        flip: Mirror half of the training samples, others in each epoch.
        colour: Strength of a random colour and brightness of the light in training, as a standard deviation of log
            gains: 0 for none, 0.1 for some.
        pose: Distribution of the head's pose, in degrees.
        camera: Distribution of camera and crop.
        occluders: Share of samples with something in front of the face.
        effects: What is in the picture but not in the truth, by name (``datamodules.faces.effects.EFFECTS``): shadows,
            highlights, and what camera and file make of them. By default all.
        worn: How often people wear what: hair, hats, glasses, clothes, hands and masks before the face.
        detail: Freckles, pores, stubble and strands of hair in the albedo, drawn for each person.
        pictures_per_person: How many pictures in a row show the same person.

    Raises:
        UserError: A value that cannot be used.
    """

    def __init__(
        self,
        size: int = 128,
        train: int = 2000,
        val: int = 200,
        test: int = 200,
        batch_size: int = 16,
        num_workers: int = 0,
        seed: int = 0,
        morphable: str | Sequence[str] = "procedural",
        keys: Sequence[str] = DEFAULT_KEYS,
        cache: bool = True,
        on_the_fly: bool = False,
        flip: bool = True,
        colour: float = 0.0,
        pose: PoseRange = _POSE,
        camera: CameraRange = _CAMERA,
        occluders: float = 0.3,
        effects: Sequence[str] = EFFECTS,
        worn: WornRange = _WORN,
        detail: bool = True,
        pictures_per_person: int = 1,
    ) -> None:
        super().__init__(batch_size, num_workers, seed, cache, on_the_fly)
        self.counts = {"train": train, "val": val, "test": test}
        if min(self.counts.values()) < 1 or pictures_per_person < 1:
            raise UserError("train, val, test and pictures_per_person must each be at least 1.")
        if flip:
            refuse_unflippable(keys)
        self.keys, self.flip, self.colour = tuple(key for key in keys if key != "person"), flip, colour
        self.tells_person = "person" in keys
        self.morphable = [morphable] if isinstance(morphable, str) else list(morphable)
        if not self.morphable:
            raise UserError("morphable must name at least one face model.")
        own = sorted(_OF_ONE_MODEL & set(keys))
        if len(self.morphable) > 1 and own:
            raise UserError(f"'{own[0]}' means something else in each face model, so leave it out or take one model.")
        self.recipe: dict[str, Any] = {
            "size": size,
            "seed": seed,
            "pose": asdict(pose),
            "camera": asdict(camera),
            "occluders": occluders,
            "effects": list(check_effects(effects)),
            "worn": asdict(worn),
            "detail": detail,
            "people": pictures_per_person,
        }
        self._renderer_options: dict[str, Any] = {**self.recipe, "pose": pose, "camera": camera, "worn": worn}

    def dataset(self, split: str) -> BatchDataset:
        """The faces of a split; ``predict`` shows those of ``test``."""
        split = "test" if split == "predict" else split
        count = self.counts[split]
        source: _Source
        if self.cache:
            kept = [MappedArrays(arrays) for arrays in self._arrays(split)]
            source = _Cached(kept, self.keys, self._models[0].triangles)
        else:
            device = self._device() if self.on_the_fly else torch.device("cpu")
            renderers = [self._renderer(model, self.keys, device) for model in self._models]
            source = _Rendered(renderers, split, fresh=self.on_the_fly and split == "train")
        training = split == "train"
        faces = _Faces(source, count, self.seed, self.flip and training, self.colour if training else 0.0)
        if self.tells_person:
            faces.person = _Person(self.recipe["people"], len(self.morphable), self.on_the_fly and training)
        return faces

    @cached_property
    def _models(self) -> list[MorphableModel]:
        return [MorphableModel.load(spec) for spec in self.morphable]

    def _renderer(self, model: MorphableModel, keys: Sequence[str], device: torch.device) -> FaceRenderer:
        return FaceRenderer(model, keys=keys, device=device, **self._renderer_options)

    def _arrays(self, split: str) -> list[dict[str, NDArray[Any]]]:
        """The samples of a split on disk, those of each model in a cache of its own."""
        with one_thread_each() as threads:
            return [self._arrays_of(split, turn, threads) for turn in range(len(self._models))]

    def _arrays_of(self, split: str, turn: int, threads: int) -> dict[str, NDArray[Any]]:
        model, turns = self._models[turn], len(self._models)
        keys, count = stored_keys(self.keys), len(range(turn, self.counts[split], turns))
        renderer: FaceRenderer | None = None

        def produce(start: int, end: int) -> dict[str, NDArray[Any]]:
            nonlocal renderer
            device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
            renderer = renderer or self._renderer(model, keys, device)
            return pack(renderer.render(split, range(turn + start * turns, turn + end * turns, turns)))

        known = {"split": split, "keys": sorted(keys), "model": model_fingerprint(model), "turn": [turn, turns]}
        name = f" of {model.name}" if turns > 1 else ""
        cache = ArrayCache(
            f"faces-{split}",
            {**self.recipe, **known, "code": code_fingerprint()},
            count,
            title=f"{count} {SPLIT_NAMES[split]} faces{name} of {self.recipe['size']} pixels",
            remedy="make fewer or smaller faces (--data.train, --data.size)",
        )
        arrays = cache.ensure(produce, chunk=16, threads=threads)
        model.cpu()
        return arrays


class _Source(Protocol):
    """Where samples come from; indices count on through the epochs, of ``count`` samples each."""

    def get(self, indices: Sequence[int], count: int) -> dict[str, Tensor]: ...


class _Cached:
    """Samples on disk, those of the models in turn."""

    def __init__(self, arrays: Sequence[MappedArrays], keys: Sequence[str], triangles: Tensor) -> None:
        self.arrays, self.keys, self.triangles = arrays, keys, triangles

    def get(self, indices: Sequence[int], count: int) -> dict[str, Tensor]:
        samples = [epoch_and_sample(index, count)[1] for index in indices]
        turns = len(self.arrays)

        def of_turn(turn: int, which: Sequence[int]) -> dict[str, Tensor]:
            return unpack(self.arrays[turn].rows([sample // turns for sample in which]), self.keys)

        batch = _by_turns(samples, turns, of_turn)
        return {**batch, "triangles": self.triangles} if "triangles" in self.keys else batch


class _Rendered:
    """Samples rendered when asked for, of the models in turn."""

    def __init__(self, renderers: Sequence[FaceRenderer], split: str, fresh: bool) -> None:
        self.renderers, self.split, self.fresh = renderers, split, fresh

    def get(self, indices: Sequence[int], count: int) -> dict[str, Tensor]:
        if not self.fresh:
            indices = [epoch_and_sample(index, count)[1] for index in indices]

        def of_turn(turn: int, which: Sequence[int]) -> dict[str, Tensor]:
            return self.renderers[turn].render(self.split, which)

        return _by_turns(indices, len(self.renderers), of_turn)


def _by_turns(
    indices: Sequence[int], turns: int, of_turn: Callable[[int, Sequence[int]], dict[str, Tensor]]
) -> dict[str, Tensor]:
    """Samples whose sources take turns (index modulo ``turns``), in the order that was asked for."""
    if turns == 1:
        return of_turn(0, indices)
    places = [[place for place, index in enumerate(indices) if index % turns == turn] for turn in range(turns)]
    parts = [of_turn(turn, [indices[place] for place in which]) for turn, which in enumerate(places) if which]
    order = torch.tensor([place for which in places for place in which]).argsort()
    return {key: torch.cat([part[key] for part in parts])[order.to(parts[0][key].device)] for key in parts[0]}


@dataclass(frozen=True)
class _Person:
    """Who is in a sample: ``pictures`` in a row show one person, or one of each of ``turns`` face models."""

    pictures: int
    turns: int
    fresh: bool

    def __call__(self, indices: Sequence[int], count: int) -> Tensor:
        samples = indices if self.fresh else [epoch_and_sample(index, count)[1] for index in indices]
        return torch.tensor([sample // self.pictures * self.turns + sample % self.turns for sample in samples])


class _Faces(BatchDataset):
    """One split, with the augmentation that its indices ask for."""

    person: _Person | None = None

    def __init__(self, source: _Source, count: int, seed: int, flip: bool, colour: float) -> None:
        self.source, self.count, self.seed, self.flip, self.colour = source, count, seed, flip, colour

    def __len__(self) -> int:
        return self.count

    def batch(self, indices: Sequence[int]) -> dict[str, Any]:
        batch: dict[str, Any] = self.source.get(indices, self.count)
        if self.person is not None:
            batch["person"] = self.person(indices, self.count)
        if self.flip:
            batch = hflip(batch, flip_coins(self.seed, indices).to(batch["image"].device))
        if self.colour:
            draws = Draws(self.seed, "train", indices)
            gain = self.colour * (draws.normal("colour", 3, limit=2) + draws.normal("gain", 1, limit=2))
            batch = recolour(batch, torch.from_numpy(gain).exp().to(batch["image"]))
        return batch
