"""The classes of scenes, by id: IntrinSeg's sixteen of gardens, then those of rooms.

Gardens come first, so that a network of gardens alone has IntrinSeg's own ids 0 to 15.

Source: the order and the colours of the first sixteen are those of IntrinSeg (Baslamisli et al., ECCV 2018).
"""

from __future__ import annotations

__all__ = ["GARDEN_CLASSES", "ROOM_CLASSES", "SCENE_CLASSES", "SCENE_COLOURS", "class_id"]

_GARDEN = {
    "void": (0, 0, 0),
    "ground": (0, 76, 153),
    "grass": (0, 153, 0),
    "dirt": (102, 51, 0),
    "gravel": (0, 204, 204),
    "woodchip": (204, 102, 0),
    "pavement": (102, 102, 255),
    "box": (255, 204, 153),
    "topiary": (153, 255, 153),
    "rose": (255, 153, 153),
    "tree": (153, 153, 0),
    "fence": (51, 51, 153),
    "step": (64, 64, 64),
    "flowerpot": (204, 0, 102),
    "stone": (51, 0, 25),
    "sky": (128, 128, 128),
}
_ROOM = {
    "wall": (230, 225, 210),
    "floor": (160, 110, 60),
    "ceiling": (245, 245, 245),
    "window": (130, 200, 255),
    "door": (120, 60, 20),
    "picture": (255, 120, 0),
    "curtain": (180, 80, 200),
    "rug": (200, 30, 60),
    "table": (90, 170, 90),
    "chair": (0, 110, 110),
    "sofa": (60, 90, 220),
    "bed": (150, 190, 40),
    "shelf": (190, 150, 0),
    "book": (255, 60, 60),
    "lamp": (255, 240, 80),
    "plant": (20, 130, 20),
    "vase": (230, 0, 160),
    "ball": (255, 190, 200),
    "cushion": (110, 60, 160),
    "thing": (100, 100, 110),
}

GARDEN_CLASSES: tuple[str, ...] = tuple(_GARDEN)
"""Ids 0 to 15; 0 is void."""

ROOM_CLASSES: tuple[str, ...] = tuple(_ROOM)
"""Ids 16 and up."""

SCENE_CLASSES: tuple[str, ...] = GARDEN_CLASSES + ROOM_CLASSES

SCENE_COLOURS: tuple[tuple[int, int, int], ...] = (*_GARDEN.values(), *_ROOM.values())
"""sRGB 0 to 255, by class id."""


def class_id(name: str) -> int:
    """The id of a class by its name.

    Example:
        >>> class_id("sky"), class_id("wall")
        (15, 16)
    """
    return SCENE_CLASSES.index(name)
