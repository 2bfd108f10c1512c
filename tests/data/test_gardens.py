"""Gardens: every class occurs, nothing floats, nothing hides the camera, light is drawn last."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest

from datamodules.scenes.garden_lights import CONDITIONS, draw_daylight
from datamodules.scenes.gardens import draw_garden
from datamodules.scenes.materials.draw import Chance
from datamodules.scenes.scene import Scene, Solid
from zoo.scene_classes import GARDEN_CLASSES

_SCENES = 60


@pytest.fixture(scope="module")
def gardens() -> list[Scene]:
    return [draw_garden(np.random.default_rng(seed)) for seed in range(_SCENES)]


def _box(solid: Solid) -> tuple[np.ndarray, np.ndarray]:
    """The lowest and the highest corner of the axis-parallel box around a solid."""
    turn = np.eye(3) if solid.turn is None else solid.turn
    size = np.array(solid.size) * np.array([max(solid.top, 1.0), 1.0, max(solid.top, 1.0)])
    low_y = size[1] * (solid.lower if solid.shape == "ellipsoid" else -1.0)
    round_ = solid.shape == "ellipsoid"
    half = np.sqrt(((turn * size) ** 2).sum(1)) if round_ else np.abs(turn) @ size
    low, high = np.array(solid.centre) - half, np.array(solid.centre) + half
    if solid.turn is None:
        low[1] = solid.centre[1] + low_y
    return low, high


def test_one_generator_makes_one_garden(gardens: list[Scene]) -> None:
    for seed in (0, 7):
        again = draw_garden(np.random.default_rng(seed))
        assert repr(again) == repr(gardens[seed])
    assert repr(gardens[0]) != repr(gardens[1])


def test_more_lights_change_nothing_else(gardens: list[Scene]) -> None:
    several = draw_garden(np.random.default_rng(3), lights=4)
    assert len(several.lightings) == 4
    assert repr(several.solids) == repr(gardens[3].solids)
    assert several.lightings[0] == gardens[3].lightings[0]
    assert several.lightings[1] != several.lightings[0]


def test_only_classes_of_gardens_and_all_of_them(gardens: list[Scene]) -> None:
    scenes_with = Counter(label for scene in gardens for label in {s.label for s in scene.solids})
    assert set(scenes_with) <= set(GARDEN_CLASSES)
    for name in GARDEN_CLASSES:
        # the sky is no solid; void is only ponds
        if name not in ("sky", "void"):
            assert scenes_with[name] >= 0.2 * _SCENES, name


def test_nothing_floats(gardens: list[Scene]) -> None:
    for number, scene in enumerate(gardens):
        boxes = [_box(s) for s in scene.solids]
        lows, highs = (np.stack(side) for side in zip(*boxes, strict=True))
        # what stands on the ground holds what touches it, and that holds what touches it in turn
        held = lows[:, 1] <= 0.02
        touch = ((lows[:, None] <= highs[None] + 2e-3) & (highs[:, None] >= lows[None] - 2e-3)).all(2)
        for _ in range(6):
            held |= (touch & held[None]).any(1)
        assert held.all(), (number, scene.solids[int(np.argmin(held))])


def test_nothing_contains_the_camera(gardens: list[Scene]) -> None:
    for scene in gardens:
        eye = np.array(scene.camera.position)
        for solid in scene.solids:
            low, high = _box(solid)
            assert solid.holes > 0 or not ((eye > low - 0.1) & (eye < high + 0.1)).all(), solid


def test_things_have_numbers_and_one_class_each(gardens: list[Scene]) -> None:
    for scene in gardens:
        labels: dict[int, str] = {}
        for solid in scene.solids:
            assert solid.instance >= 1
            assert labels.setdefault(solid.instance, solid.label) == solid.label


def test_solids_are_of_a_good_number(gardens: list[Scene]) -> None:
    counts = [len(scene.solids) for scene in gardens]
    assert min(counts) >= 20
    assert max(counts) <= 280
    assert np.mean(counts) < 150


def test_five_conditions_of_daylight() -> None:
    chance = Chance(np.random.default_rng(0))
    for condition in CONDITIONS:
        for _ in range(20):
            light = draw_daylight(chance, condition)
            assert light.sky is not None
            assert (light.sun is None) == (condition in ("overcast", "twilight"))
            if light.sun is None:
                continue
            assert math.dist(light.sun.towards, (0, 0, 0)) == pytest.approx(1.0)
            assert light.sun.towards[1] > math.sin(math.radians(5))
            sky = (sum(light.sky.zenith) + sum(light.sky.horizon)) / 2
            ratio = sum(light.sun.irradiance) / sky
            if condition == "clear":
                assert 2.5 < ratio < 7
            if condition == "sunset":
                assert light.sun.irradiance[0] > 2 * light.sun.irradiance[2]
                assert light.sun.towards[1] < math.sin(math.radians(20))
    assert sum(CONDITIONS.values()) == pytest.approx(1.0)


def test_a_known_condition_takes_as_many_draws_as_a_drawn_one() -> None:
    one, two = np.random.default_rng(0), np.random.default_rng(0)
    draw_daylight(Chance(one), "overcast")
    draw_daylight(Chance(two))
    assert one.random() == two.random()
