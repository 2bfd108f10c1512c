"""The recognition network as a module: its losses, its measures, its baseline and its weights."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from torch.nn import functional as F

from datamodules.base import BatchDataset, ZooDataModule
from datamodules.identity_pictures import IdentityPictures
from lightning_modules.face_identity.convert import convert, detect
from lightning_modules.face_identity.margin import MarginSoftmax
from lightning_modules.face_identity.metrics import VerificationAccuracy, VerificationAUC
from lightning_modules.face_identity.module import FaceIdentity, contrast, mean_points
from zoo.errors import UserError
from zoo.faces import crop_box_from_landmarks
from zoo.faces.recognition import load_recognition
from zoo.faces.recognition.weights import load_network
from zoo.hub import convert_file
from zoo.nn.iresnet import IResNet

SMALL = {"widths": (8, 8, 8, 8), "depths": (1, 1, 1), "embedding": 8, "persons": 4}


class _Made(BatchDataset):
    def __len__(self) -> int:
        return 6

    def batch(self, indices: list[int]) -> dict[str, torch.Tensor]:
        landmarks = torch.rand(68, 2, generator=torch.Generator().manual_seed(0)) * 4
        landmarks[36:42] += torch.tensor([20.0, 24.0])
        landmarks[42:48] += torch.tensor([40.0, 24.0])
        landmarks[48] += torch.tensor([22.0, 44.0])
        landmarks[54] += torch.tensor([38.0, 44.0])
        image = torch.stack([torch.full((3, 64, 64), 0.5) for _ in indices])
        person = torch.tensor([index % 6 // 3 for index in indices])
        return {"image": image, "landmarks": landmarks.expand(len(indices), 68, 2).clone(), "person": person}


class _Data(ZooDataModule):
    def dataset(self, split: str) -> BatchDataset:
        return _Made()


def test_the_margin_softmax_is_cross_entropy_of_lessened_cosines() -> None:
    softmax = MarginSoftmax(2, 2, scale=3.0, margin=0.5)
    with torch.no_grad():
        softmax.directions.copy_(torch.tensor([[5.0, 0.0], [0.0, 2.0]]))
    found = softmax(torch.tensor([[1.0, 0.0]]), torch.tensor([0]))
    assert found.item() == pytest.approx(math.log(1 + math.exp(-3 * 0.5)), abs=1e-6)
    without = softmax(torch.tensor([[1.0, 0.0]]), torch.tensor([0]), strength=0.0)
    assert without.item() == pytest.approx(math.log(1 + math.exp(-3)), abs=1e-6)
    with pytest.raises(UserError, match=r"--model\.persons"):
        softmax(torch.tensor([[1.0, 0.0]]), torch.tensor([2]))


def test_the_contrast_is_the_likelihood_of_a_persons_other_pictures() -> None:
    embedding = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    found = contrast(embedding, torch.tensor([0, 0, 1]), temperature=0.5)
    assert found.item() == pytest.approx(math.log(1 + math.exp(-2)), abs=1e-6)
    assert contrast(embedding, torch.arange(3)).item() == 0


def test_pairs_are_told_apart_as_a_hand_count_says() -> None:
    angle = torch.tensor([0.0, 0.2, 1.0, 1.5])  # people 0, 0, 1, 1: one's pair is .2 apart, the other's .5
    prediction = {"embedding": torch.stack((angle.cos(), angle.sin()), -1)}
    batch = {"person": torch.tensor([0, 0, 1, 1])}
    accuracy, area = VerificationAccuracy(), VerificationAUC()
    for metric in (accuracy, area):
        for half in (slice(0, 2), slice(2, 4)):  # the pairs across two batches count
            metric.update({"embedding": prediction["embedding"][half]}, {"person": batch["person"][half]})
    assert accuracy.compute().item() == pytest.approx(100)
    assert area.compute().item() == pytest.approx(100)
    # one picture of each is taken for the other's: same pairs are 1.0 and 1.3 apart, others .2, .5, .8 and 1.5
    swapped = {"person": torch.tensor([0, 1, 0, 1])}
    accuracy, area = VerificationAccuracy(), VerificationAUC()
    accuracy.update(prediction, swapped)
    area.update(prediction, swapped)
    assert area.compute().item() == pytest.approx(100 * 2 / 8)
    assert accuracy.compute().item() == pytest.approx(50 * (1 + 0.25))
    nobody = VerificationAUC()
    nobody.update(prediction, {"person": torch.arange(4)})
    assert math.isnan(nobody.compute().item())


def test_mean_points_frame_the_face_as_the_crop_does() -> None:
    points = mean_points(torch.zeros(1, 3, 80, 80))
    x, y, side = crop_box_from_landmarks(points[0]).tolist()
    assert (x, y, side) == pytest.approx((39.5, 39.5, 80.0), abs=1e-3)


def test_training_knows_people_and_the_rest_does_not_need_them() -> None:
    module, batch = FaceIdentity(**SMALL), _Made().batch([0, 1, 3, 4])
    assert set(module.losses(module.answer(batch), batch)) == {"contrast", "margin"}
    module.eval()
    strangers = {**batch, "person": batch["person"] + 1000}
    assert set(module.losses(module.answer(strangers), strangers)) == {"contrast"}
    with pytest.raises(UserError, match="'person' is missing"):
        module.losses(module.answer(batch), {"image": batch["image"]})


def test_saved_weights_hold_no_people_and_make_the_frozen_network(tmp_path: Path) -> None:
    module = FaceIdentity(**SMALL).eval()
    path = module.save_pretrained(tmp_path / "weights.safetensors")
    again = FaceIdentity.from_pretrained(path)
    assert not any(name.startswith("softmax") for name in load_network(path).state_dict())
    crops = torch.rand(2, 3, 112, 112)
    with torch.no_grad():
        ours = F.normalize(again.network(2 * crops - 1), dim=-1)
        frozen = F.normalize(load_network(path)(2 * crops - 1), dim=-1)
    torch.testing.assert_close(frozen, ours, atol=1e-5, rtol=0)


def test_pixels_are_a_baseline_that_measures_take() -> None:
    data = IdentityPictures(_Data(batch_size=3), batch_size=3)
    module = FaceIdentity(**SMALL)
    baseline, batch = module.baselines(data)["pixels"], _Made().batch([0, 3])
    found = baseline.predict(batch)["embedding"]
    assert found.shape == (2, 3 * 14 * 14)
    torch.testing.assert_close(found.norm(dim=-1), torch.ones(2))


def test_parts_have_people_of_their_own_and_held_out_pictures_stay_as_they_are() -> None:
    data = IdentityPictures(_Data(batch_size=3), batch_size=3, first_person=10)
    train, test = (data.dataset(split).batch([0, 3]) for split in ("train", "test"))
    assert train["person"].tolist() == [10, 11]
    assert test["person"].tolist() == [0, 1]
    torch.testing.assert_close(test["landmarks"], _Made().batch([0, 3])["landmarks"])
    assert (train["landmarks"] - test["landmarks"]).abs().max() > 0.1
    assert 0 <= train["image"].min() <= train["image"].max() <= 1


def test_pictures_of_a_person_stay_together_in_training_alone() -> None:
    data = IdentityPictures(_Data(batch_size=3), together=3)
    train, test = data.dataset("train"), data.dataset("test")
    assert (len(train), len(test)) == (2, 6)
    assert train.batch([1, 2])["person"].tolist() == [1, 1, 1, 0, 0, 0]  # index 2 is the first of the next epoch
    once, again = (train.batch([index])["landmarks"] for index in (0, 2))
    assert (once - again).abs().max() > 0.1  # other changes in another epoch
    assert test.batch([3])["person"].tolist() == [1]


def test_an_oval_leaves_the_face_alone() -> None:
    data = IdentityPictures(_Data(batch_size=3), oval=1.0, light=0.0, flip=False)
    image = data.dataset("train").batch(range(32))["image"]
    assert (image[:, :, 35, 31] - 0.5).abs().max() < 1e-5
    corner = image[:, :, 0, 0]
    black = (corner == 0).all(1)
    assert 8 < black.sum() < 31
    assert (corner[~black] - 0.5).abs().amax(1).min() > 0


def test_insightfaces_file_becomes_ours(tmp_path: Path) -> None:
    state = {name: value for name, value in IResNet().state_dict().items() if "num_batches" not in name}
    assert sum(value.numel() for value in IResNet().parameters()) == 43_590_848  # of r50, gain of the last one in it
    assert detect(state)
    arguments, tensors = convert(state)
    assert arguments == {"backbone": "iresnet50", "embedding": 512}
    assert set(tensors) == {f"network.{name}" for name in IResNet().state_dict()}
    torch.save(state, tmp_path / "backbone.pth")
    ours = convert_file("face_identity", tmp_path / "backbone.pth", tmp_path / "ours")
    crops = torch.rand(1, 3, 112, 112)
    with torch.no_grad():
        theirs, converted = (load_recognition(f"arcface:{path}")(crops) for path in (tmp_path / "backbone.pth", ours))
    torch.testing.assert_close(converted, theirs)
    shallow = {name: value for name, value in state.items() if not name.startswith("layer3.13.")}
    with pytest.raises(UserError, match="takes r50"):
        convert(shallow)
