"""zoo predict with a card that asks for aligned faces: what the model is given, and what a person is told."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from toy_models import Toy

import zoo.inference
from zoo.cards import load_card
from zoo.errors import UserError
from zoo.faces import align_face, align_found_face, read_landmarks
from zoo.faces.landmark_files import face_from_landmarks
from zoo.imaging import write_image
from zoo.inference import predict_image

FIVE = "60 60\n100 60\n80 84\n66 104\n96 104\n"


@pytest.fixture
def model(toy, monkeypatch):
    """The toy, whose card asks for aligned faces of 48 pixels."""
    card = dataclasses.replace(load_card("toy"), faces="align")
    monkeypatch.setattr(zoo.inference, "load_card", lambda name: card)
    model = Toy()
    model.size = 48
    return model.eval()


def test_the_model_is_given_the_aligned_face(toy, model, capsys):
    (toy / "anna.txt").write_text(FIVE)
    write_image(toy / "anna.png", torch.rand(3, 160, 170))
    found = predict_image(model, toy / "anna.png", detector=f"landmarks:{toy / 'anna.txt'}")
    face = face_from_landmarks(read_landmarks(toy / "anna.txt"))
    crop, place = align_face(found.photo, face, 48)
    torch.testing.assert_close(found.layers["image"][0], crop)
    assert found.crop == place
    assert capsys.readouterr().err == ""
    assert predict_image(model, found.photo, size=32, face="whole").layers["image"].shape == (1, 3, 32, 32)


def test_no_face_and_bad_points_are_told(toy, model):
    write_image(toy / "wall.png", torch.full((3, 80, 90), 0.5))
    with pytest.raises(UserError, match=r"no face found in .*wall\.png: .*--landmarks FILE"):
        predict_image(model, toy / "wall.png")
    (toy / "wall.txt").write_text(FIVE[:12])
    with pytest.raises(UserError, match=r"wall\.txt holds 2 points; 5 or 68 are needed"):
        predict_image(model, toy / "wall.png", detector=f"landmarks:{toy / 'wall.txt'}")


def test_a_cut_face_is_told(toy, model, capsys):
    (toy / "anna.txt").write_text(FIVE)
    predict_image(model, torch.rand(3, 110, 170), detector=f"landmarks:{toy / 'anna.txt'}")
    assert "the face in the picture is cut by the border of the photo" in capsys.readouterr().err


def test_of_several_faces_it_is_told_which_was_taken(toy, model, monkeypatch, capsys):
    one = face_from_landmarks(torch.tensor([[60.0, 60.0], [100.0, 60.0], [80.0, 84.0], [66.0, 104.0], [96.0, 104.0]]))
    other = face_from_landmarks(one.landmarks * 0.5 + 100)
    photo = torch.rand(3, 220, 220)
    for count, others in ((2, "--face 1 takes the other)"), (3, "--face 1 to 2 take the others, by size)")):
        faces = [one, other, other][:count]
        monkeypatch.setattr("zoo.faces.detection.detect_faces", lambda image, detector, faces=faces: faces)
        found = predict_image(model, photo)
        said = capsys.readouterr().err
        assert f"the picture shows {count} faces; the largest, around (80, 75), was taken" in said
        assert others in said
        torch.testing.assert_close(found.layers["image"][0], align_found_face(photo, one, 48, "")[0])
    second = predict_image(model, photo, face=1)
    assert capsys.readouterr().err == "", "who chooses knows"
    torch.testing.assert_close(second.layers["image"][0], align_found_face(photo, other, 48, "")[0])
    with pytest.raises(UserError, match="no face 3 in the picture: 3 faces found"):
        predict_image(model, photo, face=3)
