"""Pictures of people with known names, changed as one person's pictures differ: what recognition is learned from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from datamodules.augment import flip_coins, hflip
from datamodules.base import BatchDataset, ZooDataModule
from datamodules.loader import epoch_and_sample
from datamodules.sampling.draws import Draws, per_picture
from zoo.errors import UserError
from zoo.faces import five_points

__all__ = ["IdentityPictures", "PointJitter"]

_KEYS = ("image", "landmarks", "person")


@dataclass(frozen=True)
class PointJitter:
    """How far landmarks are off in training, as those are that a network finds.

    Args:
        shift: Of all points together, along each axis; a standard deviation in distances from eyes to mouth.
        scale: Of their size; a standard deviation of its logarithm.
        roll: Of their roll, a standard deviation in degrees.
        noise: Of each point by itself, along each axis, in distances from eyes to mouth.
    """

    shift: float = 0.03
    scale: float = 0.04
    roll: float = 3.0
    noise: float = 0.03


_JITTER = PointJitter()


class IdentityPictures(ZooDataModule):
    """Passes on ``image``, ``landmarks`` and ``person``, in training with what must not matter for who it is.

    Half of the training pictures are mirrored; the light changes, its colour, and the side from which there is more of
    it; some lose detail; landmarks miss; and in some nothing is left but an oval with the face, so that hair, clothes
    and background tell no name and a rendered face without any of them still does.

    Args:
        faces: Pictures with ``image``, ``landmarks`` and ``person``, such as ``ProceduralFaces`` without ``flip``.
        batch_size: Samples in a batch, on each device; of training, how many times ``together``.
        num_workers: Processes that load; 0 loads in the main one.
        seed: Of order and changes.
        together: How many pictures in a row stay together in training. Where it is the ``pictures_per_person`` of the
            faces, all pictures of a person meet in a batch, and a loss can compare them.
        first_person: Added to the numbers of people in training: data modules that take turns (``Interleaved``) each
            count their people from 0, and they are not the same people.
        jitter: How landmarks miss.
        oval: Share of pictures of which an oval with the face is left.
        ease: Epochs over which ovals and light grow from nothing to their full strength: from the first step on they
            outweigh what tells people apart, and a loss of cosines settles where all faces are one.
        light: How much the light changes: a standard deviation of the logarithm of encoded values.
        flip: Mirror half of the pictures.

    Raises:
        UserError: A value that cannot be used.
    """

    def __init__(
        self,
        faces: ZooDataModule,
        batch_size: int = 64,
        num_workers: int = 0,
        seed: int = 0,
        together: int = 1,
        first_person: int = 0,
        jitter: PointJitter = _JITTER,
        oval: float = 0.4,
        light: float = 0.2,
        ease: int = 0,
        flip: bool = True,
    ) -> None:
        super().__init__(batch_size, num_workers, seed)
        if not 0 <= oval <= 1 or first_person < 0 or light < 0:
            raise UserError(
                f"oval is {oval}, first_person {first_person} and light {light}; take a share, and numbers from 0."
            )
        if together < 1 or ease < 0:
            raise UserError(f"together is {together} and ease {ease}; take at least 1 and 0.")
        self.together, self.ease = together, ease
        self.faces, self.first_person, self.jitter, self.oval = faces, first_person, jitter, oval
        self.light, self.flip = light, flip

    def prepare_data(self) -> None:
        """Make the pictures ready."""
        self.faces.trainer = self.trainer
        self.faces.prepare_data()

    def dataset(self, split: str) -> BatchDataset:
        """The pictures of a split; those of validation and test as they are, one by one.

        Raises:
            UserError: There are fewer training pictures than stay together.
        """
        source = self.faces.split(split)
        assert isinstance(source, BatchDataset)
        if split == "train" and len(source) < self.together:
            raise UserError(f"{self.together} pictures cannot stay together where there are {len(source)}.")
        return _Pictures(source, split, self)


class _Pictures(BatchDataset):
    def __init__(self, source: BatchDataset, split: str, settings: IdentityPictures) -> None:
        self.source, self.split, self.settings = source, split, settings
        self.together = settings.together if split == "train" else 1

    def __len__(self) -> int:
        return len(self.source) // self.together

    def batch(self, indices: Sequence[int]) -> dict[str, Any]:
        indices = [single for index in indices for single in self._singles(index)]
        batch, settings = self.source.batch(indices), self.settings
        missing = [key for key in _KEYS if key not in batch]
        if missing:
            raise UserError(f"'{missing[0]}' is missing; add it to the keys of the faces.")
        batch = {key: batch[key] for key in _KEYS}
        if self.split != "train":
            return batch
        draws = Draws(settings.seed, self.split, indices)
        epoch = np.array([epoch_and_sample(index, len(self.source))[0] for index in indices])
        strength = np.minimum(1, epoch / settings.ease) if settings.ease else np.ones(len(epoch))
        image = _in_oval(draws, batch["image"], batch["landmarks"], settings.oval * strength)
        image = _lit(draws, _softened(draws, image), settings.light * strength)
        batch = {
            "image": image,
            "landmarks": _jittered(draws, batch["landmarks"], settings.jitter),
            "person": batch["person"] + settings.first_person,
        }
        return hflip(batch, flip_coins(settings.seed, indices).to(image.device)) if settings.flip else batch

    def _singles(self, index: int) -> range:
        """The indices of the pictures that an index stands for, counted on through the epochs of the source."""
        epoch, place = epoch_and_sample(index, len(self))
        first = epoch * len(self.source) + place * self.together
        return range(first, first + self.together)


def _frame(landmarks: Tensor) -> tuple[Tensor, Tensor]:
    """The middle between eyes and mouth, and the way from the eyes to the mouth, both (B,2).

    It is at least as long as the way between the eyes, so that it keeps its length where the head is lowered.
    """
    eye, other, _, corner, other_corner = five_points(landmarks).unbind(1)
    eyes, mouth = (eye + other) / 2, (corner + other_corner) / 2
    down = mouth - eyes
    length = down.norm(dim=-1, keepdim=True).clamp_min(1e-6)
    return (eyes + mouth) / 2, down * torch.maximum(length, (other - eye).norm(dim=-1, keepdim=True)) / length


def _in_oval(draws: Draws, image: Tensor, landmarks: Tensor, chance: NDArray[np.float64]) -> Tensor:
    """Black, or one colour, around an ellipse from hairline to chin in some of the pictures, each by its chance."""
    rows = np.flatnonzero(draws.uniform("is oval") < chance)
    if not len(rows):
        return image
    some, u = torch.from_numpy(rows).to(image.device), draws.uniform("oval", 6)[rows]
    middle, down = _frame(landmarks[some])
    size = down.norm(dim=-1).view(-1, 1, 1)
    colour = torch.from_numpy(np.where(u[:, :1] < 0.6, 0.0, u[:, 1:4])).to(image)[..., None, None]
    height = size * (1.1 + 0.25 * per_picture(u[:, 4], image)[:, 0])
    width = size * (0.8 + 0.25 * per_picture(u[:, 5], image)[:, 0])
    y = torch.arange(image.shape[-2], device=image.device).to(image).view(1, -1, 1) - middle[:, 1].view(-1, 1, 1)
    x = torch.arange(image.shape[-1], device=image.device).to(image).view(1, 1, -1) - middle[:, 0].view(-1, 1, 1)
    unit_x, unit_y = (down[:, axis].view(-1, 1, 1) / size for axis in (0, 1))
    along, across = (x * unit_x + y * unit_y) / height, (x * unit_y - y * unit_x) / width
    inside = (along.square() + across.square() <= 1)[:, None]
    return image.index_copy(0, some, torch.where(inside, image[some], colour))


def _softened(draws: Draws, image: Tensor) -> Tensor:
    """Half of the detail, or less, in a fifth of the pictures."""
    rows = np.flatnonzero(draws.chance("is soft", 0.2))
    if not len(rows):
        return image
    some = torch.from_numpy(rows).to(image.device)
    amount = per_picture(draws.uniform("softness")[rows], image)
    sharp = image[some]
    coarse = F.interpolate(F.avg_pool2d(sharp, 2), size=image.shape[-2:], mode="bilinear")
    return image.index_copy(0, some, torch.lerp(sharp, coarse, amount))


def _lit(draws: Draws, image: Tensor, strength: NDArray[np.float64]) -> Tensor:
    """Encoded values times a gain, a tint, and a slope across and down the picture; crude, and fast."""
    numbers = torch.from_numpy(strength[:, None] * draws.normal("light", 6, limit=2)).to(image)
    height, width = image.shape[-2:]
    x = torch.linspace(-1, 1, width, device=image.device)
    y = torch.linspace(-1, 1, height, device=image.device)
    slope = (numbers[:, :1] * x).exp()[:, None, None, :] * (numbers[:, 1:2] * y).exp()[:, None, :, None]
    gain = (numbers[:, 2:3] + 0.25 * numbers[:, 3:]).exp()[..., None, None]
    return (image * gain * slope).clamp_(0, 1)


def _jittered(draws: Draws, landmarks: Tensor, jitter: PointJitter) -> Tensor:
    middle, down = _frame(landmarks)
    numbers = torch.from_numpy(draws.normal("points", 4)).to(landmarks)
    noise = torch.from_numpy(draws.normal("each point", *landmarks.shape[1:])).to(landmarks)
    size = down.norm(dim=-1).view(-1, 1, 1)
    factor, angle = (jitter.scale * numbers[:, 2]).exp(), np.radians(jitter.roll) * numbers[:, 3]
    cos, sin = factor * angle.cos(), factor * angle.sin()
    turn = torch.stack((torch.stack((cos, -sin), -1), torch.stack((sin, cos), -1)), 1)
    moved = (landmarks - middle[:, None]) @ turn.mT + middle[:, None]
    return moved + size * (jitter.shift * numbers[:, None, :2] + jitter.noise * noise)
