"""Procedural scenes as a LightningDataModule: made once and kept, or anew in every epoch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, Protocol

import torch
from numpy.typing import NDArray
from torch import Tensor

from datamodules.augment import crop_window, flip_coins, hflip, recolour
from datamodules.base import BatchDataset
from datamodules.cache import ArrayCache, MappedArrays
from datamodules.loader import epoch_and_sample
from datamodules.rendered import SPLIT_NAMES, RenderedDataModule
from datamodules.sampling.draws import Draws
from datamodules.scenes.annotations import ANNOTATIONS, annotate, truth_for
from datamodules.scenes.fingerprint import annotation_fingerprint, render_fingerprint
from datamodules.scenes.judgements import Judges
from datamodules.scenes.photo import check_scene_effects, photograph
from datamodules.scenes.renderer import SceneRenderer
from datamodules.storage import pack, unpack
from datamodules.threads import one_thread_each
from zoo.errors import UserError

__all__ = ["SCENE_KEYS", "ProceduralScenes"]

_RENDERED = ("image", "albedo", "shading", "normal", "depth", "mask", "segmentation", "instances")
_OTHER_LIGHTS = ("relit", "relit_shading")

SCENE_KEYS = (*_RENDERED, *ANNOTATIONS, *_OTHER_LIGHTS)
"""All that a batch of scenes can hold."""

_JUDGES = Judges()
_HIDDEN = ("albedo", "shading", "relit_shading")
"""What is not known of an unlabelled sample."""


class ProceduralScenes(RenderedDataModule):
    """Rooms and gardens made by code, with the whole truth about them. Needs no download.

    Sample i of a seed is the same scene on every machine, and the splits share none. By default scenes are rendered
    once and kept under ``ZOO_HOME``, with all that a renderer tells of them, so that data modules of the same scenes
    share them whatever keys, annotations or augmentation they ask for. On a GPU they can be rendered anew in every
    epoch instead.

    A batch whose ``labelled`` share is less than 1 also has the key ``labelled`` (B,), 1 or 0, outside of the contract;
    where it is 0, ``albedo``, ``shading`` and ``relit_shading`` are all zeros.

    Args:
        height: Of the pictures.
        width: Of the pictures.
        train: Training samples (an epoch).
        val: Validation samples.
        test: Test samples.
        batch_size: Samples in a batch, on each device.
        num_workers: Processes that load; 0 loads in the main one.
        seed: Of the scenes, the order and the augmentation.
        kind: "rooms", "gardens" or "both" in turn.
        lights: Lights that each scene is seen under: the picture's own and ``lights - 1`` in ``relit``.
        keys: What a batch holds, some of ``SCENE_KEYS``; by default all, but ``relit_shading`` only when it is named.
        cache: Keep the scenes on disk; otherwise they are rendered each time they are asked for.
        on_the_fly: Render new training scenes in every epoch, on the training device; nothing is kept.
        flip: Mirror half of the training samples, others in each epoch.
        colour: Strength of a random colour and brightness of the light in training, as a standard deviation of log
            gains: 0 for none, 0.1 for some.
        crop: Height and width of a window of the pictures: a random one in training, the middle one otherwise.
        effects: What is in the picture but not in the truth, by name (``datamodules.scenes.photo.SCENE_EFFECTS``).
        labelled: Share of the training samples whose truth is told; those of a smaller share are among them.
        judges: Who compares the reflectance of points.

    Raises:
        UserError: A value that cannot be used.
    """

    def __init__(
        self,
        height: int = 192,
        width: int = 256,
        train: int = 2000,
        val: int = 100,
        test: int = 200,
        batch_size: int = 8,
        num_workers: int = 0,
        seed: int = 0,
        kind: Literal["both", "rooms", "gardens"] = "both",
        lights: int = 1,
        keys: Sequence[str] | None = None,
        cache: bool = True,
        on_the_fly: bool = False,
        flip: bool = True,
        colour: float = 0.0,
        crop: tuple[int, int] | None = None,
        effects: Sequence[str] = ("noise", "compression"),
        labelled: float = 1.0,
        judges: Judges = _JUDGES,
    ) -> None:
        super().__init__(batch_size, num_workers, seed, cache, on_the_fly)
        self.counts = {"train": train, "val": val, "test": test}
        if min(self.counts.values()) < 1 or lights < 1:
            raise UserError("train, val, test and lights must each be at least 1.")
        if kind not in ("both", "rooms", "gardens"):
            raise UserError(f"kind is rooms, gardens or both, not '{kind}'.")
        if not 0 <= labelled <= 1:
            raise UserError(f"labelled is {labelled}; it must lie between 0 and 1.")
        if crop is not None and not (0 < crop[0] <= height and 0 < crop[1] <= width):
            raise UserError(f"a crop of {crop[0]} x {crop[1]} does not lie in pictures of {height} x {width}.")
        self.keys = _check_keys(keys, lights)
        self.lights, self.judges = lights, judges
        self.flip, self.colour, self.crop, self.labelled = flip, colour, crop, labelled
        self.effects = check_scene_effects(effects)
        self.recipe: dict[str, Any] = {"height": height, "width": width, "seed": seed, "kind": kind, "lights": lights}

    def dataset(self, split: str) -> BatchDataset:
        """The scenes of a split; ``predict`` shows those of ``test``."""
        split = "test" if split == "predict" else split
        source: _Source
        if self.cache:
            source = _Cached(MappedArrays(self._arrays(split)), self.keys)
        else:
            device = self._device() if self.on_the_fly else torch.device("cpu")
            source = _Rendered(self, split, device, fresh=self.on_the_fly and split == "train")
        return _Scenes(source, self, split)

    def renderer(self, keys: Sequence[str], device: torch.device | str) -> SceneRenderer:
        """What draws these scenes."""
        return SceneRenderer(**self.recipe, keys=keys, device=device)

    def _arrays(self, split: str) -> dict[str, NDArray[Any]]:
        """What the keys need, on disk: rendered once, and all annotations beside it."""
        arrays = self._rendered(split)
        if any(key in ANNOTATIONS for key in self.keys):
            arrays |= self._annotated(split, arrays)
        return {key: arrays[key] for key in self.keys}

    def _rendered(self, split: str) -> dict[str, NDArray[Any]]:
        # all but the large shading of other lights, which few want
        keys = [*_RENDERED, "shadow_edges", *(["relit"] if self.lights > 1 else [])]
        keys += [key for key in ("relit_shading",) if key in self.keys]
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        renderer: SceneRenderer | None = None

        def produce(start: int, end: int) -> dict[str, NDArray[Any]]:
            nonlocal renderer
            renderer = renderer or self.renderer(keys, device)
            return pack(renderer.render(split, range(start, end)))

        size = f"{self.recipe['height']} x {self.recipe['width']} pixels"
        settings = {"keys": sorted(keys), "code": render_fingerprint()}
        title = f"{self.counts[split]} {SPLIT_NAMES[split]} scenes of {size}"
        with one_thread_each() as threads:
            return self._kept(f"scenes-{split}", split, settings, title).ensure(produce, chunk=8, threads=threads)

    def _annotated(self, split: str, arrays: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        needed = truth_for(list(ANNOTATIONS))
        truth = MappedArrays({name: arrays[name] for name in needed})

        def produce(start: int, end: int) -> dict[str, NDArray[Any]]:
            draws = Draws(self.seed, split, range(start, end))
            rows = unpack(truth.rows(range(start, end)), needed)
            return pack(annotate(list(ANNOTATIONS), rows, draws, self.judges))

        settings = {"judges": vars(self.judges), "scenes": render_fingerprint(), "code": annotation_fingerprint()}
        title = f"annotations of {self.counts[split]} {SPLIT_NAMES[split]} scenes"
        with one_thread_each() as threads:
            cache = self._kept(f"scenes-{split}-annotations", split, settings, title)
            return cache.ensure(produce, chunk=16, threads=threads)

    def _kept(self, name: str, split: str, settings: dict[str, Any], title: str) -> ArrayCache:
        remedy = "make fewer or smaller scenes (--data.train, --data.height, --data.width)"
        settings = {**self.recipe, "split": split, **settings}
        return ArrayCache(name, settings, self.counts[split], title=title, remedy=remedy)


def _check_keys(keys: Sequence[str] | None, lights: int) -> tuple[str, ...]:
    if keys is None:
        return (*_RENDERED, *ANNOTATIONS, *(("relit",) if lights > 1 else ()))
    unknown = [key for key in keys if key not in SCENE_KEYS]
    if unknown:
        raise UserError(f"scenes have no key '{unknown[0]}'; there are {', '.join(SCENE_KEYS)}.")
    other = [key for key in keys if key in _OTHER_LIGHTS]
    if other and lights < 2:
        raise UserError(f"'{other[0]}' shows a scene under other lights; ask for 2 lights or more.")
    return tuple(keys)


class _Source(Protocol):
    """Where samples come from; indices count on through the epochs, of ``count`` samples each."""

    def get(self, indices: Sequence[int], count: int) -> dict[str, Tensor]: ...


class _Cached:
    """Samples on disk."""

    def __init__(self, arrays: MappedArrays, keys: Sequence[str]) -> None:
        self.arrays, self.keys = arrays, keys

    def get(self, indices: Sequence[int], count: int) -> dict[str, Tensor]:
        return unpack(self.arrays.rows([epoch_and_sample(index, count)[1] for index in indices]), self.keys)


class _Rendered:
    """Samples rendered, and annotated, when asked for."""

    def __init__(self, data: ProceduralScenes, split: str, device: torch.device, fresh: bool) -> None:
        self.keys, self.seed, self.judges, self.split, self.fresh = data.keys, data.seed, data.judges, split, fresh
        needed = {*truth_for(data.keys), *data.keys} - set(ANNOTATIONS)
        self.renderer = data.renderer(sorted(needed), device)

    def get(self, indices: Sequence[int], count: int) -> dict[str, Tensor]:
        if not self.fresh:
            indices = [epoch_and_sample(index, count)[1] for index in indices]
        truth = self.renderer.render(self.split, indices)
        made = annotate(self.keys, truth, Draws(self.seed, self.split, indices), self.judges)
        device = next(iter(truth.values())).device
        return {key: made[key].to(device) if key in made else truth[key] for key in self.keys}


class _Scenes(BatchDataset):
    """One split, with the augmentation that its indices ask for."""

    def __init__(self, source: _Source, data: ProceduralScenes, split: str) -> None:
        self.source, self.count, self.seed, self.split = source, data.counts[split], data.seed, split
        self.crop, self.effects = data.crop, data.effects
        self.training = split == "train"
        self.flip, self.colour = data.flip and self.training, data.colour if self.training else 0.0
        self.labelled = data.labelled

    def __len__(self) -> int:
        return self.count

    def batch(self, indices: Sequence[int]) -> dict[str, Any]:
        batch: dict[str, Any] = self.source.get(indices, self.count)
        draws = Draws(self.seed, self.split, indices)
        device = next(iter(batch.values())).device
        if self.crop:
            shares = draws.uniform("crop", 2) if self.training else [(0.5, 0.5)] * len(indices)
            batch = crop_window(batch, torch.tensor(shares), self.crop)
        if self.flip:
            batch = hflip(batch, flip_coins(self.seed, indices).to(device))
        if self.colour:
            gain = self.colour * (draws.normal("colour", 3, limit=2) + draws.normal("gain", 1, limit=2))
            batch = recolour(batch, torch.from_numpy(gain).exp().float().to(device))
        batch = photograph(batch, self.seed, self.split, indices, self.effects)
        return self._hide(batch, indices, device) if self.labelled < 1 else batch

    def _hide(self, batch: dict[str, Any], indices: Sequence[int], device: torch.device) -> dict[str, Any]:
        """Keep the truth of the unlabelled from the model; it is the same samples in every epoch."""
        samples = [epoch_and_sample(index, self.count)[1] for index in indices]
        share = self.labelled if self.training else 1.0
        told = torch.from_numpy(Draws(self.seed, self.split, samples).chance("labelled", share)).float().to(device)
        hidden = {key: batch[key] * told.view(-1, *[1] * (batch[key].ndim - 1)) for key in _HIDDEN if key in batch}
        return {**batch, **hidden, "labelled": told}
