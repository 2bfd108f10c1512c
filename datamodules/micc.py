"""MICC Florence: scans of 53 people, and videos of each, indoors and outdoors."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Literal

import torch

from datamodules.about import missing
from datamodules.scan_photos import ScanPhoto, ScanPhotos
from datamodules.scans import Scan, read_picked_points, read_scan
from zoo.errors import UserError
from zoo.imaging import IMAGE_SUFFIXES

__all__ = ["MICC", "MICC_VIDEOS"]

MICC_VIDEOS = ("Indoor-Cooperative", "PTZ-Indoor", "PTZ-Outdoor")
"""The three videos of each person: the cooperative, indoor and outdoor parts of published results."""


class MICC(ScanPhotos):
    """MICC Florence: frames of the videos, each with the person's scan.

    Keys and arguments are those of ``ScanPhotos``; ``group`` is the video. The release holds videos
    (``subject_01/Video/Indoor-Cooperative.mjpg``), and their frames are to be written beside them, into a folder that
    is named like the video; a folder of that name right in ``subject_01`` is taken too.

    The scans are in millimetres. The release marks no points on them, and protocols need some: ``native_nose_tip`` and
    ``native_scan_landmarks`` come from a file of points that a person picked with MeshLab, ``<scan>_picked_points.pp``
    beside the scan. It holds the nose tip alone, or the seven landmarks of ``datamodules.scans.Scan`` and then the nose
    tip. This layout is the zoo's own.

    Args:
        folder: Holds ``subject_01`` to ``subject_53``.
        size: Height and width of a batch: squares around the faces, upright as the frames are.
        margin: What to add to the canonical crop of ``zoo.faces`` on each edge, as a share of its side.
        batch_size: Samples in a batch, on each device.
        num_workers: Processes that load; 0 loads in the main one.
        seed: Taken by all data; nothing is drawn here.
        detector: What finds the faces; see ``zoo.faces.detect_faces``.
        videos: Which videos, some of ``MICC_VIDEOS``. A person who lacks one is left out of it.
        frames: At most this many frames of each video, evenly spaced; 0 for all.
        model: Which scan: the first or the second one from the front. Where a person has no such scan, the other one.
        nose: Where there is no file of points: "picked" for none, or "foremost" for the vertex that lies farthest along
            z, the direction in which the scans look, which hair or a chin may be in place of the nose.

    Raises:
        UserError: The data is not there, or damaged.

    Source: Bagdanov, Masi and Del Bimbo, The Florence 2D/3D Hybrid Face Dataset, MA3HO 2011.
    """

    title = "MICC Florence"

    def __init__(
        self,
        folder: str,
        size: int = 320,
        margin: float = 0.3,
        batch_size: int = 8,
        num_workers: int = 0,
        seed: int = 0,
        detector: str = "auto",
        videos: Sequence[str] = MICC_VIDEOS,
        frames: int = 10,
        model: Literal["frontal1", "frontal2"] = "frontal1",
        nose: Literal["picked", "foremost"] = "picked",
    ) -> None:
        super().__init__(folder, size, margin, batch_size, num_workers, seed, detector)
        unknown = next((video for video in videos if video not in MICC_VIDEOS), None)
        if unknown is not None or not videos:
            raise UserError(f"videos has '{unknown or ''}'; there are {', '.join(MICC_VIDEOS)}.")
        if frames < 0:
            raise UserError(f"frames is {frames}; take 0 for all, or how many of each video.")
        if model not in ("frontal1", "frontal2") or nose not in ("picked", "foremost"):
            raise UserError(f"model is {model} and nose {nose}; say frontal1 or frontal2, and picked or foremost.")
        self.videos, self.frames, self.model, self.nose = tuple(videos), frames, model, nose

    @cached_property
    def photos(self) -> list[ScanPhoto]:
        """The frames by person and video."""
        people = sorted(path for path in self.folder.glob("subject_*") if path.is_dir())
        if not people:
            raise missing("micc", f"there is no folder subject_01 or the like in {self.folder}")
        photos = []
        for person in people:
            number = re.search(r"\d+", person.name)
            if number is None:
                raise UserError(f"{person} is not named as the folders of MICC are, such as subject_01.")
            self._scan_file(person)
            for video in self.videos:
                photos += [
                    ScanPhoto(f"{person.name}/{video}/{file.stem}", file, int(number[0]), video)
                    for file in _spaced(_frames(person, video), self.frames)
                ]
        if not photos:
            raise missing(
                "micc",
                f"there are no frames in {people[0] / 'Video' / self.videos[0]} or the like; "
                f"ffmpeg -i {self.videos[0]}.mjpg {self.videos[0]}/%05d.png writes those of a video",
            )
        return photos

    def scan(self, photo: ScanPhoto) -> Scan:
        """The person's scan, with the points that were picked on it."""
        path = self._scan_file(self.folder / photo.name.split("/")[0])
        vertices, triangles = read_scan(path)
        points = path.with_name(f"{path.stem}_picked_points.pp")
        if points.is_file():
            picked = read_picked_points(points, 1)
            if len(picked) not in (1, 8):
                raise UserError(f"{points} holds {len(picked)} points: pick the nose tip, or 7 landmarks and then it.")
            return Scan(path, vertices, triangles, picked[:7] if len(picked) == 8 else None, picked[-1])
        foremost = vertices[int(torch.argmax(vertices[:, 2]))] if self.nose == "foremost" else None
        return Scan(path, vertices, triangles, nose_tip=foremost)

    def _scan_file(self, person: Path) -> Path:
        other = "frontal2" if self.model == "frontal1" else "frontal1"
        for model in (self.model, other):
            # users put aligned and cropped copies beside the scan, whose own name is the time it was taken
            files = sorted((person / "Model" / model / "obj").glob("*.obj"), key=lambda f: (not f.stem.isdigit(), f))
            if files:
                return files[0]
        raise missing("micc", f"there is no scan in {person / 'Model' / self.model / 'obj'}")


def _frames(person: Path, video: str) -> list[Path]:
    for folder in (person / "Video" / video, person / video):
        files = sorted(file for file in folder.glob("*") if file.suffix.lower() in IMAGE_SUFFIXES)
        if files:
            return files
    return []


def _spaced(files: list[Path], count: int) -> list[Path]:
    if not count or len(files) <= count:
        return files
    return [files[place] for place in torch.linspace(0, len(files) - 1, count).round().long().tolist()]
