"""Any folder of photos of faces, without labels."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from numpy.typing import NDArray
from torch import Tensor

from datamodules.base import BatchDataset, ZooDataModule
from datamodules.crops import CroppedFaces, crops_of, hash_share
from zoo.errors import UserError
from zoo.faces import Face, detect_faces, read_landmarks, whole_picture
from zoo.faces.landmark_files import face_from_landmarks
from zoo.imaging import find_images

__all__ = ["ImageFolder"]


class ImageFolder(ZooDataModule):
    """Face crops of the photos in a folder: ``image``, ``mask`` and ``name`` in each batch.

    Crops have the framing of ``zoo.faces``, are cut once and kept. Photos in which no face is found are left out, and
    how many is said. The mask is the polygon of 68 landmarks where a photo has them, else an ellipse.

    Args:
        folder: A folder, also with folders inside it, a file, or a pattern like 'photos/*.jpg'.
        size: Height and width of a crop.
        batch_size: Samples in a batch, on each device.
        num_workers: Processes that load; 0 loads in the main one.
        seed: Of order and augmentation.
        faces: "find" looks for the largest face, "whole" takes each picture as a face crop already.
        detector: As ``zoo.faces.detect_faces`` takes it.
        landmarks: A folder with a text file of 5 or 68 ``x y`` lines for each photo, under the photo's name with .txt;
            a photo without one is left to the detector. Files beside the photos are found without this.
        val_share: Share of photos for validation.
        test_share: Share of photos for the test.
        flip: Mirror half of the training samples, others in each epoch.

    Raises:
        UserError: There are no images, or no faces in them.
    """

    def __init__(
        self,
        folder: str,
        size: int = 128,
        batch_size: int = 16,
        num_workers: int = 0,
        seed: int = 0,
        faces: str = "find",
        detector: str = "auto",
        landmarks: str | None = None,
        val_share: float = 0.1,
        test_share: float = 0.1,
        flip: bool = True,
    ) -> None:
        super().__init__(batch_size, num_workers, seed)
        if faces not in ("find", "whole"):
            raise UserError(f"faces is '{faces}'; say find or whole.")
        if val_share < 0 or test_share < 0 or val_share + test_share > 1:
            raise UserError(f"val_share is {val_share} and test_share {test_share}; shares are at most 1 together.")
        self.folder, self.size, self.faces, self.detector, self.flip = folder, size, faces, detector, flip
        self.landmarks = Path(landmarks).expanduser() if landmarks else None
        self.shares = (test_share, val_share)

    def prepare_data(self) -> None:
        """Cut the crops. Lightning calls it on one rank a node."""
        self._crops()

    def dataset(self, split: str) -> BatchDataset:
        """The photos of a split, which the file's name decides; ``predict`` is all of them, not mirrored."""
        files, arrays = self._crops()
        names = _names(files)
        limits = {"test": (0.0, self.shares[0]), "val": (self.shares[0], sum(self.shares))}
        low, high = limits.get(split, (sum(self.shares) if split == "train" else 0.0, 1.0))
        rows = [row for row, name in enumerate(names) if low <= hash_share(name) < high]
        data = CroppedFaces(arrays, rows, names, self.flip and split == "train", self.seed)
        if not len(data):
            raise UserError(
                f"no photo with a face in {self.folder} falls to '{split}'; add photos, or change the shares."
            )
        return data

    def _crops(self) -> tuple[list[Path], dict[str, NDArray[Any]]]:
        if not Path(self.folder).expanduser().is_dir():
            raise UserError(f"{self.folder} does not exist; name a folder of photos by --data.folder FOLDER.")
        files = find_images([self.folder], recursive=True)
        settings = {
            "faces": self.faces,
            "detector": self.detector,
            "landmarks": [_mark(f) for f in map(self._points, files)],
        }
        arrays = crops_of("crops", files, self.size, self._find, settings, f"{len(files)} face crops of {self.folder}")
        if not arrays["found"].any():
            raise UserError(
                f"no face was found in the {len(files)} photos in {self.folder}. Are they upright and in plain view? "
                "(--data.faces whole takes each picture as a face crop)"
            )
        return files, arrays

    def _find(self, file: Path, image: Tensor) -> Face | None:
        points = self._points(file)
        if points is not None:
            return face_from_landmarks(read_landmarks(points, image))
        if self.faces == "whole":
            return whole_picture(image)
        return next(iter(detect_faces(image, self.detector)), None)

    def _points(self, file: Path) -> Path | None:
        points = (self.landmarks or file.parent) / f"{file.stem}.txt"
        return points if points.is_file() else None


def _mark(points: Path | None) -> str:
    return f"{points} {points.stat().st_mtime_ns}" if points else ""


def _names(files: Sequence[Path]) -> list[str]:
    """Names that tell the files apart: their paths below the folder that all share."""
    if len(files) == 1:
        return [files[0].name]
    parents = [file.parent.resolve() for file in files]
    depth = next(
        (i for i, parts in enumerate(zip(*(p.parts for p in parents), strict=False)) if len(set(parts)) > 1),
        min(len(p.parts) for p in parents),
    )
    return ["/".join((*parent.parts[depth:], file.name)) for parent, file in zip(parents, files, strict=True)]
