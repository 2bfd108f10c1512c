"""The landmark network as a module: its loss, its measures, and its baseline, against known answers."""

from __future__ import annotations

import math

import pytest
import torch

from datamodules import LandmarkCrops, ProceduralFaces
from datamodules.sampling.camera import CameraRange
from lightning_modules.face_landmarks.metrics import ExpectedErrorRatio, FaceAccuracy, LandmarkError
from lightning_modules.face_landmarks.module import FaceLandmarks

SMALL = {"size": 32, "widths": (8, 8, 16, 16), "rising": (8, 8), "hidden": 16}


def truth() -> dict[str, torch.Tensor]:
    """Two faces of which the second does not count; the first one's eyes are 20 pixels apart."""
    landmarks = torch.full((2, 68, 2), 16.0)
    landmarks[:, 36:42, 0], landmarks[:, 42:48, 0] = 6.0, 26.0
    return {"image": torch.rand(2, 3, 32, 32), "landmarks": landmarks, "is_face": torch.tensor([1.0, 0.0])}


def test_the_loss_is_the_likelihood_of_the_distance() -> None:
    module, batch = FaceLandmarks(**SMALL), truth()
    points = (2 * batch["landmarks"] + 1) / 32 - 1
    points = points + torch.tensor([0.3, 0.4])  # half a unit away
    log_scale = torch.full((2, 68), math.log(0.25))
    prediction = {"points": points, "log_scale": log_scale, "face_logit": torch.tensor([0.0, 0.0])}
    terms = module.losses(prediction, batch)
    assert terms["points"].item() == pytest.approx(0.5 / 0.25 + 2 * math.log(0.25), abs=1e-4)
    assert terms["face"].item() == pytest.approx(math.log(2), abs=1e-5)
    best = module.losses({**prediction, "log_scale": log_scale + 0.0}, batch)["points"]
    for factor in (0.8, 1.25):  # half the distance is the most likely scale
        other = module.losses({**prediction, "log_scale": log_scale + math.log(factor)}, batch)["points"]
        assert other > best


def test_measures_count_faces_alone() -> None:
    batch = truth()
    found = batch["landmarks"] + torch.tensor([3.0, 4.0])
    found[1] += 100
    prediction = {
        "landmarks": found, "landmark_error": torch.full((2, 68), 10.0), "confidence": torch.tensor([0.9, 0.8])
    }  # fmt: skip
    for metric, expected in ((LandmarkError(), 25.0), (ExpectedErrorRatio(), 2.0), (FaceAccuracy(), 50.0)):
        metric.update(prediction, batch)
        assert metric.compute().item() == pytest.approx(expected, rel=1e-5)


def test_larger_pictures_give_landmarks_in_their_own_pixels() -> None:
    module = FaceLandmarks(**SMALL).eval()
    image = torch.rand(1, 3, 32, 32)
    with torch.no_grad():
        small = module(image)
        large = module(image.repeat_interleave(2, -1).repeat_interleave(2, -2))
    torch.testing.assert_close((large["landmarks"] + 0.5) / 2 - 0.5, small["landmarks"], atol=0.3, rtol=0)
    torch.testing.assert_close(large["landmark_error"] / 2, small["landmark_error"], atol=0.3, rtol=0.05)


def test_the_baseline_is_the_mean_shape_and_expects_its_own_error() -> None:
    faces = ProceduralFaces(
        size=48, train=32, val=4, test=4, cache=False, keys=("image", "landmarks"), camera=CameraRange(margin=1.6)
    )
    data = LandmarkCrops(faces, size=32, batch_size=16)
    baseline = FaceLandmarks(**SMALL).baselines(data)["mean shape"]
    ratio, error = ExpectedErrorRatio(), LandmarkError()
    for batch in data.train_dataloader():
        ratio.update(baseline.predict(batch), batch)
        error.update(baseline.predict(batch), batch)
    assert 0.8 < ratio.compute() < 1.25
    assert 10 < error.compute() < 100
