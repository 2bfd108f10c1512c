"""What a scene is before it is rendered: solids with materials, lights, a camera.

World: metres, right-handed, x right, y up, z towards the viewer of a map (south); the ground or floor lies at y = 0.

A layout is a function that turns random numbers into a ``Scene``; there are two of them::

    draw_room(generator: numpy.random.Generator, lights: int = 1) -> Scene      # datamodules/scenes/rooms.py
    draw_garden(generator: numpy.random.Generator, lights: int = 1) -> Scene    # datamodules/scenes/gardens.py

Rules of a layout:

- ``generator.random()`` is its only source of chance: other methods of numpy's generators may change between versions.
- Geometry, materials and camera are drawn first and the lightings last, one after the other: then the first light of
  a scene is the same however many are asked for. ``len(scene.lightings) == lights``.
- Solids do not float; a thing that stands on another may sink a millimetre into it. Nothing may contain the camera
  (but a solid with holes, see ``holes``).
- The ground is a large box whose top lies at y = 0; walls are thick boxes, with windows left out between them.
- 30 to 250 solids are a good number. Few and large ones are cheaper than many that overlap in the picture, but solids
  that cover a small part of the picture cost little.
- Every solid of one thing (the legs and the top of a table) has the same ``instance``, 1 and up; 0 is for nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from datamodules.scenes.materials import Material

__all__ = ["RGB", "AreaLight", "BallLight", "Camera", "Lighting", "Scene", "Sky", "Solid", "Sun", "rotation", "yaw"]

Vector = tuple[float, float, float]
RGB = tuple[float, float, float]
"""Linear red, green, blue."""

Shape = Literal["box", "ellipsoid", "cylinder", "frustum"]


@dataclass
class Solid:
    """One convex primitive.

    Args:
        shape: ``box``; ``ellipsoid``; ``cylinder`` along its own y axis; ``frustum``: a cylinder whose radius shrinks
            towards the top (``top``), a cone with ``top=0``. A disc is a flat cylinder; a plane a large box.
        centre: Of the solid, metres.
        size: Half extents along its own axes, metres (a cylinder's: radius, half its height, radius).
        material: Its paint; the pattern is fixed to the solid, in metres (see ``pattern_origin``).
        label: A name of ``zoo.scene_classes.SCENE_CLASSES``.
        instance: The thing that it is part of, 1 and up.
        turn: Rotation from the solid's axes to the world's, (3, 3), see ``rotation`` and ``yaw``; None for none.
        top: Frustum: the radius at the top as a share of that at the bottom, 0 to 1 (also above 1: a bowl's outside).
        lower: Ellipsoid: it begins at this height in its own half extents, -1 (whole) to below 1; 0 is a dome.
        upper: Ellipsoid: it ends at this height, above ``lower`` to 1 (whole).
        holes: 0 (solid) to 0.9: the share of its surface that is missing, in irregular patches, so that light and eye
            pass through, as in foliage, hedges and crowns of trees. Leaves silhouettes and shadows dappled.
        hole_size: Metres from patch to patch (leaves: 0.03 to 0.15).
        bumps: 0 (smooth) to 1: how much the surface's normal waves, as that of bark, rough stone, lawn or plush.
        bump_size: Metres from bump to bump.
        glow: Name of its radiance in ``Lighting.glow``: panes, lamp shades. Out of the mask in every light.
        casts: Whether it throws shadows; panes and the shades of lit lamps do not.
        pattern_origin: The world point that the material's coordinates are counted from, by default ``centre``; the
            boxes of one wall share it, so that the paper runs on.
    """

    shape: Shape
    centre: Vector
    size: Vector
    material: Material
    label: str
    instance: int
    turn: NDArray[np.float64] | None = None
    top: float = 1.0
    lower: float = -1.0
    upper: float = 1.0
    holes: float = 0.0
    hole_size: float = 0.08
    bumps: float = 0.0
    bump_size: float = 0.05
    glow: str | None = None
    casts: bool = True
    pattern_origin: Vector | None = None


@dataclass
class Sun:
    """Parallel light from a small disc in the sky.

    Args:
        towards: Unit vector from the scene to the sun (y > 0).
        irradiance: Light on a surface that faces it, per colour, in units where a sunlit white surface has shading
            ``irradiance``; only ratios between the lights of a scene matter, the camera exposes by itself.
        radius: Apparent radius in radians: 0.005 for the true sun, 0.02 to 0.06 behind haze.
    """

    towards: Vector
    irradiance: RGB
    radius: float = 0.01


@dataclass
class AreaLight:
    """A rectangle that shines from one side: a window pane with the sky behind, a panel in the ceiling.

    Args:
        centre: Metres.
        half_u: Half of one edge.
        half_v: Half of the other edge; it shines towards half_u x half_v.
        radiance: Per colour; a surface that sees nothing else than it has shading ``radiance``.
    """

    centre: Vector
    half_u: Vector
    half_v: Vector
    radiance: RGB


@dataclass
class BallLight:
    """A ball that shines to all sides: a bulb, the shade of a lamp.

    Args:
        centre: Metres.
        radius: Metres.
        radiance: Per colour; shading at distance d facing it is ``radiance`` x (radius / d)^2.
        sideways: This share goes through the shade of a lamp to all sides; the rest leaves up and down only.
    """

    centre: Vector
    radius: float
    radiance: RGB
    sideways: float = 1.0


@dataclass
class Sky:
    """Radiance of the dome around the scene where no solid is, per colour.

    Args:
        zenith: Overhead.
        horizon: At and below the horizon.
        clouds: 0 for none to 1 for a cover; seen in the picture, they do not change the light.
        seed: Of the clouds.
    """

    zenith: RGB
    horizon: RGB
    clouds: float = 0.0
    seed: int = 0


@dataclass
class Lighting:
    """All light of one picture. A scene has one for the picture and one for each ``relit`` one.

    Args:
        sun: If it shines.
        areas: Windows and panels.
        balls: Lamps.
        sky: What is seen and shines where no solid is; rooms need it only for what lies behind open windows.
        glow: Radiance by the names of ``Solid.glow``; a name that is missing is dark.
        ambient: Light that comes from everywhere a ray ends on a surface, beside the first bounce that is computed:
            stands for all further bounces.
    """

    sun: Sun | None = None
    areas: list[AreaLight] = field(default_factory=list)
    balls: list[BallLight] = field(default_factory=list)
    sky: Sky | None = None
    glow: dict[str, RGB] = field(default_factory=dict)
    ambient: RGB = (0.0, 0.0, 0.0)


@dataclass
class Camera:
    """A pinhole without roll.

    Args:
        position: Metres.
        target: A point in the middle of the picture.
        field_of_view: Horizontal, degrees.
        roll: Degrees, counter-clockwise.
    """

    position: Vector
    target: Vector
    field_of_view: float = 60.0
    roll: float = 0.0


@dataclass
class Scene:
    """Everything that is rendered.

    Args:
        solids: The order decides nothing.
        camera: Where the picture is taken from.
        lightings: The picture's light, then those of the relit pictures.
        exposure: Stops above (+) or below (-) what the camera's automatic would choose; -0.7 to 0.5.
    """

    solids: list[Solid]
    camera: Camera
    lightings: list[Lighting]
    exposure: float = 0.0


def yaw(degrees: float) -> NDArray[np.float64]:
    """Rotation about the world's y axis, counter-clockwise seen from above: the x axis turns towards -z, (3, 3)."""
    return rotation(0.0, degrees, 0.0)


def rotation(x: float, y: float, z: float) -> NDArray[np.float64]:
    """Rotation by degrees about x, then y, then z, each in the world's axes: Rz Ry Rx, (3, 3).

    Example:
        >>> [round(float(v), 3) for v in rotation(0, 90, 0) @ (1, 0, 0)]
        [0.0, 0.0, -1.0]
    """
    (cx, sx), (cy, sy), (cz, sz) = ((math.cos(math.radians(a)), math.sin(math.radians(a))) for a in (x, y, z))
    about_x = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_z = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    return np.asarray(about_z @ about_y @ about_x, dtype=np.float64)
