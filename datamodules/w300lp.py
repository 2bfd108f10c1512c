"""300W-LP: the photos of 300W, and each of them again with the head turned aside by way of a fitted 3D face."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor

from datamodules.about import missing
from datamodules.base import ZooDataModule
from datamodules.crops import hash_share
from datamodules.matlab_faces import absolute_yaw, landmarks_of, pose_of, read_face_mat, rotation_from_3ddfa
from datamodules.samples import SampleDataset
from datamodules.sampling.draws import Draws
from datamodules.wide_faces import check_square, wide_face
from zoo.contract import LANDMARK_FLIP
from zoo.errors import UserError
from zoo.imaging import read_image

__all__ = ["W300LP"]

_SETS = ("AFW", "HELEN", "IBUG", "LFPW")
_MIRRORED = "_Flip"


class _Picture(NamedTuple):
    file: Path
    face: int  # which face of which photo; its pictures differ in pose alone
    turn: int  # 0 is the photo itself


class W300LP(ZooDataModule):
    """300W-LP: ``image``, ``landmarks``, ``rotation``, ``yaw``, ``person`` and ``name`` in each batch.

    ``rotation`` is the fitted pose in the contract's angles, and ``yaw`` (B,) how far a head is turned aside, in
    degrees and without a sign. ``person`` counts the faces: pictures that were turned out of one photo share it.
    All pictures of a photo fall to one split, by the hash of its name; ``predict`` is ``test``.

    Landmarks come from the folder ``landmarks``, because the ones beside the pictures (``pt2d``) are not turned with
    the head. That folder holds those of the four sets; a mirrored picture without a file of its own takes the mirror
    image of the points of its original.

    Args:
        folder: Holds a folder of pictures for each set, and ``landmarks`` with a folder for each.
        size: Height and width of a batch: squares around the faces, upright as the pictures are.
        margin: What to add to the canonical crop of ``zoo.faces`` on each edge, as a share of its side.
        batch_size: Samples in a batch, on each device.
        num_workers: Processes that load; 0 loads in the main one.
        seed: Of order and augmentation.
        sets: Which parts: AFW, HELEN, IBUG, LFPW, or the mirrored AFW_Flip and so on, which ``flip`` makes needless.
        points: "3D" for landmarks of the face's outline even where the head hides it, "2D" for the visible outline.
        pictures_per_person: For learning from several pictures of a person: take only faces with this many pictures,
            and of each this many, evenly spaced from the least to the most turned, one after the other. 0 takes all.
        val_share: Share of the photos that is kept for validation.
        test_share: Share of the photos that is kept for the test.
        flip: Mirror half of the training samples, others in each epoch.

    Raises:
        UserError: The data is not there, or damaged.

    Source: Zhu et al., Face Alignment Across Large Poses: A 3D Solution, CVPR 2016.
    """

    def __init__(
        self,
        folder: str,
        size: int = 320,
        margin: float = 0.3,
        batch_size: int = 16,
        num_workers: int = 0,
        seed: int = 0,
        sets: Sequence[str] = _SETS,
        points: Literal["3D", "2D"] = "3D",
        pictures_per_person: int = 0,
        val_share: float = 0.02,
        test_share: float = 0.02,
        flip: bool = True,
    ) -> None:
        super().__init__(batch_size, num_workers, seed)
        check_square(size, margin)
        known = [*_SETS, *(name + _MIRRORED for name in _SETS)]
        unknown = next((name for name in sets if name not in known), None)
        if unknown is not None or not sets:
            raise UserError(f"sets has '{unknown or ''}'; there are {', '.join(known)}.")
        if points not in ("3D", "2D"):
            raise UserError(f"points is {points}; say 3D or 2D.")
        if min(val_share, test_share) < 0 or val_share + test_share >= 1:
            raise UserError(f"val_share is {val_share} and test_share {test_share}; leave some for training.")
        if pictures_per_person < 0:
            raise UserError(f"pictures_per_person is {pictures_per_person}; take 0 for all, or how many.")
        self.folder, self.size, self.margin, self.sets = Path(folder).expanduser(), size, margin, tuple(sets)
        self.points, self.pictures_per_person = points, pictures_per_person
        self.val_share, self.test_share, self.flip = val_share, test_share, flip

    def prepare_data(self) -> None:
        """Look that the data is there."""
        first = next(iter(self._pictures.values()))[0]
        for needed in (first.file.with_suffix(".mat"), _points_file(first.file)[0]):
            if not needed.is_file():
                raise missing("300wlp", f"there is no {needed}")

    def dataset(self, split: str) -> SampleDataset:
        """The pictures of a split's photos, those of one face one after the other."""
        test, val = self.test_share, self.test_share + self.val_share
        low, high = {"train": (val, 1.0), "val": (test, val)}.get(split, (0.0, test))
        pictures: list[_Picture] = []
        for name, several in self._pictures.items():
            if not low <= hash_share(name.removesuffix(_MIRRORED)) < high:  # a mirror image stays with its original
                continue
            count = self.pictures_per_person
            if not count:
                pictures += several
            elif len(several) >= count:
                places = torch.linspace(0, len(several) - 1, count).round().long().tolist()
                pictures += [several[place] for place in places]
        if not pictures:
            raise UserError(f"no picture of {self.folder} falls to '{split}'; change the shares, or add sets.")
        return _Pictures(
            pictures, self.points, self.size, self.margin, split, self.seed, self.flip and split == "train"
        )

    @cached_property
    def _pictures(self) -> dict[str, list[_Picture]]:
        """The pictures by the name of their face, each list from the photo itself to the last one turned."""
        faces: dict[str, list[tuple[int, Path]]] = defaultdict(list)
        for name in self.sets:
            files = list((self.folder / name).glob("*.jpg"))
            if not files:
                raise missing("300wlp", f"there is no picture in {self.folder / name}")
            for file in files:
                parts = re.fullmatch(r"(.+)_(\d+)", file.stem)
                if parts is None:
                    raise UserError(f"{file} is not named as the pictures of 300W-LP are, such as AFW_134212_1_0.jpg.")
                mirrored = _MIRRORED if name.endswith(_MIRRORED) else ""
                faces[parts[1] + mirrored].append((int(parts[2]), file))
        return {
            name: [_Picture(file, number, turn) for turn, file in sorted(faces[name])]
            for number, name in enumerate(sorted(faces))
        }


class _Pictures(SampleDataset):
    def __init__(
        self, pictures: Sequence[_Picture], points: str, size: int, margin: float, split: str, seed: int, flip: bool
    ) -> None:
        super().__init__(len(pictures), split, seed, flip)
        self.pictures, self.size, self.margin = list(pictures), size, margin
        self.variable = "pts_3d" if points == "3D" else "pts_2d"

    def read(self, sample: int, draws: Draws) -> dict[str, Any]:
        picture = self.pictures[sample]
        file, mat = picture.file, picture.file.with_suffix(".mat")
        pose = pose_of(read_face_mat(mat, "Pose_Para")["Pose_Para"], mat)
        photo = read_image(file)
        points = self._landmarks(file, photo.shape[-1])
        image, landmarks = wide_face(photo, points, self.size, self.margin, file)
        return {
            "image": image,
            "landmarks": landmarks,
            "rotation": rotation_from_3ddfa(pose),
            "yaw": torch.tensor(absolute_yaw(pose)),
            "person": torch.tensor(picture.face),
            "name": f"{file.parent.name}/{file.stem}",
        }

    def _landmarks(self, picture: Path, width: int) -> Tensor:
        file, mirrored = _points_file(picture)
        points = landmarks_of(read_face_mat(file, self.variable)[self.variable], self.variable, file)
        if mirrored:
            points = torch.stack((width - 1 - points[:, 0], points[:, 1]), -1)[list(LANDMARK_FLIP)]
        return points


def _points_file(picture: Path) -> tuple[Path, bool]:
    """The file of a picture's landmarks, and whether it is that of the picture that this one mirrors."""
    folder, name = picture.parent.parent / "landmarks", f"{picture.stem}_pts.mat"
    own = folder / picture.parent.name / name
    if own.is_file() or not picture.parent.name.endswith(_MIRRORED):
        return own, False
    return folder / picture.parent.name.removesuffix(_MIRRORED) / name, True
