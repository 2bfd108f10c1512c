"""Faces in photos: where they are, their landmarks, the crop a network sees, and the way back."""

from __future__ import annotations

from zoo.faces.alignment import align_face, align_found_face, aligned_boxes, aligned_crop, alignment
from zoo.faces.crop import Crop, square_crop
from zoo.faces.detection import detect_faces, require_face, whole_picture
from zoo.faces.face import Face
from zoo.faces.framing import FACE_CROP, crop_box, crop_box_from_landmarks, five_points
from zoo.faces.landmark_files import read_landmarks
from zoo.faces.landmarks import find_landmarks

__all__ = [
    "FACE_CROP",
    "Crop",
    "Face",
    "align_face",
    "align_found_face",
    "aligned_boxes",
    "aligned_crop",
    "alignment",
    "crop_box",
    "crop_box_from_landmarks",
    "detect_faces",
    "find_landmarks",
    "five_points",
    "read_landmarks",
    "require_face",
    "square_crop",
    "whole_picture",
]
