"""Readers of data sets of faces with landmarks or scans, each on a tiny fake in the data set's true layout."""

from __future__ import annotations

import math
import pickle
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import trimesh
from scipy.io import savemat
from torch import Tensor

from datamodules import AFLW2000, MICC, W300LP, AlignedFaces, FaceWarehouse, NoW
from datamodules.facewarehouse import read_land
from datamodules.matlab_faces import rotation_from_3ddfa
from datamodules.scans import read_box, read_picked_points, read_scan
from zoo.commands.data import main as data_command
from zoo.contract import LANDMARK_FLIP, check
from zoo.errors import UserError
from zoo.faces import crop_box, crop_box_from_landmarks, find_landmarks, require_face
from zoo.imaging import read_image, write_image
from zoo.metrics import NowError, ScanError
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


def test_squares_are_black_beyond_the_picture(aflw2000: Path) -> None:
    image = AFLW2000(str(aflw2000), size=75, margin=0.6).split("test")[0]["image"]
    top = 52.26 - 68.2 * 2.2 / 2  # of the square, whose pixels are two of the picture's 150 x 120, which are grey
    rows = top + 2 * (torch.arange(75) + 0.5) - 0.5
    assert image[:, rows < -2].max() < 0.01
    assert image[:, (rows > 1) & (rows < 118), 37].min() > 0.19
    assert image[:, rows > 121].max() < 0.01


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


# Scans


def face_mesh(unit: float = 1.0) -> tuple[Tensor, Tensor]:
    """A mask of a face of 150 mm height, bulging to +z with a nose in its middle: (V,3) in units, quads (Q,4)."""
    rows, columns = 21, 17
    y, x = torch.meshgrid(torch.linspace(75, -75, rows), torch.linspace(-60, 60, columns), indexing="ij")
    z = 40 - (x / 12).square() - (y / 14).square() + 25 * (-(x.square() + (y + 10).square()) / 300).exp()
    vertices = torch.stack((x, y, z), -1).reshape(-1, 3) / unit
    i, j = torch.meshgrid(torch.arange(rows - 1), torch.arange(columns - 1), indexing="ij")
    first = (i * columns + j).reshape(-1)
    return vertices, torch.stack((first, first + columns, first + columns + 1, first + 1), -1)


def nearest(vertices: Tensor, places: list[tuple[float, float]]) -> Tensor:
    """Numbers of the vertices nearest to places x, y."""
    return torch.stack([(vertices[:, :2] - torch.tensor(place)).square().sum(1).argmin() for place in places])


SEVEN = [(-45.0, 20.0), (-15.0, 20.0), (15.0, 20.0), (45.0, 20.0), (0.0, -25.0), (-25.0, -50.0), (25.0, -50.0)]
NOSE = [(0.0, -10.0)]


def write_obj(path: Path, vertices: Tensor, quads: Tensor) -> None:
    """As FaceWarehouse and scanners write it: quads, texture coordinates, normals."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [f"v {x:.6f} {y:.6f} {z:.6f}" for x, y, z in vertices.tolist()] + ["vt 0.5 0.5", "vn 0 0 1"]
    lines += ["f " + " ".join(f"{corner + 1}/1/1" for corner in quad) for quad in quads.tolist()]
    path.write_text("\n".join(lines))


def write_pp(path: Path, points: Tensor, shuffled: bool = False) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [
        f' <point x="{x}" y="{y}" z="{z}" active="1" name="{name}"/>' for name, (x, y, z) in enumerate(points.tolist())
    ]
    head = '<!DOCTYPE PickedPoints>\n<PickedPoints>\n <DocumentData><templateName name="new Template"/></DocumentData>'
    path.write_text("\n".join((head, *(rows[::-1] if shuffled else rows), "</PickedPoints>")))


def write_points(path: Path, points: Tensor) -> None:
    path.write_text("\n".join(f"{x:.4f} {y:.4f}" for x, y in points.tolist()))


PEOPLE = ("FaMoS_180424_03335_TA", "FaMoS_180425_03336_TA")


@pytest.fixture
def now(tmp_path: Path) -> Path:
    """Two people, a picture in each challenge; the list and the scans lie beside the packed pictures."""
    inner, lines = tmp_path / "NoW_Dataset" / "final_release_version", []
    vertices, quads = face_mesh()
    for number, person in enumerate(PEOPLE):
        write_obj(tmp_path / "scans" / person / f"natural_head_rotation.00000{number}.obj", vertices, quads)
        points = vertices[nearest(vertices, SEVEN)]
        write_pp(tmp_path / "scans_lmks_onlypp" / person / f"scan.00000{number}_picked_points.pp", points, True)
        for challenge in ("multiview_expressions", "multiview_neutral", "multiview_occlusions", "selfie"):
            picture = inner / "iphone_pictures" / person / challenge / "IMG_0041.jpg"
            box = inner / "detected_face" / person / challenge / "IMG_0041.npy"
            for folder in (picture.parent, box.parent):
                folder.mkdir(parents=True)
            write_image(picture, dotted(POINTS))
            write_points(picture.with_suffix(".txt"), POINTS)
            sides = {"left": np.float64(40), "right": np.float64(101), "top": 30, "bottom": np.int64(90)}
            np.save(box, np.array(sides, object), allow_pickle=True)
            lines.append(f"{person}/{challenge}/IMG_0041.jpg")
    (tmp_path / "imagepathsvalidation.txt").write_text("\n".join(lines) + "\n")
    return tmp_path


def test_now_gives_what_its_metric_takes(now: Path) -> None:
    data = NoW(str(now), size=96, batch_size=3)
    data.prepare_data()
    batch = next(iter(data.test_dataloader()))
    check(batch, ["image", "landmarks", "person"])
    assert batch["group"][:2] == ["multiview_expressions", "multiview_neutral"]
    assert batch["name"][0] == f"{PEOPLE[0]}/multiview_expressions/IMG_0041"
    assert (brightest(batch["image"][0]) - batch["landmarks"][0, 30]).norm() < 0.3
    vertices, quads = face_mesh()
    torch.testing.assert_close(batch["native_scan_vertices"][0], vertices, atol=1e-5, rtol=0)
    torch.testing.assert_close(batch["native_scan_landmarks"][0], vertices[nearest(vertices, SEVEN)])
    triangles = batch["native_scan_triangles"][0]
    assert len(triangles) == 2 * len(quads)
    # the reconstruction is the scan itself, smaller and moved: nothing is left to measure
    metric = NowError()
    smaller = [0.01 * each + 0.3 for each in batch["native_scan_vertices"]]
    landmarks = [0.01 * each + 0.3 for each in batch["native_scan_landmarks"]]
    metric.update(smaller, triangles, batch["native_scan_vertices"], landmarks, batch["native_scan_landmarks"])
    assert metric.compute()["median"] < 0.05


def test_now_by_challenge_and_in_one_folder(now: Path) -> None:
    assert len(NoW(str(now), challenge="selfie").photos) == 2
    inner = now / "NoW_Dataset" / "final_release_version"
    for name in ("scans", "scans_lmks_onlypp", "imagepathsvalidation.txt"):
        shutil.move(now / name, inner / name)
    samples = list(NoW(str(inner)).samples())
    assert [sample.photo.person for sample in samples] == [0] * 4 + [1] * 4
    assert samples[0].image.shape == (3, 120, 150)
    assert samples[0].landmarks is not None
    torch.testing.assert_close(samples[0].landmarks, POINTS, atol=1e-3, rtol=0)
    assert samples[0].scan.nose_tip is None


def test_now_takes_the_face_in_the_box(now: Path) -> None:
    data = NoW(str(now))
    photo = data.photos[0]
    face = data.face(photo, read_image(photo.file))
    assert face is not None
    assert face.box == (40.0, 30.0, 101.0, 90.0)
    photo.file.with_suffix(".txt").unlink()
    assert data.split("val")[0]["landmarks"].shape == (68, 2)  # of what the landmark network finds in the box


def test_now_aligned(now: Path) -> None:
    batch = next(iter(AlignedFaces(NoW(str(now), size=128), size=64, batch_size=2).val_dataloader()))
    check(batch, ["image", "landmarks", "person"])
    assert len(batch["native_scan_vertices"]) == 2


def test_now_bad(now: Path) -> None:
    with pytest.raises(UserError, match="for evaluation"):
        NoW(str(now)).split("train")
    with pytest.raises(UserError, match="challenge is portrait"):
        NoW(str(now), challenge="portrait")
    data = NoW(str(now))
    scan = next((now / "scans" / PEOPLE[0]).glob("*.obj"))
    scan.write_text("v 1 2 3\nf 1 2")
    with pytest.raises(UserError, match="damaged or cut off"):
        data.split("val")[0]
    scan.unlink()
    with pytest.raises(UserError, match=r"no \.obj or \.ply file"):
        data.split("val")[0]
    picture = data.photos[4].file
    write_points(picture.with_suffix(".txt"), POINTS[:51])
    with pytest.raises(UserError, match="51 points; 5 or 68"):
        data.split("val")[4]
    picture.unlink()
    with pytest.raises(UserError) as told:
        NoW(str(now)).prepare_data()
    for words in ("IMG_0041.jpg", "research only", "now.is.tue.mpg.de", "scans_lmks_onlypp"):
        assert words in str(told.value)
    (now / "imagepathsvalidation.txt").write_text("IMG_0041.jpg\n")
    with pytest.raises(UserError, match="not PERSON/CHALLENGE/PICTURE"):
        NoW(str(now)).prepare_data()


class _Evil:
    def __reduce__(self) -> tuple[Any, ...]:
        return print, ("this must not run",)


def test_boxes_run_no_code(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    box = tmp_path / "box.npy"
    np.save(box, np.array({"left": _Evil()}, object), allow_pickle=True)
    with pytest.raises(UserError, match=r"asks for (builtins|__builtin__)\.print"):
        read_box(box)
    assert "must not run" not in capsys.readouterr().out
    for content, words in ((b"", "damaged"), (pickle.dumps({"left": 1}), "damaged")):
        box.write_bytes(content)
        with pytest.raises(UserError, match=words):
            read_box(box)
    np.save(box, np.array({"left": 5, "right": 5, "top": 0, "bottom": 9}, object), allow_pickle=True)
    with pytest.raises(UserError, match="is empty"):
        read_box(box)
    np.save(box, np.zeros(4))
    with pytest.raises(UserError, match="no box of a face"):
        read_box(box)


def test_picked_points(tmp_path: Path) -> None:
    file, points = tmp_path / "a.pp", torch.randn(8, 3)
    write_pp(file, points, shuffled=True)
    torch.testing.assert_close(read_picked_points(file, 7), points)
    with pytest.raises(UserError, match="8 points, and 9 are needed"):
        read_picked_points(file, 9)
    file.write_text(file.read_text()[:200])
    with pytest.raises(UserError, match="damaged"):
        read_picked_points(file, 1)
    with pytest.raises(UserError, match="cannot be read"):
        read_picked_points(tmp_path / "b.pp", 1)


def test_scans_of_other_kinds(tmp_path: Path) -> None:
    vertices, quads = face_mesh()
    triangles = torch.cat((quads[:, :3], quads[:, [0, 2, 3]]))
    trimesh.Trimesh(vertices.numpy(), triangles.numpy(), process=False).export(tmp_path / "a.ply")
    found, faces = read_scan(tmp_path / "a.ply")
    torch.testing.assert_close(found, vertices)
    assert torch.equal(faces, triangles)
    with pytest.raises(UserError, match="its unit is not 1000 mm"):
        read_scan(tmp_path / "a.ply", 1000)
    (tmp_path / "b.ply").write_bytes(b"no mesh")
    with pytest.raises(UserError, match=r"b\.ply is damaged"):
        read_scan(tmp_path / "b.ply")
    with pytest.raises(UserError, match="does not exist"):
        read_scan(tmp_path / "c.obj")


# MICC Florence


@pytest.fixture
def micc(tmp_path: Path) -> Path:
    """Two people; the first has 12 cooperative frames and a picked nose, the second eight points and another folder."""
    vertices, quads = face_mesh()
    for number, count in ((1, 1), (2, 8)):
        person = tmp_path / f"subject_{number:02d}"
        model = person / "Model" / ("frontal1" if number == 1 else "frontal2") / "obj"
        write_obj(model / "110920150452.obj", vertices, quads)
        write_obj(model / "aligned.obj", vertices + 300, quads)  # what a user left beside it
        picked = vertices[nearest(vertices, [*SEVEN, *NOSE])]
        write_pp(model / "110920150452_picked_points.pp", picked[-count:])
        frames = person / "Video" / "Indoor-Cooperative" if number == 1 else person / "PTZ-Indoor"
        frames.mkdir(parents=True)
        for frame in range(12):
            write_image(frames / f"{frame:05d}.png", dotted(POINTS))
            write_points(frames / f"{frame:05d}.txt", POINTS)
        (person / "Video").mkdir(exist_ok=True)
        (person / "Video" / "PTZ-Outdoor.mjpg").write_bytes(b"a film")
    return tmp_path


def test_micc_gives_what_its_metric_takes(micc: Path) -> None:
    data = MICC(str(micc), size=64, frames=3, batch_size=6)
    data.prepare_data()
    batch = next(iter(data.test_dataloader()))
    check(batch, ["image", "landmarks", "person"])
    assert batch["person"].tolist() == [1, 1, 1, 2, 2, 2]
    assert batch["group"] == ["Indoor-Cooperative"] * 3 + ["PTZ-Indoor"] * 3
    assert [name[-5:] for name in batch["name"][:3]] == ["00000", "00006", "00011"]
    nose = face_mesh()[0][nearest(face_mesh()[0], NOSE)][0]
    for tip in batch["native_nose_tip"]:
        torch.testing.assert_close(tip, nose)
    assert [len(points) for points in batch["native_scan_landmarks"]] == [0, 0, 0, 7, 7, 7]
    scan, points, tips = (
        batch[key][3:] for key in ("native_scan_vertices", "native_scan_landmarks", "native_nose_tip")
    )
    metric = ScanError()
    metric.update([each / 100 for each in scan], batch["native_scan_triangles"][3], scan, tips,
                  [each / 100 for each in points], points)  # fmt: skip
    assert metric.compute()["mean"] < 0.05


def test_micc_without_picked_points(micc: Path) -> None:
    for file in micc.rglob("*.pp"):
        file.unlink()
    assert next(MICC(str(micc)).samples()).scan.nose_tip is None
    tip = next(MICC(str(micc), nose="foremost").samples()).scan.nose_tip
    assert tip is not None
    assert tip[:2].tolist() == pytest.approx([0.0, -7.5])


def test_micc_aligned(micc: Path) -> None:
    batch = next(iter(AlignedFaces(MICC(str(micc), size=128), size=64, batch_size=2).test_dataloader()))
    check(batch, ["image", "landmarks", "person"])


def test_micc_bad(micc: Path) -> None:
    with pytest.raises(UserError, match="videos has 'Outdoor'"):
        MICC(str(micc), videos=["Outdoor"])
    with pytest.raises(UserError) as told:
        MICC(str(micc), videos=["PTZ-Outdoor"]).prepare_data()
    for words in ("no frames", "ffmpeg -i PTZ-Outdoor.mjpg", "licence agreement", "micc.unifi.it"):
        assert words in str(told.value)
    with pytest.raises(UserError, match="no folder subject_01"):
        MICC(str(micc / "no")).prepare_data()
    points = next(micc.rglob("*.pp"))
    write_pp(points, torch.randn(5, 3))
    with pytest.raises(UserError, match="5 points: pick the nose tip"):
        list(MICC(str(micc)).samples())
    empty = MICC(str(micc), size=32).split("test")
    blank = micc / "subject_01/Video/Indoor-Cooperative/00000"
    blank.with_suffix(".txt").unlink()
    write_image(blank.with_suffix(".png"), torch.full((3, 90, 90), 0.5))
    with pytest.raises(UserError, match=r"no face found in .*00000\.png: write 5 or 68 lines"):
        empty[0]
    for scan in (micc / "subject_01").rglob("*.obj"):
        scan.unlink()
    with pytest.raises(UserError, match="there is no scan in"):
        MICC(str(micc)).prepare_data()


# FaceWarehouse


def write_land(path: Path, points: Tensor, height: int = 120, width: int = 150) -> None:
    shares = torch.stack(((points[:, 0] + 0.5) / width, 1 - (points[:, 1] + 0.5) / height), -1)
    path.write_text("\n".join([str(len(shares)), *(f"{x:.6f} {y:.6f}" for x, y in shares.tolist())]))


@pytest.fixture
def facewarehouse(tmp_path: Path) -> Path:
    vertices, quads = face_mesh(unit=100.0)
    for tester in (1, 2, 10):
        folder = tmp_path / f"Tester_{tester}" / "TrainingPose"
        for pose in (0, 1, 10):
            write_obj(folder / f"pose_{pose}.obj", vertices, quads)
            write_image(folder / f"pose_{pose}.png", dotted(POINTS))
            write_points(folder / f"pose_{pose}.txt", POINTS)
            write_land(folder / f"pose_{pose}.land", torch.cat((POINTS, POINTS[:6])))
    return tmp_path


def test_facewarehouse_in_millimetres(facewarehouse: Path) -> None:
    vertices, quads = face_mesh()
    seven, nose = nearest(vertices, SEVEN).tolist(), int(nearest(vertices, NOSE))
    data = FaceWarehouse(str(facewarehouse), size=64, nose_vertex=nose, landmark_vertices=seven, batch_size=9)
    data.prepare_data()
    batch = next(iter(data.test_dataloader()))
    check(batch, ["image", "landmarks", "person"])
    assert batch["name"][:4] == ["Tester_1/pose_0", "Tester_1/pose_1", "Tester_1/pose_10", "Tester_2/pose_0"]
    assert batch["person"].tolist() == [1] * 3 + [2] * 3 + [10] * 3
    torch.testing.assert_close(batch["native_scan_vertices"][0], vertices, atol=1e-3, rtol=0)
    torch.testing.assert_close(batch["native_nose_tip"][0], vertices[nose], atol=1e-3, rtol=0)
    torch.testing.assert_close(batch["native_scan_landmarks"][0], vertices[seven], atol=1e-3, rtol=0)
    assert len(batch["native_scan_triangles"][0]) == 2 * len(quads)
    assert len(FaceWarehouse(str(facewarehouse), testers=[10]).photos) == 3


def test_facewarehouse_frames_the_face_by_its_points(facewarehouse: Path) -> None:
    data = FaceWarehouse(str(facewarehouse))
    photo = data.photos[0]
    face = data.face(photo, read_image(photo.file))
    assert face is not None
    found, expected = torch.tensor(crop_box(face)), crop_box_from_landmarks(POINTS)
    assert ((found - expected).abs() / expected[2]).max() < 0.2  # as much as the landmark network puts up with


def test_land_files_count_from_below(tmp_path: Path) -> None:
    (tmp_path / "a.land").write_text("3\n0 0\n0.5 1\n1 0.25\n")
    found = read_land(tmp_path / "a.land", 40, 20)
    torch.testing.assert_close(found, torch.tensor([[-0.5, 39.5], [9.5, -0.5], [19.5, 29.5]]))


@pytest.mark.slow
def test_facewarehouse_finds_68_points_of_a_portrait(shared: Path, tmp_path: Path) -> None:
    file = shared / "data/faces/000002.jpg"
    image = read_image(file)
    known = find_landmarks(image, require_face(image, file)).landmarks
    assert known is not None
    folder = tmp_path / "Tester_1" / "TrainingPose"
    folder.mkdir(parents=True)
    write_image(folder / "pose_0.png", image)
    write_land(folder / "pose_0.land", known, *image.shape[-2:])
    write_obj(folder / "pose_0.obj", *face_mesh(unit=100.0))
    data = FaceWarehouse(str(tmp_path), nose_vertex=0)
    found = data.landmarks(data.photos[0], image)
    assert found is not None
    assert (found - known).norm(dim=-1).mean() < 2


def test_facewarehouse_bad(facewarehouse: Path) -> None:
    with pytest.raises(UserError, match="357 vertices, and no number 8972"):
        FaceWarehouse(str(facewarehouse)).split("test")[0]
    with pytest.raises(UserError, match="its unit is not 1 mm"):
        FaceWarehouse(str(facewarehouse), millimetres=1, nose_vertex=0).split("test")[0]
    with pytest.raises(UserError, match="6 numbers; there are 7"):
        FaceWarehouse(str(facewarehouse), landmark_vertices=range(6))
    with pytest.raises(UserError, match=r"there is no .*Tester_3"):
        FaceWarehouse(str(facewarehouse), testers=[3]).prepare_data()
    land = facewarehouse / "Tester_1/TrainingPose/pose_0.land"
    land.with_suffix(".txt").unlink()
    data = FaceWarehouse(str(facewarehouse), nose_vertex=0).split("test")
    for content, words in (("74\n0.5 0.5\n", "should hold 74 points, and has 1"), ("", "damaged"), ("x y", "damaged")):
        land.write_text(content)
        with pytest.raises(UserError, match=words):
            data[0]
    land.unlink()
    with pytest.raises(UserError) as told:
        FaceWarehouse(str(facewarehouse)).prepare_data()
    for words in ("pose_0.land", "signed request", "facewarehouse", "11,510 vertices"):
        assert words in str(told.value)


# The command line


def test_data_for_evaluation_is_looked_at_without_a_training_part(
    aflw2000: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = ["--data.folder", str(aflw2000), "--data.size", "32"]
    assert data_command(["prepare", "aflw2000", *folder]) == 0
    told = capsys.readouterr().out
    assert "test  5 samples" in told
    assert "train" not in told
    picture = tmp_path / "preview.png"
    assert data_command(["preview", "aflw2000", "-o", str(picture), *folder]) == 0
    assert picture.is_file()
    with pytest.raises(UserError, match="test set"):
        data_command(["preview", "aflw2000", "--split", "train", "-o", str(picture), *folder])
