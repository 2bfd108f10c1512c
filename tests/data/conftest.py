"""A face model small enough for tests: a ball with eyes and a mouth at sane places."""

from __future__ import annotations

import numpy as np
import pytest

from zoo.morphable import MorphableData, MorphableModel


def tiny_data() -> MorphableData:
    rows, columns = 20, 28
    height = np.linspace(0, np.pi, rows)[:, None]
    around = np.linspace(0, 2 * np.pi, columns, endpoint=False)[None, :]
    ball = np.stack([np.sin(height) * np.sin(around), np.cos(height) + 0 * around, np.sin(height) * np.cos(around)], -1)
    mean = (ball.reshape(-1, 3) * [0.75, 1.0, 0.9]).astype(np.float32)
    i, j = np.meshgrid(np.arange(rows - 1), np.arange(columns), indexing="ij")
    a, b = i * columns + j, i * columns + (j + 1) % columns
    c, d = a + columns, b + columns
    triangles = np.stack([np.stack([a, c, b], -1), np.stack([b, c, d], -1)]).reshape(-1, 3).astype(np.int64)

    def nearest(x: float, y: float) -> int:
        z = 0.9 * np.sqrt(max(0.0, 1 - (x / 0.75) ** 2 - y**2))
        return int(((mean - [x, y, z]) ** 2).sum(1).argmin())

    jaw = [nearest(0.7 * np.sin(t), 0.1 - 0.9 * np.cos(t)) for t in np.linspace(-1.5, 1.5, 17)]
    brows = [nearest(x, 0.5) for x in np.linspace(-0.5, 0.5, 10)]
    nose = [nearest(0, y) for y in (0.3, 0.2, 0.1, 0)] + [nearest(x, -0.1) for x in np.linspace(-0.15, 0.15, 5)]
    eyes = [nearest(-0.3, 0.3)] * 6 + [nearest(0.3, 0.3)] * 6
    lips = [nearest(0.25 * np.cos(t), -0.4 - 0.1 * np.sin(t)) for t in np.linspace(np.pi, -np.pi, 20, endpoint=False)]
    lips[0], lips[6] = nearest(-0.25, -0.4), nearest(0.25, -0.4)
    random = np.random.default_rng(0)
    count = len(mean)
    return MorphableData(
        name="ball",
        mean=mean,
        identity_basis=(0.02 * mean[:, :, None] * random.normal(size=(count, 1, 4))).astype(np.float32),
        expression_basis=(0.01 * random.normal(size=(count, 3, 3))).astype(np.float32),
        triangles=triangles,
        landmark_indices=np.array([*jaw, *brows, *nose, *eyes, *lips], np.int64),
        albedo_mean=np.tile(np.float32([0.35, 0.22, 0.16]), (count, 1)),
        albedo_basis=(0.03 * random.normal(size=(count, 3, 5))).astype(np.float32),
        labels=(mean[:, 1] > 0).astype(np.int64),
        label_names=("skin", "brows"),
    )


@pytest.fixture(scope="session")
def tiny_model() -> MorphableModel:
    return MorphableModel(tiny_data())


@pytest.fixture
def tiny_face(monkeypatch: pytest.MonkeyPatch) -> None:
    """The data module gets the small model, whatever it asks for."""
    monkeypatch.setattr(MorphableModel, "load", lambda spec: MorphableModel(tiny_data()))
