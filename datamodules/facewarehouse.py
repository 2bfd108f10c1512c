"""FaceWarehouse: 150 people making twenty faces, photographed, and meshes of one topology fitted to each."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor

from datamodules.about import missing
from datamodules.scan_photos import ScanPhoto, ScanPhotos
from datamodules.scans import Scan, read_scan
from zoo.errors import UserError
from zoo.faces import Face

__all__ = ["FaceWarehouse", "read_land"]

_NOSE_TIP = 8972
_POINTS_SIDE, _POINTS_BELOW = 0.685, 0.108
"""The longer side of the box around a face's points, and how far its middle lies below that of the canonical crop, in
sides of the crop: means of ten portraits, by iBUG's points, whose outline FaceWarehouse's points share."""


class FaceWarehouse(ScanPhotos):
    """FaceWarehouse's photos in the training poses, each with its mesh.

    Keys and arguments are those of ``ScanPhotos``; ``group`` is the pose. A face lies where the 74 points of
    ``pose_<i>.land`` are. They are not those of iBUG, and so give the frame alone, in which the landmark network finds
    the 68 points.

    The published figures of Deep3DFaceRecon are on 9 people in 20 expressions, 180 meshes, as MoFA's authors chose
    them; name those by ``testers``.

    No document that we know of states the unit of the meshes; it is taken for a decimetre, and a mesh that so comes out
    too small or too large for a head is refused. That vertex 8972 is the tip of the nose is what others' code takes it
    for.

    Args:
        folder: Holds ``Tester_1`` to ``Tester_150``.
        size: Height and width of a batch: squares around the faces, upright as the photos are.
        margin: What to add to the canonical crop of ``zoo.faces`` on each edge, as a share of its side.
        batch_size: Samples in a batch, on each device.
        num_workers: Processes that load; 0 loads in the main one.
        seed: Taken by all data; nothing is drawn here.
        testers: The numbers of the people; all that are there by default.
        millimetres: How many one unit of the meshes has.
        nose_vertex: Which vertex of the common topology (11,510 vertices) is the tip of the nose, from 0.
        landmark_vertices: Which are the seven landmarks of ``datamodules.scans.Scan``, from 0; none by default, as no
            list of them is published.

    Raises:
        UserError: The data is not there, or damaged.

    Source: Cao et al., FaceWarehouse: A 3D Facial Expression Database for Visual Computing, TVCG 2014.
    """

    title = "FaceWarehouse"

    def __init__(
        self,
        folder: str,
        size: int = 320,
        margin: float = 0.3,
        batch_size: int = 8,
        num_workers: int = 0,
        seed: int = 0,
        testers: Sequence[int] | None = None,
        millimetres: float = 100.0,
        nose_vertex: int = _NOSE_TIP,
        landmark_vertices: Sequence[int] | None = None,
    ) -> None:
        super().__init__(folder, size, margin, batch_size, num_workers, seed)
        if landmark_vertices is not None and len(landmark_vertices) != 7:
            raise UserError(f"landmark_vertices has {len(landmark_vertices)} numbers; there are 7 landmarks.")
        if millimetres <= 0:
            raise UserError(f"millimetres is {millimetres}; one unit of the meshes has more than 0.")
        self.testers = None if testers is None else list(testers)
        self.millimetres, self.nose_vertex = millimetres, nose_vertex
        self.landmark_vertices = None if landmark_vertices is None else list(landmark_vertices)

    @cached_property
    def photos(self) -> list[ScanPhoto]:
        """The photos by person and pose."""
        there = {
            int(match[1]): path
            for path in self.folder.glob("Tester_*")
            if (match := re.fullmatch(r"Tester_(\d+)", path.name)) and path.is_dir()
        }
        if not there:
            raise missing("facewarehouse", f"there is no folder Tester_1 or the like in {self.folder}")
        photos = []
        for number in sorted(there) if self.testers is None else self.testers:
            if number not in there:
                raise missing("facewarehouse", f"there is no {self.folder / f'Tester_{number}'}")
            folder = there[number] / "TrainingPose"
            files = sorted(folder.glob("pose_*.png"), key=lambda file: (len(file.stem), file.stem))
            if not files:
                raise missing("facewarehouse", f"there is no pose_0.png or the like in {folder}")
            for file in files:
                absent = next((f for s in (".obj", ".land") if not (f := file.with_suffix(s)).is_file()), None)
                if absent is not None:
                    raise missing("facewarehouse", f"there is no {absent}")
                photos.append(ScanPhoto(f"Tester_{number}/{file.stem}", file, number, file.stem))
        return photos

    def scan(self, photo: ScanPhoto) -> Scan:
        """The mesh of the same pose."""
        path = photo.file.with_suffix(".obj")
        vertices, triangles = read_scan(path, self.millimetres)
        chosen = [self.nose_vertex, *(self.landmark_vertices or ())]
        if not 0 <= min(chosen) <= max(chosen) < len(vertices):
            raise UserError(
                f"{path} has {len(vertices)} vertices, and no number {max(chosen)}; name other ones by "
                "--data.nose_vertex and --data.landmark_vertices."
            )
        landmarks = vertices[self.landmark_vertices] if self.landmark_vertices else None
        return Scan(path, vertices, triangles, landmarks, vertices[self.nose_vertex])

    def face(self, photo: ScanPhoto, image: Tensor) -> Face | None:
        """The face around the points of ``pose_<i>.land``."""
        points = read_land(photo.file.with_suffix(".land"), image.shape[-2], image.shape[-1])
        low, high = points.amin(0), points.amax(0)
        side = float((high - low).max()) / _POINTS_SIDE
        x, y = ((low + high) / 2).tolist()
        y -= _POINTS_BELOW * side
        half = side / 2
        return Face((x - half, y - half, x + half, y + half), 1.0, framed=True)


def read_land(path: Path, height: int, width: int) -> Tensor:
    """The points of a ``.land`` file: their number, then a line ``x y`` for each, as shares of the picture, y up.

    Args:
        path: The file.
        height: Of the picture.
        width: Of the picture.

    Returns:
        (P,2) float32 in pixels; the centre of the top-left pixel is (0,0).

    Raises:
        UserError: The file is missing or damaged, or holds too few points.
    """
    try:
        words = path.read_text(encoding="ascii").split()
        count, numbers = int(words[0]), torch.tensor([float(word) for word in words[1:]])
    except OSError as problem:
        raise UserError(f"the points {path} cannot be read ({(problem.strerror or '').lower()}).") from problem
    except (ValueError, IndexError, UnicodeDecodeError) as problem:
        raise UserError(f"{path} is damaged, or no file of points. Copy it again.") from problem
    if len(numbers) != 2 * count or count < 3 or not bool(torch.isfinite(numbers).all()):
        raise UserError(f"{path} should hold {count} points, and has {len(numbers) // 2}. Copy it again.")
    shares = numbers.view(-1, 2)
    return torch.stack((shares[:, 0] * width - 0.5, (1 - shares[:, 1]) * height - 0.5), -1)
