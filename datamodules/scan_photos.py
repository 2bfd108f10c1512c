"""Photos of people whose heads are scanned: batches of faces, each with its scan, and single samples."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from datamodules.base import ZooDataModule
from datamodules.samples import SampleDataset
from datamodules.sampling.draws import Draws
from datamodules.scans import Scan
from datamodules.wide_faces import check_square, wide_face
from zoo.errors import UserError
from zoo.faces import Face, detect_faces, find_landmarks, read_landmarks
from zoo.faces.landmark_files import face_from_landmarks
from zoo.imaging import read_image

__all__ = ["ScanPhoto", "ScanPhotos", "ScanSample"]


@dataclass(frozen=True)
class ScanPhoto:
    """Where a photo lies, and what it shows.

    Args:
        name: Tells it from all others.
        file: The picture.
        person: Number of the person.
        group: The part of the protocol that it belongs to: a challenge, a camera, an expression.
    """

    name: str
    file: Path
    person: int
    group: str


@dataclass(frozen=True)
class ScanSample:
    """A photo with what there is to be measured against.

    Args:
        photo: Where it lies, and what it shows.
        image: (3,H,W) sRGB-encoded in [0, 1], the whole photo.
        landmarks: (68,2) in its pixels, or None where no face was found.
        scan: Of the person's head.
    """

    photo: ScanPhoto
    image: Tensor
    landmarks: Tensor | None
    scan: Scan


class ScanPhotos(ZooDataModule):
    """Photos with scans, for evaluation: ``val``, ``test`` and ``predict`` are all of them, and there is no training.

    In each batch ``image`` and ``landmarks`` of a square around each face, ``person``, ``name`` and ``group``, and
    lists of one tensor a photo, because scans differ in size: ``native_scan_vertices`` (V,3) in millimetres,
    ``native_scan_triangles`` (T,3), ``native_scan_landmarks`` (7,3), and ``native_nose_tip`` (3,); the last two are
    empty, (0,3) and (0,), where the data does not say. ``zoo.metrics.ScanError`` and ``NowError`` take these lists.
    ``samples`` gives the whole photos one by one instead.

    The landmarks are read from a text file of 5 or 68 points beside a photo (``IMG_0041.txt``, see
    ``zoo.faces.read_landmarks``) where there is one. Otherwise the landmark network of ``zoo.faces`` finds them in the
    face that the data's own marks, or a detector, frame.

    Args:
        folder: Of the data.
        size: Height and width of a batch: squares around the faces, upright as the photos are.
        margin: What to add to the canonical crop of ``zoo.faces`` on each edge, as a share of its side.
        batch_size: Samples in a batch, on each device.
        num_workers: Processes that load; 0 loads in the main one.
        seed: Taken by all data; nothing is drawn here.
        detector: What finds a face where the data does not say where it is; see ``zoo.faces.detect_faces``.
    """

    evaluation_only = True
    title = ""

    def __init__(
        self,
        folder: str,
        size: int = 320,
        margin: float = 0.3,
        batch_size: int = 8,
        num_workers: int = 0,
        seed: int = 0,
        detector: str = "auto",
    ) -> None:
        super().__init__(batch_size, num_workers, seed)
        check_square(size, margin)
        self.folder, self.size, self.margin, self.detector = Path(folder).expanduser(), size, margin, detector

    @property
    @abstractmethod
    def photos(self) -> Sequence[ScanPhoto]:
        """All photos of the protocol, in order.

        Raises:
            UserError: The data is not there, or incomplete.
        """

    @abstractmethod
    def scan(self, photo: ScanPhoto) -> Scan:
        """The scan that a photo is measured against.

        Raises:
            UserError: It is missing or damaged.
        """

    def face(self, photo: ScanPhoto, image: Tensor) -> Face | None:
        """The face that is meant, from the data's own marks where it has some; None where none is found."""
        return next(iter(detect_faces(image, self.detector)), None)

    def landmarks(self, photo: ScanPhoto, image: Tensor) -> Tensor | None:
        """The 68 points of a photo's face, (68,2) in its pixels, or None where no face is found.

        Raises:
            UserError: The text file beside the photo holds something else than 5 or 68 points.
        """
        points = photo.file.with_suffix(".txt")
        if points.is_file():
            face: Face | None = face_from_landmarks(read_landmarks(points, image))
        else:
            face = self.face(photo, image)
        if face is not None and (face.landmarks is None or len(face.landmarks) != 68):
            face = find_landmarks(image, face)
        if face is None or face.landmarks is None:
            return None
        return face.landmarks.clone()  # what was found in inference mode could not be learned from

    def samples(self) -> Iterator[ScanSample]:
        """The photos one by one, whole, each with its scan."""
        for photo in self.photos:
            image = read_image(photo.file)
            yield ScanSample(photo, image, self.landmarks(photo, image), self.scan(photo))

    def prepare_data(self) -> None:
        """Look that the data is there."""
        _ = self.photos

    def dataset(self, split: str) -> SampleDataset:
        """The photos, in order."""
        if split == "train":
            raise UserError(f"{self.title} is for evaluation: train on another data set, such as 300wlp.")
        return _Faces(self, split)


class _Faces(SampleDataset):
    def __init__(self, data: ScanPhotos, split: str) -> None:
        self.data, self.photos = data, list(data.photos)
        super().__init__(len(self.photos), split, data.seed)

    def read(self, sample: int, draws: Draws) -> dict[str, Any]:
        photo, data = self.photos[sample], self.data
        whole = read_image(photo.file)
        points = data.landmarks(photo, whole)
        if points is None:
            raise UserError(
                f"no face found in {photo.file}: write 5 or 68 lines 'x y' into {photo.file.with_suffix('.txt').name} "
                "beside it."
            )
        image, landmarks = wide_face(whole, points, data.size, data.margin, photo.file)
        scan = data.scan(photo)
        return {
            "image": image,
            "landmarks": landmarks,
            "person": torch.tensor(photo.person),
            "name": photo.name,
            "group": photo.group,
            "native_scan_vertices": scan.vertices,
            "native_scan_triangles": scan.triangles,
            "native_scan_landmarks": torch.zeros(0, 3) if scan.landmarks is None else scan.landmarks,
            "native_nose_tip": torch.zeros(0) if scan.nose_tip is None else scan.nose_tip,
        }
