"""The aligned crop of face recognition, and the networks that see it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.golden import load_golden
from zoo.cards import load_card
from zoo.errors import UserError
from zoo.faces.recognition import (
    TEMPLATE,
    IdentityNetwork,
    RecognitionNet,
    load_recognition,
    recognition_crop,
    recognition_transform,
    weights,
)


def test_the_transform_is_the_authors(shared: Path) -> None:
    golden = load_golden(shared, "deep3d_decoder")
    landmarks = torch.from_numpy(golden.arrays["out.landmark"]).clone()
    landmarks[..., 1] = 223 - landmarks[..., 1]  # theirs have v up
    golden.assert_close("recognition_transform", recognition_transform(landmarks))


def test_a_face_on_the_template_stays_as_it_is() -> None:
    image = torch.rand(2, 3, 112, 112)
    points = torch.tensor(TEMPLATE).expand(2, 5, 2)
    torch.testing.assert_close(recognition_crop(image, points), image, atol=1e-4, rtol=0)


def test_the_crop_brings_turned_and_scaled_points_back() -> None:
    angle, scale, shift = torch.tensor(0.4), 1.7, torch.tensor([30.0, -12.0])
    turn = torch.stack((torch.stack((angle.cos(), -angle.sin())), torch.stack((angle.sin(), angle.cos()))))
    template = torch.tensor(TEMPLATE)
    found = recognition_transform((template @ turn.mT * scale + shift)[None])[0]
    torch.testing.assert_close((template @ turn.mT * scale + shift) @ found[:, :2].mT + found[:, 2], template)
    # a ramp in x is a ramp along the turned axis: the value of a crop's pixel is where it came from
    ramp = torch.arange(300.0).expand(1, 1, 300, 300)
    points = template @ turn.mT * scale + torch.tensor([100.0, 60.0])
    crop = recognition_crop(ramp, points[None])
    assert crop[0, 0, 60, 50].item() == pytest.approx(
        float((torch.tensor([50.0, 60.0]) @ turn.mT * scale)[0] + 100), abs=1e-2
    )


def test_half_precision_around_it_does_not_move_the_crop() -> None:
    points = torch.tensor([[40.0, 48.0], [70.0, 46.0], [57.0, 66.0], [44.0, 84.0], [69.0, 83.0]])[None] + 0.37
    ramp = torch.linspace(0, 1, 112).expand(1, 3, 112, 112)
    exact = recognition_crop(ramp, points)
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(recognition_transform(points), recognition_transform(points.double()).float())
        torch.testing.assert_close(recognition_crop(ramp, points), exact)


def test_points_that_are_all_one_leave_the_picture_where_it_is() -> None:
    found = recognition_transform(torch.full((1, 5, 2), 7.0))
    torch.testing.assert_close(found, torch.eye(2, 3)[None])


def test_gradients_reach_the_picture_and_not_the_points() -> None:
    image = torch.rand(1, 3, 60, 60, requires_grad=True)
    points = (torch.tensor(TEMPLATE)[None] / 2).requires_grad_()
    net = RecognitionNet(IdentityNetwork((8, 8, 8, 8), (1, 1, 1), 16))
    net(recognition_crop(image, points))[0, 0].backward()
    assert image.grad is not None
    assert image.grad.abs().sum() > 0
    assert points.grad is None
    assert all(each.grad is None and not each.requires_grad for each in net.parameters())


def test_a_recognition_network_stays_frozen_and_gives_unit_vectors() -> None:
    net = RecognitionNet(IdentityNetwork((8, 8, 8, 8), (1, 1, 1), 16))
    outer = torch.nn.Sequential(net).train()
    assert not net.training
    crops = torch.rand(3, 3, 112, 112)
    found = outer(crops)
    torch.testing.assert_close(found.norm(dim=-1), torch.ones(3))
    torch.testing.assert_close(outer(crops[:1]), found[:1], atol=1e-5, rtol=0)  # a picture's answer is its own


def test_one_sentence_for_what_is_no_recognition_network(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="take embedded or arcface:PATH"):
        load_recognition("facenet")
    torch.save({"conv1.weight": torch.zeros(2)}, tmp_path / "other.pth")
    with pytest.raises(UserError, match="does not hold ArcFace's r50"):
        load_recognition(f"arcface:{tmp_path / 'other.pth'}")


def test_the_shipped_network_is_the_cards_and_is_verified(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_card("face_identity").default_weights.sha256 == weights.SHA256
    crops = torch.rand(2, 3, 112, 112)
    torch.testing.assert_close(load_recognition()(crops).norm(dim=-1), torch.ones(2))
    cut = tmp_path / "weights.safetensors"
    cut.write_bytes(weights.WEIGHTS.read_bytes()[:5000])
    with pytest.raises(UserError, match="holds no weights of the zoo's recognition network"):
        weights.load_network(cut)
    monkeypatch.setattr(weights, "WEIGHTS", cut)
    with pytest.raises(UserError, match="is not the file that was shipped"):
        load_recognition()
    cut.unlink()
    with pytest.raises(UserError, match="install the package again, or use arcface:PATH"):
        load_recognition()
