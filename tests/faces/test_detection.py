"""Choosing a detector and a face, landmark files, and YuNet without its weights."""

from __future__ import annotations

from pathlib import Path
from urllib.error import URLError

import pytest
import torch

from zoo.errors import UserError
from zoo.faces import crop_box, crop_box_from_landmarks, detect_faces, read_landmarks, require_face
from zoo.faces.yunet import _face, detect_with_yunet

FIVE = "40 50\n80 50\n60 70\n45 90\n75 90\n"
IMAGE = torch.zeros(3, 120, 130)


def test_landmarks_make_the_face(tmp_path: Path):
    (tmp_path / "p.txt").write_text("\ufeff# by hand\n" + FIVE.replace(" ", ",\t") + "\n")
    (face,) = detect_faces(IMAGE, f"landmarks:{tmp_path / 'p.txt'}")
    expected = crop_box_from_landmarks(torch.tensor([[40.0, 50], [80, 50], [60, 70], [45, 90], [75, 90]])).tolist()
    assert crop_box(face) == pytest.approx(expected)
    assert face.roll == 0
    assert face.side == pytest.approx(expected[2] * 2.63 / 3.1)


def test_a_folder_of_landmarks_goes_by_the_name_of_the_photo(tmp_path: Path):
    (tmp_path / "anna.txt").write_text(FIVE)
    assert require_face(IMAGE, "photos/anna.jpg", f"landmarks:{tmp_path}").landmarks is not None
    with pytest.raises(UserError, match=r"bert\.txt cannot be read"):
        require_face(IMAGE, "photos/bert.jpg", f"landmarks:{tmp_path}")


def test_68_landmarks_may_leave_the_picture_at_the_jaw(tmp_path: Path):
    points = torch.full((68, 2), 60.0)
    points[:17, 1] = 200.0
    points[36:42], points[42:48] = torch.tensor([40.0, 50]), torch.tensor([80.0, 50])
    points[48], points[54] = torch.tensor([45.0, 90]), torch.tensor([75.0, 90])
    (tmp_path / "p.txt").write_text("\n".join(f"{x} {y}" for x, y in points.tolist()))
    torch.testing.assert_close(read_landmarks(tmp_path / "p.txt", IMAGE), points)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1 2\n3 4\n", "holds 2 points; 5 or 68"),
        ("", "holds 0 points"),
        (FIVE.replace("60 70", "60 seventy"), "line 3: '60 seventy' is not"),
        (FIVE.replace("60 70", "60 70 1"), "line 3"),
        (FIVE.replace("60 70", "60 nan"), "line 3"),
        (FIVE.replace("80 50", "180 50"), "lie outside the picture, which is 130 x 120"),
        ("80 50\n40 50\n60 70\n75 90\n45 90\n", "make no face. Their order is: left eye"),
        ("1 1\n1 1\n1 1\n1 1\n1 1\n", "make no face"),
    ],
)
def test_bad_landmark_files(tmp_path: Path, text: str, message: str):
    (tmp_path / "p.txt").write_text(text)
    with pytest.raises(UserError, match=message):
        detect_faces(IMAGE, f"landmarks:{tmp_path / 'p.txt'}")


def test_landmarks_that_are_not_text(tmp_path: Path):
    (tmp_path / "p.txt").write_bytes(b"\xff\xd8\xff\xe0")
    for path, message in ((tmp_path / "p.txt", "not a text file"), (tmp_path / "no.txt", "no such file")):
        with pytest.raises(UserError, match=message):
            read_landmarks(path)


def test_unknown_names():
    with pytest.raises(UserError, match="There are auto, cascade, yunet"):
        detect_faces(IMAGE, "mtcnn")
    for which in ("biggest", -1):
        with pytest.raises(UserError, match="Say largest, whole, or a number"):
            require_face(IMAGE, "x.jpg", which=which)
    with pytest.raises(ValueError, match="an image"):
        detect_faces(IMAGE[None])


def test_whole_needs_no_detector():
    assert crop_box(require_face(IMAGE, "x.jpg", which="whole")) == (64.5, 59.5, 130)


@pytest.fixture
def torch_hub(tmp_path: Path):
    before = torch.hub.get_dir()
    torch.hub.set_dir(str(tmp_path))
    yield tmp_path / "checkpoints" / "yunet_final.pth"
    torch.hub.set_dir(before)


def test_yunet_without_network(torch_hub: Path, monkeypatch: pytest.MonkeyPatch):
    def no_network(*_: object, **__: object) -> None:
        raise URLError("no network")

    monkeypatch.setattr(torch.hub, "download_url_to_file", no_network)
    with pytest.raises(UserError, match=r"cannot be fetched .*no network.*default detector"):
        detect_faces(IMAGE, "yunet")
    assert detect_faces(IMAGE, "auto") == []


def test_yunet_with_a_damaged_file(torch_hub: Path):
    torch_hub.parent.mkdir()
    torch_hub.write_bytes(b"nothing")
    with pytest.raises(UserError, match=r"damaged. Delete"):
        detect_faces(IMAGE, "yunet")


def test_yunet_runs_from_the_cache(torch_hub: Path):
    """Random weights see nothing anywhere, but everything from the file to the list of faces is run."""
    from kornia.models.yunet import YuNet

    torch_hub.parent.mkdir()
    torch.save(YuNet("test", pretrained=False).state_dict(), torch_hub)
    assert detect_with_yunet(torch.rand(3, 700, 90)) == []


def test_a_row_of_yunet_becomes_a_face():
    row = torch.tensor([9.5, 19.5, 49.5, 69.5, 20, 30, 40, 30, 30, 40, 22, 50, 38, 50, 0.9])
    face = _face(row, torch.tensor([2.0, 2.0]))
    assert face.box == pytest.approx((19.5, 39.5, 99.5, 139.5))
    assert face.landmarks.shape == (5, 2)
    assert face.landmarks[0].tolist() == pytest.approx([40.5, 60.5])
    assert face.score == pytest.approx(0.9)
    assert face.roll == 0
