"""Faces at the scale and place of Deep3DFaceRecon's alignment, cut anew out of wider pictures each time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from datamodules.base import BatchDataset, ZooDataModule
from datamodules.landmark_crops import cut
from datamodules.loader import epoch_and_sample
from datamodules.sampling.draws import Draws
from zoo.contract import KEYS
from zoo.errors import UserError
from zoo.faces import aligned_boxes

__all__ = ["AlignedFaces", "AlignmentJitter"]

_CUT = ("image", "mask")
"""The maps that are cut along."""
_LABEL_FREE = ("image", "mask", "landmarks", "person")
"""What training batches hold: the rest is truth, of which a mirrored or turned face has another."""


@dataclass(frozen=True)
class AlignmentJitter:
    """How training crops miss the alignment; each is drawn evenly.

    Args:
        shift: Largest shift along each axis, in sides of the crop.
        scale: Largest change of the face's size, as a share of it.
        roll: Largest turn, in degrees.

    Source: the training options of Deep3DFaceRecon_pytorch.
    """

    shift: float = 10 / 224
    scale: float = 0.1
    roll: float = 10.0


_JITTER = AlignmentJitter()


class AlignedFaces(ZooDataModule):
    """Cuts aligned faces out of wider pictures, so that few pictures give many samples; black where a picture ends.

    Training batches hold ``image``, ``landmarks``, and ``mask`` and ``person`` where the pictures have them: no truth,
    so that what trains on them needs none. Validation and test have every key of the pictures but their other maps, no
    jitter, and no mirroring.

    Args:
        faces: Pictures of faces with landmarks and room around them, such as ``ProceduralFaces`` with a camera whose
            ``margin`` is 1.35 and a ``size`` that is 1.35 times that of the crops, not mirrored.
        size: Height and width of the crops.
        batch_size: Samples in a batch, on each device; with ``people``, sets of pictures.
        num_workers: Processes that load; 0 loads in the main one.
        seed: Of order, jitter and mirroring.
        jitter: How training crops miss the alignment.
        flip: Mirror half of the training samples, others in each epoch.
        people: How many pictures in a row show one person and make a set, whose pictures stay together in each batch;
            0 for single pictures. A set is mirrored as a whole, since a mirrored face is another person's.

    Raises:
        UserError: A value that cannot be used.
    """

    def __init__(
        self,
        faces: ZooDataModule,
        size: int = 224,
        batch_size: int = 16,
        num_workers: int = 0,
        seed: int = 0,
        jitter: AlignmentJitter = _JITTER,
        flip: bool = True,
        people: int = 0,
    ) -> None:
        super().__init__(batch_size, num_workers, seed)
        if size < 16 or people < 0:
            raise UserError(f"size is {size} and people {people}; take at least 16 pixels, and 0 people or more.")
        if not 0 <= jitter.scale < 1:
            raise UserError(f"the jitter's scale is {jitter.scale}; it is a share, from 0 to below 1.")
        self.faces, self.size, self.jitter, self.flip, self.people = faces, size, jitter, flip, people

    @property
    def on_the_fly(self) -> bool:
        """Whether the pictures are rendered on the training device, and so in its process."""
        return bool(getattr(self.faces, "on_the_fly", False))

    def prepare_data(self) -> None:
        """Make the pictures ready."""
        self.faces.trainer = self.trainer
        self.faces.prepare_data()

    def dataset(self, split: str) -> BatchDataset:
        """The aligned faces of a split."""
        self.faces.trainer = self.trainer  # what renders on the training device asks it
        source = self.faces.split(split)
        assert isinstance(source, BatchDataset)
        if self.people and len(source) % self.people:
            raise UserError(f"the {len(source)} pictures of '{split}' make no whole sets of {self.people}.")
        return _Aligned(source, split, self)

    def _options(self) -> dict[str, Any]:
        options = super()._options()
        if self.on_the_fly:
            options |= {"num_workers": 0, "persistent_workers": False, "pin_memory": False}
        return options


class _Aligned(BatchDataset):
    def __init__(self, source: BatchDataset, split: str, settings: AlignedFaces) -> None:
        self.source, self.settings, self.split = source, settings, split

    def __len__(self) -> int:
        return len(self.source) // max(1, self.settings.people)

    def batch(self, indices: Sequence[int]) -> dict[str, Any]:
        """The crops of these samples; those of a set follow each other.

        Raises:
            UserError: The pictures lack landmarks, or those of a set are not of one person.
        """
        settings, training = self.settings, self.split == "train"
        pictures = self.source.batch(self._pictures(indices))
        if "landmarks" not in pictures:
            raise UserError("faces are aligned by their landmarks; have 'landmarks' among the keys of the pictures.")
        if settings.people:
            _check_sets(pictures, settings.people)
        landmarks = pictures["landmarks"]
        centre, side = aligned_boxes(landmarks, settings.size)
        roll, mirrored = torch.zeros_like(side), torch.zeros(len(side), dtype=torch.bool)
        if training:
            draws = Draws(settings.seed, self.split, self._pictures(indices))
            centre, side, roll = _jittered(draws, settings.jitter, centre, side)
            if settings.flip:
                coins = Draws(settings.seed, self.split, indices).chance("aligned flip", 0.5)
                mirrored = torch.from_numpy(coins).repeat_interleave(max(1, settings.people))
        maps = {key: pictures[key] for key in _CUT if key in pictures}
        stack = torch.cat(tuple(maps.values()), 1) if len(maps) > 1 else pictures["image"]
        crops, landmarks = cut(stack, landmarks, centre, side, roll, mirrored, settings.size, padding="zeros")
        planes = crops.split([value.shape[1] for value in maps.values()], 1)
        cuts = {key: value.contiguous() for key, value in zip(maps, planes, strict=True)}
        kept = {key: value for key, value in pictures.items() if _is_kept(key, training)}
        return {**kept, **cuts, "landmarks": landmarks}

    def _pictures(self, indices: Sequence[int]) -> list[int]:
        """The indices of the pictures: of the same epochs, in the source's own count."""
        people = self.settings.people
        if not people:
            return list(indices)
        found: list[int] = []
        for index in indices:
            epoch, number = epoch_and_sample(index, len(self))
            first = epoch * len(self.source) + number * people
            found += range(first, first + people)
        return found


def _is_kept(key: str, training: bool) -> bool:
    if training:
        return key in _LABEL_FREE
    return key in _CUT or key not in KEYS or "H" not in KEYS[key].shape


def _check_sets(pictures: dict[str, Any], people: int) -> None:
    person = pictures.get("person")
    if person is None or not bool((person.view(-1, people) == person[::people, None]).all()):
        raise UserError(
            f"{people} pictures in a row must show one person to be a set: give the faces the key 'person', "
            f"pictures_per_person {people}, and one face model."
        )


def _jittered(draws: Draws, jitter: AlignmentJitter, centre: Tensor, side: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Centre (B,2), side (B,) and roll (B,) of crops that miss the alignment."""
    x, y, size, turn = torch.from_numpy(2 * draws.uniform("alignment jitter", 4) - 1).to(side).unbind(-1)
    side = side / (1 + jitter.scale * size)
    centre = centre + jitter.shift * side[:, None] * torch.stack((x, y), -1)
    return centre, side, torch.deg2rad(jitter.roll * turn)
