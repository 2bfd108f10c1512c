"""Photos of faces with 68 landmarks and no other label, from which aligned faces are cut."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import pad

from datamodules.about import missing
from datamodules.base import BatchDataset, ZooDataModule
from datamodules.cache import ArrayCache, MappedArrays
from datamodules.crops import hash_share
from datamodules.loader import epoch_and_sample
from datamodules.storage import pack, unpack
from zoo.errors import UserError
from zoo.faces import Crop, aligned_boxes, detect_faces, find_landmarks, read_landmarks
from zoo.faces.landmark_files import face_from_landmarks
from zoo.imaging import find_images, read_image

__all__ = ["FacePhotos"]

_NOT_PHOTOS = ("mask", "vis", "remove")
"""Folders beside the photos in which Deep3DFaceRecon's preparation puts pictures of its own."""


class FacePhotos(ZooDataModule):
    """Squares around the faces in a folder of photos: ``image``, ``landmarks`` and ``name`` in each batch.

    Landmarks of ``photos/anna.jpg`` are taken from the first of these that there is: ``photos/landmarks/anna.txt``, 68
    points as the preparation of Deep3DFaceRecon saves them, y counted up from the bottom row; ``photos/anna.txt``, 5 or
    68 lines of ``x y``, y counted down from the top row; the face detector. Five points are where 68 are searched for.
    Photos without a face are left out, and how many is said. Squares are cut once and kept; they are black where a
    photo ends.

    Args:
        folder: Photos, also in folders inside it.
        size: Height and width of a square; ``margin`` times that of the aligned faces that are to be cut from it.
        margin: Side of a square in sides of the aligned one, so that there is room for jitter.
        masks: Read ``photos/mask/anna.png`` beside each photo as ``mask``; every photo must have one.
        detector: As ``zoo.faces.detect_faces`` takes it.
        batch_size: Samples in a batch, on each device.
        num_workers: Processes that load; 0 loads in the main one.
        seed: Of the order.
        val_share: Share of photos for validation.
        test_share: Share of photos for the test.

    Raises:
        UserError: There are no photos, no faces in them, or a file of landmarks or a mask that cannot be used.
    """

    def __init__(
        self,
        folder: str,
        size: int = 304,
        margin: float = 1.35,
        masks: bool = False,
        detector: str = "auto",
        batch_size: int = 16,
        num_workers: int = 0,
        seed: int = 0,
        val_share: float = 0.1,
        test_share: float = 0.1,
    ) -> None:
        super().__init__(batch_size, num_workers, seed)
        if size < 16 or margin < 1:
            raise UserError(f"size is {size} and margin {margin}; take at least 16 pixels, and 1.")
        if min(val_share, test_share) < 0 or val_share + test_share > 1:
            raise UserError(f"val_share is {val_share} and test_share {test_share}; shares are at most 1 together.")
        self.folder, self.size, self.margin, self.masks = Path(folder).expanduser(), size, margin, masks
        self.detector, self.shares = detector, (test_share, val_share)

    def prepare_data(self) -> None:
        """Cut the squares. Lightning calls it on one rank a node."""
        lacking = int((self._squares["found"] == 0).sum())
        if lacking:
            count = len(self._files)
            print(f"zoo: {lacking} of {count} photos in {self.folder} show no face; left out.", file=sys.stderr)

    def dataset(self, split: str) -> BatchDataset:
        """The photos of a split, which the file's name decides; ``predict`` is all of them.

        Raises:
            UserError: There are none.
        """
        names = [file.relative_to(self.folder).as_posix() for file in self._files]
        limits = {"test": (0.0, self.shares[0]), "val": (self.shares[0], sum(self.shares)), "predict": (0.0, 1.0)}
        low, high = limits.get(split, (sum(self.shares), 1.0))
        found = self._squares["found"]
        rows = [row for row, name in enumerate(names) if low <= hash_share(name) < high and found[row]]
        if not rows:
            raise UserError(
                f"no photo with a face in {self.folder} falls to '{split}'; add photos, or change the shares."
            )
        keys = ("image", "landmarks", "mask") if self.masks else ("image", "landmarks")
        return _Squares(self._squares, rows, [names[row] for row in rows], keys)

    @cached_property
    def _files(self) -> list[Path]:
        if not self.folder.is_dir():
            raise missing("face_photos", f"{self.folder} does not exist")
        return [f for f in find_images([self.folder], recursive=True) if f.parent.name not in _NOT_PHOTOS]

    @cached_property
    def _squares(self) -> dict[str, NDArray[Any]]:
        """All squares on disk, and which photos have a face: ``found`` (N,) is 0 where there is none."""
        files = self._files
        if not files:
            raise missing("face_photos", f"{self.folder} holds no photos")

        def produce(start: int, end: int) -> dict[str, NDArray[Any]]:
            rows = [self._square(file) for file in files[start:end]]
            return pack({key: torch.stack([row[key] for row in rows]) for key in rows[0]})

        known = hashlib.sha256()
        for path in (path for file in files for path in (file, *self._beside(file))):
            if path.is_file():
                state = path.stat()
                known.update(f"{path.resolve()} {state.st_size} {state.st_mtime_ns}\n".encode())
        settings = {"size": self.size, "margin": self.margin, "masks": self.masks, "detector": self.detector}
        cache = ArrayCache(
            "face-photos",
            {**settings, "files": known.hexdigest()},
            len(files),
            title=f"{len(files)} faces of {self.folder}",
            remedy="make smaller squares (size)",
        )
        arrays = cache.ensure(produce, chunk=16)
        if not arrays["found"].any():
            raise UserError(f"no face was found in the {len(files)} photos in {self.folder}. Are they upright?")
        return arrays

    def _beside(self, photo: Path) -> tuple[Path, Path, Path]:
        """Where landmarks with y up, landmarks with y down, and the mask of a photo may lie."""
        text = f"{photo.stem}.txt"
        return photo.parent / "landmarks" / text, photo.parent / text, photo.parent / "mask" / f"{photo.stem}.png"

    def _square(self, file: Path) -> dict[str, Tensor]:
        photo = read_image(file)
        points = self._landmarks(file, photo)
        found = torch.tensor(0 if points is None else 1, dtype=torch.uint8)
        if points is None:
            crop, points = Crop((0.0, 0.0), 1.0, self.size), torch.zeros(68, 2)
        else:
            centre, side = aligned_boxes(points[None].double())
            x, y = centre[0].tolist()
            crop = Crop((x, y), side.item() * self.margin, self.size)
            points = crop.to_crop(points.double()).float()
        square = {"image": _cut(photo, crop), "landmarks": points, "found": found}
        return {**square, "mask": _cut(self._mask(file, photo), crop)} if self.masks else square

    def _landmarks(self, file: Path, photo: Tensor) -> Tensor | None:
        """(68, 2) in pixels of the photo; None where there is no face."""
        up, down, _ = self._beside(file)
        if up.is_file():
            points = read_landmarks(up, photo, y_up=True)
            if len(points) != 68:
                raise UserError(f"{up} holds {len(points)} points; 68 are needed in a folder called landmarks.")
            return points
        if down.is_file():
            points = read_landmarks(down, photo)
            return points if len(points) == 68 else find_landmarks(photo, face_from_landmarks(points)).landmarks
        face = next(iter(detect_faces(photo, self.detector)), None)
        return None if face is None else find_landmarks(photo, face).landmarks

    def _mask(self, file: Path, photo: Tensor) -> Tensor:
        path = self._beside(file)[2]
        if not path.is_file():
            raise UserError(f"{file} has no mask: {path} does not exist. Set masks to false to go without.")
        mask = read_image(path)[:1]
        if mask.shape[-2:] != photo.shape[-2:]:
            raise UserError(f"{path} is not as large as its photo {file}.")
        return mask


_BLACK = 3
"""Pixels of black around a photo; what lies beyond them goes on as they do."""


def _cut(picture: Tensor, crop: Crop) -> Tensor:
    """The crop of (C,H,W), black outside of the picture."""
    x, y = crop.centre
    moved = Crop((x + _BLACK, y + _BLACK), crop.side, crop.size, crop.roll)
    return moved.cut(pad(picture, (_BLACK,) * 4))


class _Squares(BatchDataset):
    """Some rows of the squares, as they are."""

    def __init__(
        self, arrays: dict[str, NDArray[Any]], rows: Sequence[int], names: Sequence[str], keys: Sequence[str]
    ) -> None:
        self.rows, self.names, self.keys = list(rows), list(names), tuple(keys)
        self.arrays = MappedArrays({key: arrays[key] for key in keys})

    def __len__(self) -> int:
        return len(self.rows)

    def batch(self, indices: Sequence[int]) -> dict[str, Any]:
        places = [epoch_and_sample(index, len(self))[1] for index in indices]
        batch: dict[str, Any] = unpack(self.arrays.rows([self.rows[place] for place in places]), self.keys)
        return {**batch, "name": [self.names[place] for place in places]}
