"""Colour spaces, image files in and out, and pictures that people look at."""

from __future__ import annotations

from zoo.imaging.borders import crop_middle, mirror_to_multiple
from zoo.imaging.colour import linear_to_srgb, srgb_to_linear
from zoo.imaging.display import BACKGROUND, display
from zoo.imaging.files import IMAGE_SUFFIXES, find_images, read_image, write_image
from zoo.imaging.judgements import draw_judgements, values_at_points
from zoo.imaging.panel import contact_sheet, panel
from zoo.imaging.sizes import SAW_SHAPES, Shapes, Size, by_ratio

__all__ = [
    "BACKGROUND",
    "IMAGE_SUFFIXES",
    "SAW_SHAPES",
    "Shapes",
    "Size",
    "by_ratio",
    "contact_sheet",
    "crop_middle",
    "display",
    "draw_judgements",
    "find_images",
    "linear_to_srgb",
    "mirror_to_multiple",
    "panel",
    "read_image",
    "srgb_to_linear",
    "values_at_points",
    "write_image",
]
