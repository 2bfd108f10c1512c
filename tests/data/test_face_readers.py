"""Readers of data sets of faces with landmarks or scans, each on a tiny fake in the data set's true layout."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.io import savemat
from torch import Tensor

from datamodules import AFLW2000, W300LP, AlignedFaces
from datamodules.matlab_faces import rotation_from_3ddfa
from zoo.contract import LANDMARK_FLIP, check
from zoo.errors import UserError
from zoo.imaging import write_image
from zoo.render.camera import euler_to_matrix


def template(yaw: float = 0.0) -> Tensor:
    """68 points of a schematic face, (68,2), eyes one unit apart; its nose moves with 3DDFA's yaw (radians)."""
    angle = torch.linspace(math.pi, 0, 17)
    jaw = torch.stack((0.95 * angle.cos(), 0.1 + 1.35 * angle.sin()), -1)
    brows = [torch.stack((torch.linspace(a, b, 5), torch.full((5,), -0.3)), -1) for a, b in ((-0.8, -0.2), (0.2, 0.8))]
    nose = torch.stack((torch.zeros(4), torch.linspace(0.05, 0.5, 4)), -1)
    base = torch.stack((torch.linspace(-0.2, 0.2, 5), torch.full((5,), 0.6)), -1)
    eyes = []
    for centre in (-0.5, 0.5):
        turn = torch.tensor([180.0, 240, 300, 0, 60, 120]).deg2rad()
        eyes.append(torch.stack((centre + 0.18 * turn.cos(), 0.08 * turn.sin()), -1))
    turn = torch.tensor([180.0, 210, 240, 270, 300, 330, 0, 30, 60, 90, 120, 150]).deg2rad()
    outer = torch.stack((0.4 * turn.cos(), 1.0 + 0.15 * turn.sin()), -1)
    turn = torch.tensor([180.0, 240, 270, 300, 0, 60, 90, 120]).deg2rad()
    inner = torch.stack((0.3 * turn.cos(), 1.0 + 0.06 * turn.sin()), -1)
    points = torch.cat((jaw, *brows, nose, base, *eyes, outer, inner))
    points[27:36, 0] -= 0.5 * math.sin(yaw)  # positive yaw looks to the left of the picture
    return points


def dotted(points: Tensor, height: int = 120, width: int = 150) -> Tensor:
    """A picture (3,height,width) with a soft white spot at the nose tip, red at the left eye's middle."""
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    picture = torch.full((3, height, width), 0.2)
    for channels, point in (((0, 1, 2), points[30]), ((0,), points[36:42].mean(0))):
        spot = (-((x - point[0]) ** 2 + (y - point[1]) ** 2) / 8).exp()
        for channel in channels:
            picture[channel] = torch.maximum(picture[channel], spot)
    return picture


def brightest(picture: Tensor, channel: int = 1) -> Tensor:
    """Where a spot lies in (3,H,W), to a fraction of a pixel: (2,) x and y."""
    weight = (picture[channel] - 0.5).clamp_min(0)
    y, x = torch.meshgrid(*map(torch.arange, weight.shape), indexing="ij")
    return torch.stack(((x * weight).sum(), (y * weight).sum())) / weight.sum()


POINTS = template() * 22 + torch.tensor([70.0, 45.0])
"""The landmarks of the fakes' pictures, in the contract's pixels."""


# Pose_Para


def matrix_of_3ddfa(pitch: float, yaw: float, roll: float) -> Tensor:
    """R = Rx Ry Rz as the code that comes with 300W-LP defines it, from the text of its definition."""
    c, s = math.cos, math.sin
    x = [[1, 0, 0], [0, c(pitch), s(pitch)], [0, -s(pitch), c(pitch)]]
    y = [[c(yaw), 0, -s(yaw)], [0, 1, 0], [s(yaw), 0, c(yaw)]]
    z = [[c(roll), s(roll), 0], [-s(roll), c(roll), 0], [0, 0, 1]]
    first, second, third = (torch.tensor(m, dtype=torch.float64) for m in (x, y, z))
    return first @ second @ third


@pytest.mark.parametrize("pose", [(0.3, -0.7, 0.4), (-0.5, 1.2, -1.0), (0.0, 0.0, 0.0), (0.1, 1.5, 0.2)])
def test_pose_of_3ddfa_is_the_same_rotation(pose: tuple[float, float, float]) -> None:
    angles = rotation_from_3ddfa(torch.tensor(pose, dtype=torch.float64))
    torch.testing.assert_close(euler_to_matrix(angles[None])[0], matrix_of_3ddfa(*pose), atol=1e-12, rtol=0)


def test_pose_of_3ddfa_known_answers() -> None:
    nose = torch.tensor([0.0, 0.0, 1.0])
    for pose, seen in (
        ([0.0, 0.5, 0.0], (-math.sin(0.5), 0.0)),  # positive yaw looks to the left of the picture
        ([0.5, 0.0, 0.0], (0.0, math.sin(0.5))),  # positive pitch looks up
    ):
        matrix = euler_to_matrix(rotation_from_3ddfa(torch.tensor([pose])))[0]
        torch.testing.assert_close((matrix @ nose)[:2], torch.tensor(seen), atol=1e-6, rtol=0)
    leaning = euler_to_matrix(rotation_from_3ddfa(torch.tensor([[0.0, 0.0, 0.5]])))[0]
    crown = leaning @ torch.tensor([0.0, 1.0, 0.0])  # positive roll leans clockwise, to the right of the picture
    torch.testing.assert_close(crown, torch.tensor([math.sin(0.5), math.cos(0.5), 0.0]), atol=1e-6, rtol=0)


# AFLW2000-3D


def face_mat(file: Path, pose: tuple[float, float, float], **others: Any) -> None:
    savemat(
        file,
        {
            "Pose_Para": np.array([[*pose, 70.0, 60.0, 0.0, 5e-4]], np.float32),
            "Shape_Para": np.zeros((199, 1)),
            "Exp_Para": np.zeros((29, 1)),
            "Illum_Para": np.zeros((1, 10)),
            "Color_Para": np.ones((1, 7)),
            "Tex_Para": np.zeros((199, 1)),
            "roi": np.array([[1, 1, 150, 120]]),
            **others,
        },
    )


@pytest.fixture
def aflw2000(tmp_path: Path) -> Path:
    for number, degrees in ((2, -10.0), (4, 29.5), (6, -45.0), (8, 80.0), (10, 95.0)):
        write_image(tmp_path / f"image{number:05d}.jpg", dotted(POINTS))
        points = np.concatenate((POINTS.T.numpy() + 1, np.zeros((1, 68))))  # MATLAB's first pixel is 1
        face_mat(tmp_path / f"image{number:05d}.mat", (0.1, math.radians(degrees), 0.05), pt3d_68=points)
    return tmp_path


def test_aflw2000_becomes_the_contract(aflw2000: Path) -> None:
    data = AFLW2000(str(aflw2000), size=96, batch_size=5)
    data.prepare_data()
    batch = next(iter(data.test_dataloader()))
    check(batch, ["image", "landmarks", "rotation"])
    assert batch["image"].shape == (5, 3, 96, 96)
    assert batch["name"][0] == "image00002"
    torch.testing.assert_close(batch["yaw"], torch.tensor([10.0, 29.5, 45.0, 80.0, 95.0]), atol=1e-4, rtol=0)
    for picture, landmarks in zip(batch["image"], batch["landmarks"], strict=True):
        assert (brightest(picture) - landmarks[30]).norm() < 0.3  # the picture and its points moved alike
    expected = matrix_of_3ddfa(0.1, math.radians(-45), 0.05).float()
    torch.testing.assert_close(euler_to_matrix(batch["rotation"])[2], expected, atol=1e-5, rtol=0)


def test_aflw2000_by_yaw(aflw2000: Path) -> None:
    names = {}
    for yaw in ("0-30", "30-60", "60-90"):
        names[yaw] = next(iter(AFLW2000(str(aflw2000), size=32, yaw=yaw).test_dataloader()))["name"]
    assert names == {
        "0-30": ["image00002", "image00004"],
        "30-60": ["image00006"],
        "60-90": ["image00008", "image00010"],
    }


def test_aflw2000_is_no_training_set(aflw2000: Path) -> None:
    with pytest.raises(UserError, match="test set"):
        AFLW2000(str(aflw2000)).split("train")


def test_aflw2000_aligned(aflw2000: Path) -> None:
    data = AlignedFaces(AFLW2000(str(aflw2000), size=128), size=64, batch_size=5)
    batch = next(iter(data.test_dataloader()))
    check(batch, ["image", "landmarks", "rotation"])
    assert batch["image"].shape == (5, 3, 64, 64)
    assert (brightest(batch["image"][0]) - batch["landmarks"][0, 30]).norm() < 0.3


def test_aflw2000_missing(tmp_path: Path) -> None:
    with pytest.raises(UserError) as told:
        AFLW2000(str(tmp_path / "no")).prepare_data()
    for words in ("AFLW2000-3D", "research only", "3DDFA", "pt3d_68"):
        assert words in str(told.value)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (np.zeros((3, 21)), "21 points, and 68"),
        (np.zeros((68, 7)), "no points of x and y"),
        (np.full((3, 68), np.nan), "not finite"),
        (np.zeros((3, 68)), "make no face"),
    ],
)
def test_aflw2000_bad_landmarks(aflw2000: Path, values: np.ndarray, words: str) -> None:
    face_mat(aflw2000 / "image00002.mat", (0.0, 0.0, 0.0), pt3d_68=values)
    with pytest.raises(UserError, match=words):
        AFLW2000(str(aflw2000), size=32).split("test")[0]


def test_aflw2000_broken_files(aflw2000: Path) -> None:
    face_mat(aflw2000 / "image00002.mat", (0.0, 0.0, 0.0))
    (aflw2000 / "image00004.mat").write_bytes(b"no MATLAB file")
    (aflw2000 / "image00006.jpg").write_bytes(b"no picture")
    data = AFLW2000(str(aflw2000), size=32).split("test")
    for sample, words in ((0, "lacks pt3d_68"), (1, "damaged"), (2, "image00006.jpg")):
        with pytest.raises(UserError, match=words):
            data[sample]
    (aflw2000 / "image00004.mat").unlink()
    with pytest.raises(UserError, match=r"there is no .*image00004.mat"):
        AFLW2000(str(aflw2000)).prepare_data()


# 300W-LP


@pytest.fixture
def w300lp(tmp_path: Path) -> Path:
    """Per set six photos with four turned pictures each; AFW mirrored as well."""
    for name in ("AFW", "HELEN", "IBUG", "LFPW", "AFW_Flip"):
        source = name.removesuffix("_Flip")
        (tmp_path / name).mkdir()
        (tmp_path / "landmarks" / source).mkdir(parents=True, exist_ok=True)
        for photo in range(6):
            for turn in range(5):
                stem = f"{source}_{photo}_1_{turn}"
                yaw = math.radians(15 * turn)
                points = template(yaw) * 22 + torch.tensor([70.0, 45.0])
                picture = dotted(points)
                if name != source:
                    picture = picture.flip(-1)
                    yaw = -yaw
                else:
                    both = {"pts_3d": points.numpy() + 1, "pts_2d": points.numpy() + 3}
                    savemat(tmp_path / "landmarks" / source / f"{stem}_pts.mat", both)
                write_image(tmp_path / name / f"{stem}.jpg", picture)
                face_mat(tmp_path / name / f"{stem}.mat", (0.0, yaw, 0.0), pt2d=np.zeros((2, 68)))
    return tmp_path


def test_300wlp_becomes_the_contract(w300lp: Path) -> None:
    data = W300LP(str(w300lp), size=96, batch_size=8, val_share=0.2, test_share=0.2)
    data.prepare_data()
    batch = next(iter(data.train_dataloader()))
    check(batch, ["image", "landmarks", "rotation", "person"])
    for picture, landmarks in zip(batch["image"], batch["landmarks"], strict=True):
        assert (brightest(picture) - landmarks[30]).norm() < 0.4
    # mirrored or not, the nose lies on the side that the head turns to
    shift = batch["landmarks"][:, 30, 0] - batch["landmarks"][:, [39, 42], 0].mean(1)
    turned = batch["yaw"] > 1
    assert bool(turned.any())
    assert bool((shift[turned] * batch["rotation"][turned, 1] > 0).all())


def test_300wlp_keeps_the_pictures_of_a_photo_together(w300lp: Path) -> None:
    sets = ["AFW", "AFW_Flip", "HELEN", "IBUG", "LFPW"]
    data = W300LP(str(w300lp), size=32, sets=sets, val_share=0.25, test_share=0.25)
    photos = []
    for split in ("train", "val", "test"):
        names = [data.split(split)[i]["name"].split("/")[1] for i in range(len(data.split(split)))]
        assert names
        photos.append({name.rsplit("_", 1)[0] for name in names})
    assert len(set.union(*photos)) == sum(map(len, photos)) == 24


def test_300wlp_mirrored_pictures(w300lp: Path) -> None:
    shares = {"val_share": 0.0, "test_share": 0.0, "flip": False, "size": 64}
    plain = W300LP(str(w300lp), sets=["AFW"], **shares).split("train")
    mirrored = W300LP(str(w300lp), sets=["AFW_Flip"], **shares).split("train")
    one, other = plain[4], mirrored[4]
    expected = one["landmarks"][list(LANDMARK_FLIP)]
    expected = torch.stack((63 - expected[:, 0], expected[:, 1]), -1)
    torch.testing.assert_close(other["landmarks"], expected, atol=1e-3, rtol=0)
    assert (brightest(other["image"]) - other["landmarks"][30]).norm() < 0.4
    torch.testing.assert_close(other["rotation"], one["rotation"] * torch.tensor([1.0, -1, -1]), atol=1e-6, rtol=0)


def test_300wlp_visible_outline(w300lp: Path) -> None:
    shares = {"val_share": 0.0, "test_share": 0.0, "flip": False, "size": 400}
    whole = W300LP(str(w300lp), points="2D", **shares).split("train").pictures[0].file
    data = W300LP(str(w300lp), points="2D", **shares).split("train")
    torch.testing.assert_close(data._landmarks(whole, 150), POINTS + 2, atol=1e-4, rtol=0)


def test_300wlp_sets_of_one_person(w300lp: Path) -> None:
    faces = W300LP(str(w300lp), size=64, pictures_per_person=3, val_share=0.2, test_share=0.2, flip=False)
    rows = [faces.split("train")[i] for i in range(3)]
    assert [row["name"][-1] for row in rows] == ["0", "2", "4"]
    assert len({int(row["person"]) for row in rows}) == 1
    data = AlignedFaces(faces, size=48, people=3, batch_size=2)
    batch = next(iter(data.train_dataloader()))
    check(batch, ["image", "landmarks", "person"])
    assert batch["image"].shape[0] == 6
    assert bool((batch["person"].view(2, 3) == batch["person"].view(2, 3)[:, :1]).all())
    with pytest.raises(UserError, match=r"no picture .* falls to"):
        W300LP(str(w300lp), pictures_per_person=9).split("train")


def test_300wlp_bad(w300lp: Path) -> None:
    with pytest.raises(UserError, match="sets has 'COFW'"):
        W300LP(str(w300lp), sets=["COFW"])
    with pytest.raises(UserError, match=r"no picture in .*HELEN_Flip"):
        W300LP(str(w300lp), sets=["HELEN_Flip"]).prepare_data()
    savemat(w300lp / "landmarks/AFW/AFW_0_1_0_pts.mat", {"pts_3d": np.zeros((51, 2))})
    data = W300LP(str(w300lp), sets=["AFW"], size=32, val_share=0.0, test_share=0.0).split("train")
    with pytest.raises(UserError, match="51 points, and 68"):
        data[0]
    (w300lp / "landmarks/AFW/AFW_0_1_0_pts.mat").unlink()
    with pytest.raises(UserError) as told:
        W300LP(str(w300lp), sets=["AFW"]).prepare_data()
    for words in ("300W-LP", "AFW_0_1_0_pts.mat", "research only", "3DDFA"):
        assert words in str(told.value)
    write_image(w300lp / "AFW" / "AFW.jpg", torch.rand(3, 8, 8))
    with pytest.raises(UserError, match="not named as the pictures"):
        W300LP(str(w300lp), sets=["AFW"]).prepare_data()
