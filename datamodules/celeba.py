"""CelebA: portraits of celebrities, the real half of SfSNet's training."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from datamodules.about import missing
from datamodules.base import BatchDataset, ZooDataModule
from datamodules.crops import CroppedFaces, crops_of
from zoo.errors import UserError
from zoo.faces import Face
from zoo.faces.landmark_files import face_from_landmarks

__all__ = ["CelebA"]

_LANDMARKS, _PARTITION = "list_landmarks_align_celeba.txt", "list_eval_partition.txt"
_SPLITS = ("train", "val", "test")


class CelebA(ZooDataModule):
    """Aligned CelebA as face crops: ``image``, ``mask`` and ``name`` in each batch.

    Args:
        folder: Holds ``img_align_celeba``, ``list_landmarks_align_celeba.txt`` and ``list_eval_partition.txt``.
        size: Height and width of a crop.
        batch_size: Samples in a batch, on each device.
        num_workers: Processes that load; 0 loads in the main one.
        seed: Of order and augmentation.
        landmarks68: A text file of 68 points for each picture: its name and 136 numbers ``x y x y …`` a line, in pixels
            of the aligned picture. Crops and masks are then made from these; otherwise crops from the five points that
            CelebA has, and masks are an ellipse.
        limit: At most this many pictures of each split; 0 for all.
        flip: Mirror half of the training samples, others in each epoch.

    Raises:
        UserError: The data is not there, or a list is damaged.
    """

    def __init__(
        self,
        folder: str,
        size: int = 128,
        batch_size: int = 16,
        num_workers: int = 0,
        seed: int = 0,
        landmarks68: str | None = None,
        limit: int = 0,
        flip: bool = True,
    ) -> None:
        super().__init__(batch_size, num_workers, seed)
        self.folder, self.size, self.limit, self.flip = Path(folder).expanduser(), size, limit, flip
        self.landmarks68 = Path(landmarks68).expanduser() if landmarks68 else None

    def prepare_data(self) -> None:
        """Cut the crops. Lightning calls it on one rank a node."""
        for split in _SPLITS:
            self._crops(split)

    def dataset(self, split: str) -> BatchDataset:
        """The pictures of CelebA's own partition; ``predict`` is the training part, in order and not mirrored."""
        names, arrays = self._crops("train" if split == "predict" else split)
        return CroppedFaces(arrays, range(len(names)), names, self.flip and split == "train", self.seed)

    def _crops(self, split: str) -> tuple[list[str], dict[str, NDArray[Any]]]:
        names = self._names(split)
        files = [self.folder / "img_align_celeba" / name for name in names]
        absent = next((file for file in files if not file.is_file()), None)
        if absent is not None:
            raise missing("celeba", f"{absent} is missing")
        source = self.landmarks68 or self.folder / _LANDMARKS
        if not source.is_file():
            raise missing("celeba", f"there is no {source}")
        settings = {"landmarks": str(source), "changed": source.stat().st_mtime_ns}
        title = f"{len(files)} face crops of CelebA ({split})"
        return names, crops_of(f"celeba-{split}", files, self.size, self._find, settings, title)

    def _find(self, file: Path, image: Tensor) -> Face | None:
        points = self._points.get(file.name)
        if points is None:
            raise UserError(f"{self.landmarks68 or _LANDMARKS} has no line for {file.name}. Copy it again.")
        return face_from_landmarks(points)

    def _names(self, split: str) -> list[str]:
        number = str(_SPLITS.index(split))
        names = [words[0] for words in self._lines(self.folder / _PARTITION, 2) if words[1] == number]
        if not names:
            raise missing("celeba", f"{self.folder / _PARTITION} lists no picture of the split '{split}'")
        return names[: self.limit or None]

    @cached_property
    def _points(self) -> dict[str, Tensor]:
        if self.landmarks68:
            lines = self._lines(self.landmarks68, 137)
        else:
            lines = self._lines(self.folder / _LANDMARKS, 11, header=2)
        return {words[0]: torch.tensor([float(word) for word in words[1:]]).view(-1, 2) for words in lines}

    def _lines(self, path: Path, words: int, header: int = 0) -> list[list[str]]:
        if not path.is_file():
            raise missing("celeba", f"there is no {path}")
        rows = [line.split() for line in path.read_text().splitlines()[header:] if line.strip()]
        for number, row in enumerate(rows, start=header + 1):
            if len(row) != words:
                raise UserError(f"{path}, line {number}: {len(row)} words where {words} are expected. Copy it again.")
        return rows
