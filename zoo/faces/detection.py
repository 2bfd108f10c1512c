"""Find the faces in a photo, and choose the one that is meant."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

from torch import Tensor

from zoo.errors import UserError
from zoo.faces.cascade import detect_with_cascade, is_sure
from zoo.faces.face import Face
from zoo.faces.landmark_files import face_from_landmarks, read_landmarks
from zoo.faces.landmarks import find_landmarks_of_all
from zoo.faces.yunet import detect_with_yunet, yunet_weights

__all__ = ["detect_faces", "require_face", "whole_picture"]


def detect_faces(image: Tensor, detector: str = "auto") -> list[Face]:
    """Find faces.

    Args:
        image: (3, H, W), sRGB-encoded, in [0, 1].
        detector: ``cascade`` needs no download. ``yunet`` is better on heads turned far aside and fetches its weights
            once. ``auto`` is the cascade and, where that finds nothing, YuNet if its weights are already there.
            ``landmarks:FILE`` takes the face from 5 or 68 lines of ``x y``.

    Returns:
        Faces, the largest first; empty when there is none. Where the landmark network is sure of it, a face has 68
        landmarks, their expected error, and roll from them.

    Raises:
        UserError: No such detector, its weights cannot be had, or the landmarks cannot be used.
    """
    if image.ndim != 3 or image.shape[0] != 3 or not image.numel():
        raise ValueError(f"an image (3, H, W) is expected, not {tuple(image.shape)}.")
    if detector.startswith("landmarks:"):
        return [face_from_landmarks(read_landmarks(detector.removeprefix("landmarks:"), image))]
    if detector == "yunet":
        return _with_landmarks(image, detect_with_yunet(image))
    if detector not in ("auto", "cascade"):
        raise UserError(f"no face detector named '{detector}'. There are auto, cascade, yunet and landmarks:FILE.")
    faces = detect_with_cascade(image)
    if not faces and detector == "auto" and yunet_weights().is_file():
        faces = _with_landmarks(image, detect_with_yunet(image))
    return faces


def _with_landmarks(image: Tensor, faces: list[Face]) -> list[Face]:
    """68 points in place of a detector's five, where the landmark network is sure of them."""
    found = find_landmarks_of_all(image, faces)
    return [
        replace(face, landmarks=own.landmarks, roll=own.roll, error=own.error) if is_sure(own) else face
        for face, own in zip(faces, found, strict=True)
    ]


def require_face(image: Tensor, path: str | Path, detector: str = "auto", which: str | int = "largest") -> Face:
    """Find the one face that is meant, or say why not; a note on stderr says which one of several was taken.

    Args:
        image: (3, H, W), sRGB-encoded, in [0, 1].
        path: The photo's file, named in the message. Of ``landmarks:FOLDER`` the file of this name with .txt is read.
        detector: As ``detect_faces`` takes it.
        which: ``largest``, a number (0 is the largest, 1 the next), or ``whole`` for the complete picture.

    Raises:
        UserError: There is no face, or not that many, or ``which`` is something else.
    """
    if which == "whole":
        return whole_picture(image)
    try:
        index = 0 if which == "largest" else int(which)
    except ValueError:
        index = -1
    if index < 0:
        raise UserError(f"the face '{which}' is unknown. Say largest, whole, or a number: 0 is the largest.")
    folder = Path(detector.removeprefix("landmarks:")).expanduser()
    if detector.startswith("landmarks:") and folder.is_dir():
        detector = f"landmarks:{folder / Path(path).with_suffix('.txt').name}"
    faces = detect_faces(image, detector)
    if not faces:
        raise UserError(
            f"no face found in {path}: is one there, upright and in plain view? "
            "(--face whole to use the whole picture, or --landmarks FILE)"
        )
    if index >= len(faces):
        count = "1 face" if len(faces) == 1 else f"{len(faces)} faces"
        raise UserError(f"there is no face {index} in {path}: {count} found, counted from 0.")
    face = faces[index]
    if which == "largest" and len(faces) > 1:
        x, y = (round(place) for place in face.centre)
        others = (
            "--face 1 takes the other" if len(faces) == 2 else f"--face 1 to {len(faces) - 1} take the others, by size"
        )
        print(
            f"zoo: {path} shows {len(faces)} faces; the largest, around ({x}, {y}), was taken ({others})",
            file=sys.stderr,
        )
    return face


def whole_picture(image: Tensor) -> Face:
    """Treat the complete picture as the crop of a face; what a square lacks is filled by its border."""
    height, width = image.shape[-2:]
    x, y, half = (width - 1) / 2, (height - 1) / 2, max(height, width) / 2
    return Face((x - half, y - half, x + half, y + half), 1.0, framed=True)
