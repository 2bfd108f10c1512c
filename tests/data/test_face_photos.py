"""Photos with nothing but landmarks: where these may lie, what is found without them, what is wrong with them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
from torch import Tensor

from datamodules import AlignedFaces, FacePhotos
from zoo.errors import UserError
from zoo.faces import aligned_boxes, five_points, read_landmarks
from zoo.faces.alignment import REFERENCE_POINTS
from zoo.imaging import write_image

FIVE = "40 50\n80 50\n60 70\n45 90\n75 90\n"


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZOO_HOME", str(tmp_path / "home"))


def points_at(x: float, y: float) -> Tensor:
    """(68,2): the mean face around a place, 30 pixels a decimetre."""
    five = torch.tensor(REFERENCE_POINTS)[:, :2] * torch.tensor([30.0, -30.0]) + torch.tensor([x, y])
    points = five.mean(0).repeat(68, 1)
    points[36:42], points[42:48] = five[0], five[1]
    points[30], points[48], points[54] = five[2], five[3], five[4]
    return points


def lines(points: Tensor) -> str:
    return "".join(f"{x:.3f} {y:.3f}\n" for x, y in points.tolist())


def photo_of(points: Tensor, height: int = 100, width: int = 120) -> Tensor:
    """White dots on grey where the mouth's corners are."""
    picture = torch.full((3, height, width), 0.3)
    for x, y in points[[48, 54]].round().long().tolist():
        picture[:, y - 1 : y + 2, x - 1 : x + 2] = 1
    return picture


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """One photo with points in each way, in folders inside a folder."""
    folder = tmp_path / "photos"
    for name, place in (("up", (50.0, 45.0)), ("down", (60.0, 55.0))):
        points = points_at(*place)
        (folder / name / "landmarks").mkdir(parents=True)
        write_image(folder / name / "anna.png", photo_of(points))
        (folder / name / "mask").mkdir()
        write_image(folder / name / "mask" / "anna.png", photo_of(points))
        if name == "up":
            text = lines(torch.stack((points[:, 0], 99 - points[:, 1]), -1))
            (folder / name / "landmarks" / "anna.txt").write_text(text)
        else:
            (folder / name / "anna.txt").write_text(lines(points))
    return folder


def test_points_may_lie_in_either_place(photos: Path) -> None:
    data = FacePhotos(str(photos), size=96)
    batch = data.split("predict").batch([0, 1])
    assert batch["name"] == ["down/anna.png", "up/anna.png"], "a mask is no photo"
    assert set(batch) == {"image", "landmarks", "name"}
    for number in range(2):
        for point in (48, 54):
            x, y = batch["landmarks"][number, point].round().long().tolist()
            assert batch["image"][number, 0, y, x] > 0.8
    centre, side = aligned_boxes(batch["landmarks"], 96)
    torch.testing.assert_close(side, torch.full((2,), 96 / 1.35), atol=0.02, rtol=0)
    assert (centre - 47.5).abs().max() < 0.5


def test_masks_come_along_and_what_lies_outside_is_black(photos: Path) -> None:
    batch = FacePhotos(str(photos), size=96, margin=2, masks=True).split("predict").batch([0, 1])
    torch.testing.assert_close(batch["mask"][:, 0], batch["image"][:, 0], atol=0.01, rtol=0)
    # the photos are 100 pixels high, and the squares of 30 x 224 / 102 x 2 = 132 pixels reach beyond them
    assert (batch["image"][:, :, [0, -1]] == 0).all()
    assert batch["image"][:, :, 48, 48].min() > 0.2


def test_they_train_through_alignment(photos: Path) -> None:
    train = AlignedFaces(FacePhotos(str(photos), val_share=0, test_share=0), size=64).split("train")
    batch = train.batch([0, 1, 2, 3])
    assert set(batch) == {"image", "landmarks"}
    for point in (48, 54):
        x, y = batch["landmarks"][:, point].round().long().unbind(-1)
        assert (batch["image"][torch.arange(4), 0, y, x] > 0.7).all()


def test_splits_go_by_name(tmp_path: Path) -> None:
    for number in range(20):
        points = points_at(60, 50)
        (tmp_path / "photos").mkdir(exist_ok=True)
        write_image(tmp_path / "photos" / f"{number}.png", photo_of(points))
        (tmp_path / "photos" / f"{number}.txt").write_text(lines(points))
    data = FacePhotos(str(tmp_path / "photos"), size=16, val_share=0.3, test_share=0.3)
    parts = {split: data.split(split).names for split in ("train", "val", "test")}
    assert all(parts.values())
    assert sorted(name for names in parts.values() for name in names) == sorted(f"{number}.png" for number in range(20))
    assert len(data.split("predict")) == 20


@pytest.mark.parametrize(
    ("where", "text", "message"),
    [
        ("anna.txt", "1 2\n3 4\n", r"anna\.txt holds 2 points; 5 or 68 are needed"),
        ("anna.txt", FIVE.replace("60 70", "60 seventy"), r"anna\.txt, line 3"),
        ("landmarks/anna.txt", lines(points_at(60, 50)[:60]), r"landmarks/anna\.txt holds 60 points; 5 or 68"),
        ("landmarks/anna.txt", lines(points_at(60, 50)), r"landmarks/anna\.txt make no face"),
        (
            "landmarks/anna.txt",
            "40 49\n80 49\n60 29\n45 9\n75 9\n",
            r"landmarks/anna\.txt holds 5 points; 68 are needed",
        ),
    ],
)
def test_bad_points_are_told(tmp_path: Path, where: str, text: str, message: str) -> None:
    (tmp_path / "photos" / "landmarks").mkdir(parents=True)
    write_image(tmp_path / "photos" / "anna.png", photo_of(points_at(60, 50)))
    (tmp_path / "photos" / where).write_text(text)
    with pytest.raises(UserError, match=message):
        FacePhotos(str(tmp_path / "photos"), size=32).prepare_data()


def test_what_is_missing_is_told(photos: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"nowhere does not exist(.|\n)*landmarks/name\.txt"):
        FacePhotos(str(tmp_path / "nowhere")).prepare_data()
    with pytest.raises(UserError, match="falls to 'val'; add photos, or change the shares"):
        FacePhotos(str(photos), size=32, val_share=0).split("val")
    (photos / "up" / "mask" / "anna.png").unlink()
    with pytest.raises(UserError, match=r"up/anna\.png has no mask: .*up/mask/anna\.png does not exist"):
        FacePhotos(str(photos), size=32, masks=True).prepare_data()
    write_image(photos / "up" / "mask" / "anna.png", torch.ones(1, 9, 9).expand(3, -1, -1))
    with pytest.raises(UserError, match=r"mask/anna\.png is not as large as its photo"):
        FacePhotos(str(photos), size=32, masks=True).prepare_data()
    (photos / "down" / "anna.png").write_bytes(b"no picture")
    with pytest.raises(UserError, match=r"down/anna\.png"):
        FacePhotos(str(photos), size=32).prepare_data()
    for arguments in ({"margin": 0.5}, {"size": 8}, {"val_share": 0.8, "test_share": 0.4}):
        with pytest.raises(UserError, match="is"):
            FacePhotos(str(photos), **arguments)


def test_photos_without_a_face_are_left_out(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_image(photos / "nobody.png", torch.full((3, 60, 60), 0.5))
    data = FacePhotos(str(photos), size=32)
    data.prepare_data()
    assert "1 of 3 photos" in capsys.readouterr().err
    assert "nobody.png" not in data.split("predict").names
    for each in (photos / "up", photos / "down"):
        shutil.rmtree(each)
    with pytest.raises(UserError, match="no face was found in the 1 photos"):
        FacePhotos(str(photos), size=32).prepare_data()


def test_portraits_with_five_points_and_with_none(shared: Path, tmp_path: Path) -> None:
    """Five true points are hit by the five of the 68 that are found, whether the search knew them or not."""
    folder = tmp_path / "portraits"
    folder.mkdir()
    for name in ("000007", "000055"):
        shutil.copy(shared / f"data/faces/{name}.jpg", folder)
    shutil.copy(shared / "data/faces/000007.txt", folder)
    batch = FacePhotos(str(folder), size=304).split("predict").batch([0, 1])
    for number, name in enumerate(("000007", "000055")):
        found = five_points(batch["landmarks"][number].double())
        true = read_landmarks(shared / f"data/faces/{name}.txt").double()
        # where the square lies is not said, so a shift and a scale are taken out
        found, true = ((p - p.mean(0)) / (p - p.mean(0)).norm() for p in (found, true))
        eyes = (true[1] - true[0]).norm()
        assert (found - true).norm(dim=-1).mean() / eyes < 0.07
