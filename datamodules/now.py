"""NoW: photos of people with an iPhone, in four challenges, and a scan of each person at rest."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Literal

from torch import Tensor

from datamodules.about import missing
from datamodules.name_lists import read_text_names
from datamodules.scan_photos import ScanPhoto, ScanPhotos
from datamodules.scans import Scan, read_box, read_picked_points, read_scan
from zoo.errors import UserError
from zoo.faces import Face

__all__ = ["NOW_CHALLENGES", "NoW"]

NOW_CHALLENGES = ("multiview_neutral", "multiview_expressions", "multiview_occlusions", "selfie")
"""The folders of each person's photos."""

_LIST = "imagepathsvalidation.txt"


class NoW(ScanPhotos):
    """The validation part of the NoW benchmark: 20 people, 352 photos; the scans of the test part are not public.

    Keys and arguments are those of ``ScanPhotos``; ``group`` is the challenge. A face lies where the file of
    ``detected_face`` says. The scans are in millimetres, with seven landmarks that were picked on them; the bottom of
    the nose is one of them and its tip is none, so that ``native_nose_tip`` is empty.

    The pictures may lie in ``NoW_Dataset/final_release_version``, as they are packed, and the list and the scans, which
    are downloads of their own, in any folder on the way there.

    Args:
        folder: Holds all of it; see above.
        size: Height and width of a batch: squares around the faces, upright as the photos are.
        margin: What to add to the canonical crop of ``zoo.faces`` on each edge, as a share of its side.
        batch_size: Samples in a batch, on each device.
        num_workers: Processes that load; 0 loads in the main one.
        seed: Taken by all data; nothing is drawn here.
        challenge: All photos, or those of one challenge.

    Raises:
        UserError: The data is not there, or damaged.

    Source: Sanyal et al., Learning to Regress 3D Face Shape and Expression from an Image without 3D Supervision, CVPR
    2019, and the benchmark's evaluation code.
    """

    title = "NoW"

    def __init__(
        self,
        folder: str,
        size: int = 320,
        margin: float = 0.3,
        batch_size: int = 8,
        num_workers: int = 0,
        seed: int = 0,
        challenge: Literal[
            "all", "multiview_neutral", "multiview_expressions", "multiview_occlusions", "selfie"
        ] = "all",
    ) -> None:
        super().__init__(folder, size, margin, batch_size, num_workers, seed)
        if challenge != "all" and challenge not in NOW_CHALLENGES:
            raise UserError(f"challenge is {challenge}; say all, {', '.join(NOW_CHALLENGES)}.")
        self.challenge = challenge

    @cached_property
    def photos(self) -> list[ScanPhoto]:
        """The photos in the order of the list."""
        names = [PurePosixPath(name) for name in read_text_names(self._place(_LIST))]
        odd = next((name for name in names if len(name.parts) != 3 or name.parts[1] not in NOW_CHALLENGES), None)
        if odd is not None:
            raise UserError(f"{_LIST} names '{odd}', which is not PERSON/CHALLENGE/PICTURE. Copy it again.")
        people = {person: number for number, person in enumerate(sorted({name.parts[0] for name in names}))}
        pictures = self._place("iphone_pictures")
        photos = [
            ScanPhoto(str(name.with_suffix("")), pictures / name, people[name.parts[0]], name.parts[1])
            for name in names
            if self.challenge in ("all", name.parts[1])
        ]
        absent = next((photo.file for photo in photos if not photo.file.is_file()), None)
        if absent is not None:
            raise missing("now", f"there is no {absent}")
        if not photos:
            raise UserError(f"{_LIST} names no picture of '{self.challenge}'.")
        return photos

    def scan(self, photo: ScanPhoto) -> Scan:
        """The person's scan with its seven landmarks."""
        person = photo.name.split("/")[0]
        path = self._only("scans", person, (".obj", ".ply"))
        points = self._only("scans_lmks_onlypp", person, (".pp",))
        vertices, triangles = read_scan(path)
        return Scan(path, vertices, triangles, landmarks=read_picked_points(points, 7)[:7])

    def face(self, photo: ScanPhoto, image: Tensor) -> Face | None:
        """The face in the box of ``detected_face``."""
        boxes = self._place("detected_face")
        return Face(read_box(boxes / f"{photo.name}.npy"), 1.0)

    def _only(self, kind: str, person: str, suffixes: tuple[str, ...]) -> Path:
        folder = self._place(kind) / person
        files = sorted(file for file in folder.glob("*") if file.suffix.lower() in suffixes)
        if not files:
            raise missing("now", f"there is no {' or '.join(suffixes)} file in {folder}")
        return files[0]

    def _place(self, name: str) -> Path:
        inner = ("", "NoW_Dataset", "NoW_Dataset/final_release_version", "final_release_version")
        places = [self.folder / place / name for place in inner]
        found = next((place for place in places if place.exists()), None)
        if found is None:
            raise missing("now", f"there is no {places[0]}")
        return found
