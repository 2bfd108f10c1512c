"""The face made in code: closed parts, human measures, bases that keep to their promises, a cache that heals."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.spatial import cKDTree

from zoo.contract import LANDMARK_FLIP
from zoo.imaging import srgb_to_linear
from zoo.morphable.data import MorphableData
from zoo.morphable.procedural import build_face
from zoo.morphable.procedural.build import _make
from zoo.render import PerspectiveCamera, rasterize

FLIP = np.array([-1.0, 1.0, 1.0])


@pytest.fixture(scope="module")
def face() -> MorphableData:
    return build_face()


@pytest.fixture(scope="module")
def mean(face: MorphableData) -> np.ndarray:
    """The mean head in millimetres."""
    return face.mean.astype(np.float64) * face.metres_per_unit * 1000


def of(face: MorphableData, *names: str) -> np.ndarray:
    return np.isin(face.labels, [face.label_names.index(name) for name in names])


def draw(face: MorphableData, seed: int) -> np.ndarray:
    """One drawn head in millimetres, at rest."""
    rng = np.random.default_rng(seed)
    coefficients = np.clip(rng.standard_normal(80), -3, 3)
    return (face.mean + face.identity_basis @ coefficients) * face.metres_per_unit * 1000


def test_sizes(face: MorphableData) -> None:
    count = len(face.mean)
    assert 6000 <= count <= 13500
    assert face.identity_basis.shape == (count, 3, 80)
    assert face.expression_basis.shape == (count, 3, 64)
    assert face.albedo_basis.shape == (count, 3, 80)
    assert len(set(face.expression_names)) == 64
    assert face.uv.min() >= 0
    assert face.uv.max() <= 1
    assert face.metres_per_unit == pytest.approx(0.1)
    assert {"skin", "ear", "hair", "brows", "lips", "iris", "teeth", "tongue"} <= set(face.label_names)
    assert set(np.unique(face.labels)) == set(range(len(face.label_names)))


def test_every_part_is_closed_and_faces_outwards(face: MorphableData, mean: np.ndarray) -> None:
    part = face.extras["part"]
    assert set(np.unique(face.triangles)) == set(range(len(mean)))
    for k, name in enumerate(face.extras["part_names"]):
        triangles = face.triangles[part[face.triangles[:, 0]] == k]
        assert (part[triangles] == k).all()
        half_edges = np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])
        assert len(np.unique(half_edges, axis=0)) == len(half_edges), name
        _, uses = np.unique(np.sort(half_edges, 1), axis=0, return_counts=True)
        assert (uses == 2).all(), name
        assert len(np.unique(triangles)) - len(uses) + len(triangles) == 2, name
        a, b, c = (mean[triangles[:, i]] for i in range(3))
        volume = (a * np.cross(b, c)).sum() / 6
        assert volume > 0, name


def test_what_is_seen_from_the_front_looks_to_the_front(face: MorphableData, mean: np.ndarray) -> None:
    """Forehead, cheeks, chin, eyeballs and the nose's ridge: no triangle there is turned over."""
    a, b, c = (mean[face.triangles[:, i]] for i in range(3))
    normal, centre = np.cross(b - a, c - a), (a + b + c) / 3
    label = face.labels[face.triangles]
    plain = (label == label[:, :1]).all(1) & (label[:, 0] == face.label_names.index("skin"))
    front = plain & (centre[:, 2] > 75) & ((centre[:, 1] > -34) | (centre[:, 1] < -52)) & (centre[:, 1] > -108)
    assert front.sum() > 1500
    assert (normal[front, 2] > 0).all()


def test_left_mirrors_right(face: MorphableData, mean: np.ndarray) -> None:
    mirror = face.extras["mirror"]
    assert (mirror[mirror] == np.arange(len(mirror))).all()
    np.testing.assert_allclose(mean[mirror] * FLIP, mean, atol=1e-3)
    assert (face.labels[mirror] == face.labels).all()


def test_landmarks(face: MorphableData, mean: np.ndarray) -> None:
    points = mean[face.landmark_indices]
    assert len(set(face.landmark_indices.tolist())) == 68
    np.testing.assert_allclose(points[list(LANDMARK_FLIP)] * FLIP, points, atol=1e-3)
    assert (np.diff(points[:17, 0]) > 0).all()
    assert (np.diff(points[17:27, 0]) > 0).all()
    assert (np.diff(points[27:31, 1]) < 0).all()
    assert (np.diff(points[27:31, 2]) > 0).all()
    assert points[30, 2] == points[:, 2].max()
    assert points[36, 0] < points[39, 0] < 0 < points[42, 0] < points[45, 0]
    assert points[17:27, 1].min() > points[36:48, 1].max()
    assert points[36:48, 1].min() > points[30:36, 1].max() > points[30:36, 1].min() > points[48:68, 1].max()
    assert points[48:68, 1].min() > points[8, 1] == points[:, 1].min()
    assert points[51, 1] > points[62, 1] >= points[66, 1] > points[57, 1]
    assert points[48, 0] < points[60, 0] < points[64, 0] < points[54, 0]
    for upper, lower in ((37, 41), (38, 40), (43, 47), (44, 46)):
        assert points[upper, 1] > points[lower, 1] + 4


def lid_margin(face: MorphableData, mean: np.ndarray) -> np.ndarray:
    """The left lids' innermost ring of skin: what borders on the pocket behind them."""
    pocket = face.label_names.index("eye_socket")
    labels = face.labels[face.triangles]
    border = np.unique(face.triangles[(labels == pocket).any(1)])
    return border[(face.labels[border] != pocket) & (mean[border, 0] > 0)]


def measures(face: MorphableData, mean: np.ndarray) -> dict[str, float]:
    """The sheet's measures on the mean head, in millimetres."""
    p = mean[face.landmark_indices]
    skin = of(face, "skin", "neck", "hair", "brows")
    head, ears = mean[skin], mean[of(face, "ear")]
    face_only = mean[of(face, "skin")]

    def breadth(points: np.ndarray, low: float, high: float, near: float, far: float) -> float:
        inside = (points[:, 1] > low) & (points[:, 1] < high) & (points[:, 2] > near) & (points[:, 2] < far)
        return float(np.ptp(points[inside, 0]))

    iris = mean[of(face, "iris") & (face.extras["part"] == 1)]
    ball = mean[face.extras["part"] == 1]
    pupils = 100 * face.extras["eye_centres"]
    left_ear = ears[ears[:, 0] > 0]
    return {
        "crown to chin": float(np.ptp([head[:, 1].max(), p[8, 1]])),
        "head length": float(head[head[:, 1] > 0, 2].max() - head[:, 2].min()),
        "head breadth": breadth(head, 20, 70, -40, 30),
        "cheekbone breadth": breadth(face_only, -26, -6, 25, 60),
        "jaw breadth": breadth(head, -92, -80, 0, 30),
        "root of nose to chin": float(p[27, 1] - p[8, 1]),
        "base of nose to lip line": float(p[33, 1] - p[62, 1]),
        "upper lip": float(p[50, 1] - p[62, 1]),
        "lower lip": float(p[66, 1] - p[57, 1]),
        "lip line to chin": float(p[66, 1] - p[8, 1]),
        "between pupils": float(np.ptp(pupils[:, 0])),
        "between inner eye corners": float(p[42, 0] - p[39, 0]),
        "eye length": float(p[45, 0] - p[42, 0]),
        "eye height": float(np.ptp(mean[lid_margin(face, mean), 1])),
        "eyeball": float(np.ptp(ball[:, 0])),
        "iris": float(np.ptp(iris[:, 0])),
        "nose height": float(p[27, 1] - p[33, 1]),
        "nose width": 2
        * float(mean[(np.abs(mean[:, 1] + 42) < 4) & (mean[:, 2] > 104.5) & (mean[:, 0] < 22), 0].max()),
        "nose protrusion": float(p[30, 2] - p[33, 2]),
        "mouth width": float(p[54, 0] - p[48, 0]),
        "ear length": float(np.ptp(left_ear[:, 1])),
        "ear width": float(np.ptp(left_ear[:, 2])),
        "brow above pupil": float(p[24, 1]),
    }


SHEET = {
    "crown to chin": 225, "head length": 195, "head breadth": 152, "cheekbone breadth": 137, "jaw breadth": 105,
    "root of nose to chin": 120, "base of nose to lip line": 22, "upper lip": 8, "lower lip": 9, "lip line to chin": 47,
    "between pupils": 63, "between inner eye corners": 32, "eye length": 31, "eye height": 10.5, "eyeball": 24,
    "iris": 11.8, "nose height": 53, "nose width": 34, "nose protrusion": 20, "mouth width": 52, "ear length": 62,
    "ear width": 35, "brow above pupil": 22,
}  # fmt: skip


def test_mean_has_human_measures(face: MorphableData, mean: np.ndarray) -> None:
    found = measures(face, mean)
    off = {
        name: round(found[name] / target, 3) for name, target in SHEET.items() if abs(found[name] / target - 1) > 0.12
    }
    assert not off


def test_same_arrays_twice(face: MorphableData) -> None:
    again = _make(0)
    for name in ("mean", "identity_basis", "expression_basis", "albedo_mean", "albedo_basis"):
        np.testing.assert_allclose(again[name], getattr(face, name), atol=1e-6, err_msg=name)
    assert (again["triangles"] == face.triangles).all()


def test_identity_components_are_ordered_and_human(face: MorphableData) -> None:
    """The first axes carry the most; measures of drawn heads spread by a few per cent, as people's do."""
    spread = (face.identity_basis.astype(np.float64) ** 2).sum((0, 1))
    assert (np.diff(spread) <= spread[0] * 1e-5).all()
    share = face.extras["identity_variance"]
    assert share.sum() > 0.98
    np.testing.assert_allclose(spread / spread.sum(), share / share.sum(), atol=1e-4)
    points = np.stack([draw(face, k)[face.landmark_indices] for k in range(200)])
    for name, values in {
        "root of nose to chin": points[:, 27, 1] - points[:, 8, 1],
        "mouth width": points[:, 54, 0] - points[:, 48, 0],
        "nose width": points[:, 35, 0] - points[:, 31, 0],
        "inner eye corners": points[:, 42, 0] - points[:, 39, 0],
    }.items():
        assert 0.03 < values.std() / values.mean() < 0.15, name


def test_drawn_heads_keep_lids_on_eyes(face: MorphableData) -> None:
    """In 40 draws the lids' margins stay outside the ball, and within a few millimetres of it."""
    landmarks = face.landmark_indices
    for seed in range(40):
        points = draw(face, seed)
        assert np.isfinite(points).all()
        for part, ids in ((1, landmarks[[43, 44, 46, 47]]), (2, landmarks[[37, 38, 40, 41]])):
            ball = points[face.extras["part"] == part]
            centre = 0.5 * (ball.max(0) + ball.min(0))
            radius = 0.5 * np.ptp(ball[:, 0])
            height = np.linalg.norm(points[ids] - centre, axis=1) - radius
            assert (height > 0).all()
            assert (height < 3.5).all()


def test_blink_closes_over_the_ball_all_the_way(face: MorphableData, mean: np.ndarray) -> None:
    names = face.expression_names
    blink = face.expression_basis[..., names.index("eyeBlink_L")] * 100.0
    points = face.landmark_indices
    centre = 100.0 * face.extras["eye_centres"][0]
    for strength in (0.25, 0.5, 0.75, 1.0):
        moved = mean + strength * blink
        height = np.linalg.norm(moved[points[[43, 44, 46, 47]]] - centre, axis=1)
        assert (height > 12.0).all()
    overlap = moved[points[[47, 46]], 1] - moved[points[[43, 44]], 1]
    assert (overlap > 0.5).all()
    assert (overlap < 2.5).all()
    assert np.abs(blink[face.extras["mirror"][points[42:48]]]).max() == 0


def test_expressions_do_what_their_names_say(face: MorphableData, mean: np.ndarray) -> None:
    def move(name: str) -> np.ndarray:
        return 100.0 * face.expression_basis[..., face.expression_names.index(name)][face.landmark_indices]

    assert move("jawOpen")[66, 1] < -18
    assert abs(move("jawOpen")[62, 1]) < 2
    assert move("mouthSmile_L")[54, 1] > 3
    assert move("mouthSmile_L")[54, 0] > 3
    assert np.abs(move("mouthSmile_L")[48]).max() < 0.5
    assert move("mouthFrown_R")[48, 1] < -3
    assert move("browInnerUp_L")[22, 1] > 2
    assert move("mouthPucker")[54, 0] < -4
    assert move("jawLeft")[8, 0] > 4


def test_pairs_of_expressions_mirror_each_other(face: MorphableData) -> None:
    mirror = face.extras["mirror"]
    for name in face.expression_names:
        if name.endswith("_L"):
            left = face.expression_basis[..., face.expression_names.index(name)]
            right = face.expression_basis[..., face.expression_names.index(name[:-2] + "_R")]
            np.testing.assert_allclose(left[mirror] * FLIP, right, atol=2e-5, err_msg=name)


def linear(encoded: np.ndarray) -> np.ndarray:
    return srgb_to_linear(torch.from_numpy(encoded).clamp(0, 1)).numpy()


def test_albedo_spans_human_skin(face: MorphableData) -> None:
    assert face.albedo_encoding == "srgb"
    assert linear(face.albedo_mean).min() >= 0.005
    assert linear(face.albedo_mean).max() <= 0.95
    rng = np.random.default_rng(1)
    coefficients = np.clip(rng.standard_normal((80, 400)), -3, 3)
    cheeks = np.flatnonzero(of(face, "skin") & (np.abs(face.mean[:, 1] + 0.3) < 0.1) & (face.mean[:, 2] > 0.6))
    tones = face.albedo_mean[cheeks].mean(0)[:, None] + face.albedo_basis[cheeks].mean(0) @ coefficients
    red, green, blue = linear(tones)
    assert red.min() < 0.09
    assert red.max() > 0.34
    assert np.mean((red >= green) & (green >= blue)) > 0.97
    share = face.extras["albedo_variance"]
    assert share.sum() > 0.95


def test_colours_of_the_mean(face: MorphableData) -> None:
    def colour(name: str) -> np.ndarray:
        return linear(face.albedo_mean)[of(face, name)].mean(0)

    skin, lips = colour("skin"), colour("lips")
    assert lips.mean() < skin.mean()
    assert lips[0] / lips[1] > skin[0] / skin[1]
    assert 0.4 < colour("sclera").mean() < 0.7
    for dark in ("hair", "brows", "iris", "pupil"):
        assert colour(dark).mean() < 0.8 * skin.mean()
    assert colour("teeth").mean() > 0.4


def test_whites_of_eyes_are_shaded_by_the_lids(face: MorphableData, mean: np.ndarray) -> None:
    """Beside the iris they are bright; under the upper lid and in the corners they are not."""
    white = of(face, "sclera") & (face.extras["part"] == 1)
    x, y, z = (mean[white] - 100.0 * face.extras["eye_centres"][0]).T
    bright = linear(face.albedo_mean)[white].mean(1)
    beside = bright[(np.abs(np.abs(x) - 7.2) < 0.9) & (np.abs(y) < 1.5) & (z > 6)].mean()
    assert bright[(y > 4.5) & (np.abs(x) < 4) & (z > 6)].mean() < 0.7 * beside
    assert bright[(np.abs(x) > 9.5) & (np.abs(y) < 3) & (z > 5)].mean() < 0.85 * beside


def test_cache_is_used_and_heals(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZOO_HOME", str(tmp_path))
    made = build_face()
    (path,) = (tmp_path / "morphable").iterdir()
    written = path.stat().st_mtime_ns
    assert (build_face().mean == made.mean).all()
    assert path.stat().st_mtime_ns == written
    with path.open("r+b") as file:
        file.truncate(os.path.getsize(path) // 2)
    assert (build_face().mean == made.mean).all()
    assert path.stat().st_size > 1_000_000


def closed_eyes(face: MorphableData, seed: int) -> np.ndarray:
    """A drawn head of up to 2.5 standard deviations with both eyes closed, in millimetres."""
    rng = np.random.default_rng(seed)
    coefficients = np.clip(rng.standard_normal(80), -2.5, 2.5)
    blink = sum(face.expression_basis[..., face.expression_names.index(f"eyeBlink_{side}")] for side in "LR")
    return 100.0 * (face.mean + face.identity_basis @ coefficients + blink).astype(np.float64)


@pytest.mark.parametrize("turn", [0.0, 40.0, -40.0])
def test_closed_lids_hide_the_eyeball(face: MorphableData, turn: float) -> None:
    """Of 24 people with closed eyes hardly a pixel of eyeball is seen, from the front and from either side."""
    size = 220
    angle = np.radians(turn)
    about_y = np.array([[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]])
    camera = PerspectiveCamera.from_fov(10.0, size, size)
    triangles = torch.from_numpy(face.triangles)
    ball = np.isin(face.extras["part"], (1, 2))
    seen = []
    for seed in range(24):
        placed = (closed_eyes(face, seed) - [0.0, 0.0, 85.0]) @ about_y.T - [0.0, 0.0, 700.0]
        screen = camera.project(torch.from_numpy(placed).float()[None])
        ids = rasterize(screen, triangles, size, size).numpy()
        seen.append(int(ball[face.triangles[ids[ids >= 0], 0]].sum()))
    assert np.mean(seen) < 1.0, seen
    assert max(seen) <= 6, seen


def test_lashes_stay_on_the_lids(face: MorphableData) -> None:
    """However the lids move, each strip's root keeps to the margin; few vertices in all."""
    lash = of(face, "lashes")
    assert lash.sum() < 300
    for seed in range(12):
        shut = closed_eyes(face, seed)
        for points in (draw(face, seed), shut, 0.5 * (shut + draw(face, seed))):
            for side in (1.0, -1.0):
                mine = points[lash & (face.mean[:, 0] * side > 0)]
                skin = points[of(face, "skin") & (face.extras["part"] == 0) & (face.mean[:, 0] * side > 0)]
                distance, _ = cKDTree(skin).query(mine)
                assert distance[0::3].max() < 1.5
                assert distance.max() < 7.0


def test_no_triangle_of_a_drawn_face_is_turned_over(face: MorphableData, mean: np.ndarray) -> None:
    """What looks forwards on the mean's open face does so on 64 others; no edge there collapses."""

    def normals(points: np.ndarray) -> np.ndarray:
        a, b, c = (points[face.triangles[:, i]] for i in range(3))
        return np.cross(b - a, c - a)

    rest = normals(mean)
    label = face.labels[face.triangles]
    wanted = np.isin(label, [face.label_names.index(name) for name in ("skin", "brows", "lips")]).all(1)
    wanted &= rest[:, 2] > 0.4 * np.linalg.norm(rest, axis=1)
    worst = [float((normals(draw(face, seed))[wanted, 2] <= 0).mean()) for seed in range(64)]
    assert max(worst) < 0.002, worst


def test_closed_mouths_hide_the_teeth(face: MorphableData) -> None:
    """No tooth or gum is seen on 24 people at rest."""
    size = 200
    camera = PerspectiveCamera.from_fov(14.0, size, size)
    triangles = torch.from_numpy(face.triangles)
    hidden = np.isin(face.extras["part"], (3, 4, 5))
    for seed in range(24):
        placed = draw(face, seed) - [0.0, -60.0, 785.0]
        ids = rasterize(camera.project(torch.from_numpy(placed).float()[None]), triangles, size, size).numpy()
        assert hidden[face.triangles[ids[ids >= 0], 0]].sum() <= 1, seed


def test_open_mouths_show_teeth_and_tongue(face: MorphableData, mean: np.ndarray) -> None:
    size = 200
    camera = PerspectiveCamera.from_fov(14.0, size, size)
    opened = mean + 100.0 * face.expression_basis[..., face.expression_names.index("jawOpen")]
    screen = camera.project(torch.from_numpy(opened - [0.0, -60.0, 785.0]).float()[None])
    ids = rasterize(screen, torch.from_numpy(face.triangles), size, size).numpy()
    labels = face.labels[face.triangles[ids[ids >= 0], 0]]
    for name, least in (("teeth", 60), ("tongue", 60), ("mouth", 60)):
        assert (labels == face.label_names.index(name)).sum() > least, name
