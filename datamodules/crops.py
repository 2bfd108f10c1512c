"""Face crops of photos, cut once and kept: photos in, arrays of crops out."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from datamodules.augment import flip_coins, hflip
from datamodules.base import BatchDataset
from datamodules.cache import ArrayCache, MappedArrays
from datamodules.face_mask import ellipse_mask, mask_from_landmarks
from datamodules.loader import epoch_and_sample
from datamodules.storage import unpack
from zoo.faces import Face, square_crop
from zoo.imaging import read_image

__all__ = ["CroppedFaces", "FindFace", "crops_of"]

FindFace = Callable[[Path, Tensor], Face | None]
"""From a file and its picture (3,H,W) to the face that is meant, or None where there is none."""


def crops_of(
    name: str, files: Sequence[Path], size: int, find: FindFace, settings: dict[str, Any], title: str
) -> dict[str, NDArray[Any]]:
    """Square face crops of many photos, in the framing of ``zoo.faces``, as a cache on disk.

    Args:
        name: What the cache is called.
        files: The photos.
        size: Height and width of a crop.
        find: Says which face of a photo is meant.
        settings: What else decides the crops, such as the detector's name.
        title: What people are told is being made.

    Returns:
        Memory-mapped: image (N,3,size,size), mask (N,1,size,size), and found (N,), 0 where a photo has no face.

    Raises:
        UserError: A photo cannot be read; the disk is full.
    """

    def produce(start: int, end: int) -> dict[str, NDArray[Any]]:
        rows = [_crop(file, size, find) for file in files[start:end]]
        return {key: np.stack([row[key] for row in rows]) for key in rows[0]}

    known = hashlib.sha256()
    for file in files:
        state = file.stat()
        known.update(f"{file.resolve()} {state.st_size} {state.st_mtime_ns}\n".encode())
    cache = ArrayCache(
        name,
        {**settings, "size": size, "files": known.hexdigest()},
        len(files),
        title=title,
        remedy="make smaller crops (--data.size)",
    )
    return cache.ensure(produce, chunk=64)


def _crop(file: Path, size: int, find: FindFace) -> dict[str, NDArray[Any]]:
    image = read_image(file)
    face = find(file, image)
    if face is None:
        return {
            "image": np.zeros((3, size, size), np.uint8),
            "mask": np.zeros((1, size, size), np.uint8),
            "found": np.array(0, np.uint8),
        }
    picture, crop = square_crop(image, face, size)
    if face.landmarks is not None and len(face.landmarks) == 68:
        mask = mask_from_landmarks(crop.to_crop(face.landmarks)[None], size, size)[0]
    else:
        mask = ellipse_mask(size)
    return {
        "image": (picture.clamp(0, 1) * 255).round().byte().numpy(),
        "mask": (mask * 255).byte().numpy(),
        "found": np.array(1, np.uint8),
    }


class CroppedFaces(BatchDataset):
    """Some rows of such arrays as batches with ``image``, ``mask`` and ``name``.

    Args:
        arrays: From ``crops_of``.
        rows: Which of them; those without a face are left out.
        names: What each photo is called, for all rows of ``arrays``.
        flip: Mirror half of the samples, others in each epoch.
        seed: Of the mirroring.
    """

    def __init__(
        self, arrays: dict[str, NDArray[Any]], rows: Sequence[int], names: Sequence[str], flip: bool, seed: int
    ) -> None:
        self.rows = [row for row in rows if arrays["found"][row]]
        self.names = [names[row] for row in self.rows]
        self.arrays = MappedArrays({key: arrays[key] for key in ("image", "mask")})
        self.flip, self.seed = flip, seed

    def __len__(self) -> int:
        return len(self.rows)

    def batch(self, indices: Sequence[int]) -> dict[str, Any]:
        """The samples of these indices, collated."""
        places = [epoch_and_sample(index, len(self))[1] for index in indices]
        batch: dict[str, Any] = unpack(self.arrays.rows([self.rows[place] for place in places]), ("image", "mask"))
        batch["name"] = [self.names[place] for place in places]
        return hflip(batch, flip_coins(self.seed, indices)) if self.flip else batch


def hash_share(name: str) -> float:
    """A number in [0, 1) that depends on a name alone, to share files out to splits."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:6], "big") / 2**48
