"""AFLW2000-3D: the first 2,000 photos of AFLW with fitted 3D faces, the test of landmarks on turned heads."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from datamodules.about import missing
from datamodules.base import ZooDataModule
from datamodules.matlab_faces import absolute_yaw, landmarks_of, pose_of, read_face_mat, rotation_from_3ddfa
from datamodules.samples import SampleDataset
from datamodules.sampling.draws import Draws
from datamodules.wide_faces import check_square, wide_face
from zoo.errors import UserError
from zoo.imaging import read_image

__all__ = ["AFLW2000", "YAW_BINS"]

YAW_BINS: dict[str, tuple[float, float]] = {"0-30": (-1.0, 30.0), "30-60": (30.0, 60.0), "60-90": (60.0, 360.0)}
"""The three parts that results are given for: more than the first and at most the second number of degrees of yaw. The
last one takes the few heads beyond 90 in as well."""


class AFLW2000(ZooDataModule):
    """AFLW2000-3D for evaluation: ``image``, ``landmarks``, ``rotation``, ``yaw`` and ``name`` in each batch.

    The landmarks are those of the fitted face (``pt3d_68``), also where it hides them. ``rotation`` is the fitted pose
    in the contract's angles, and ``yaw`` (B,) how far a head is turned aside, in degrees and without a sign. The data
    is a test set: ``val``, ``test`` and ``predict`` are all of it, and there is no training part.

    Args:
        folder: Holds ``image00002.jpg`` and ``image00002.mat`` and so on, or a folder ``AFLW2000`` that does.
        size: Height and width of a batch: squares around the faces, upright as the photos are.
        margin: What to add to the canonical crop of ``zoo.faces`` on each edge, as a share of its side.
        batch_size: Samples in a batch, on each device.
        num_workers: Processes that load; 0 loads in the main one.
        seed: Taken by all data; nothing is drawn here.
        yaw: All photos, or one of the protocol's parts by absolute yaw.

    Raises:
        UserError: The data is not there, or damaged.

    Source: Zhu et al., Face Alignment Across Large Poses: A 3D Solution, CVPR 2016.
    """

    evaluation_only = True

    def __init__(
        self,
        folder: str,
        size: int = 320,
        margin: float = 0.3,
        batch_size: int = 16,
        num_workers: int = 0,
        seed: int = 0,
        yaw: Literal["all", "0-30", "30-60", "60-90"] = "all",
    ) -> None:
        super().__init__(batch_size, num_workers, seed)
        check_square(size, margin)
        if yaw != "all" and yaw not in YAW_BINS:
            raise UserError(f"yaw is {yaw}; say all, {', '.join(YAW_BINS)}.")
        self.folder, self.size, self.margin, self.yaw = Path(folder).expanduser(), size, margin, yaw

    def prepare_data(self) -> None:
        """Look that the data is there."""
        _ = self._files

    def dataset(self, split: str) -> SampleDataset:
        """The photos, in order of their names."""
        if split == "train":
            raise UserError("AFLW2000-3D is a test set: train on another one, such as 300wlp.")
        files = self._files
        if self.yaw != "all":
            low, high = YAW_BINS[self.yaw]
            files = [file for file in files if low < absolute_yaw(_pose(file)) <= high]
            if not files:
                raise UserError(f"no photo of {self.folder} has a yaw of {self.yaw} degrees.")
        return _Photos(files, self.size, self.margin, split, self.seed)

    @cached_property
    def _files(self) -> list[Path]:
        for folder in (self.folder, self.folder / "AFLW2000"):
            files = sorted(folder.glob("image*.jpg"))
            if files:
                break
        else:
            raise missing("aflw2000", f"there is no image*.jpg in {self.folder}")
        absent = next((file for file in files if not file.with_suffix(".mat").is_file()), None)
        if absent is not None:
            raise missing("aflw2000", f"there is no {absent.with_suffix('.mat')}")
        return files


class _Photos(SampleDataset):
    def __init__(self, files: list[Path], size: int, margin: float, split: str, seed: int) -> None:
        super().__init__(len(files), split, seed)
        self.files, self.size, self.margin = files, size, margin

    def read(self, sample: int, draws: Draws) -> dict[str, Any]:
        file = self.files[sample]
        mat = file.with_suffix(".mat")
        content = read_face_mat(mat, "pt3d_68", "Pose_Para")
        pose = pose_of(content["Pose_Para"], mat)
        points = landmarks_of(content["pt3d_68"], "pt3d_68", mat)
        image, landmarks = wide_face(read_image(file), points, self.size, self.margin, file)
        return {
            "image": image,
            "landmarks": landmarks,
            "rotation": rotation_from_3ddfa(pose),
            "yaw": torch.tensor(absolute_yaw(pose)),
            "name": file.stem,
        }


def _pose(file: Path) -> Tensor:
    mat = file.with_suffix(".mat")
    return pose_of(read_face_mat(mat, "Pose_Para")["Pose_Para"], mat)
