"""The LightningModule: what it says, learns, joins and refuses."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from pytorch_lightning import seed_everything
from torch import Tensor

import zoo
from datamodules import AlignedFaces, ProceduralFaces
from datamodules.sampling.camera import CameraRange
from lightning_modules.deep3dface.coefficients import split
from lightning_modules.deep3dface.module import Deep3DFace, pictures_of_each
from zoo.cards import load_card
from zoo.contract import check
from zoo.errors import UserError
from zoo.hub import load_file, load_weights

SMALL = {"backbone": "test_resnet", "size": 48, "perception": "none"}


@pytest.fixture(scope="module")
def batch() -> dict[str, Tensor]:
    keys = ["image", "landmarks", "identity", "expression", "texture", "light", "person"]
    faces = ProceduralFaces(
        size=64, train=4, val=4, test=4, batch_size=4, flip=False, pictures_per_person=2, keys=keys, cache=False,
        camera=CameraRange(fov=(10, 40), careless=0, margin=1.35),
    )  # fmt: skip
    data = AlignedFaces(faces, size=48, batch_size=2, people=2)
    data.prepare_data()
    data.setup("test")
    return next(iter(data.test_dataloader()))


def module(**options: object) -> Deep3DFace:
    seed_everything(0, verbose=False)
    made = Deep3DFace(**{**SMALL, **options})
    for head in made.network.final_layers:  # zero heads say the mean face, whatever the picture
        torch.nn.init.normal_(head.weight, std=0.03)
    return made


def test_an_untrained_network_says_the_mean_face_in_the_middle() -> None:
    model = Deep3DFace(**SMALL).eval()
    with torch.no_grad():
        said = model(torch.rand(1, 3, 48, 48))
    assert not said["identity"].any()
    check(said, load_card("deep3dface").outputs)
    middle = said["landmarks"].mean((0, 1))
    assert (middle - 24).abs().max() < 3  # the face fills the middle of the picture


def test_landmarks_are_in_pixels_of_the_given_picture() -> None:
    model = module().eval()
    image = torch.rand(1, 3, 48, 48)
    larger = torch.nn.functional.interpolate(image, (96, 96), mode="nearest")
    with torch.no_grad():
        small, large = model(image)["landmarks"], model(larger)["landmarks"]
    torch.testing.assert_close(large, 2 * small + 0.5, rtol=0, atol=0.05)


def test_every_head_learns_from_a_rendered_picture(batch: dict[str, Tensor]) -> None:
    model = module()
    terms = model.losses(model.answer(batch), batch)
    terms["photometric"].backward()
    for name, head in zip(
        ("identity", "expression", "texture", "angles", "gamma", "x y", "z"), model.network.final_layers, strict=True
    ):
        assert head.weight.grad.abs().sum() > 0, name


def test_a_share_of_a_batch_is_drawn_and_all_of_it_has_landmarks(batch: dict[str, Tensor]) -> None:
    model = module(drawn_share=0.5)
    model.network.eval()  # normalisation over a batch would tie its pictures together
    said, terms = model.answer(batch), model.losses(model.answer(batch), batch)
    assert len(said["rendered"]) == 2
    assert len(said["landmarks"]) == len(said["identity"]) == 4
    whole = module()
    whole.network.eval()
    wholly = whole.losses(whole.answer(batch), batch)
    for name in ("landmarks", "coefficients"):
        torch.testing.assert_close(terms[name], wholly[name])
    half = {name: value[:2] for name, value in batch.items()}
    torch.testing.assert_close(terms["photometric"], whole.losses(whole.answer(half), half)["photometric"])
    with pytest.raises(UserError, match="drawn_share"):
        module(drawn_share=0.0)


def test_a_truth_is_measured_in_millimetres(batch: dict[str, Tensor]) -> None:
    model = module().eval()
    parts = {
        **split(torch.zeros(4, model.sizes.total), model.sizes),
        **{k: batch[k] for k in ("identity", "expression", "texture")},
    }
    from lightning_modules.deep3dface.coefficients import join

    metrics = model.metrics()
    with torch.no_grad():
        metrics.update(model.drawn(join(parts), batch), batch)
    found = metrics.compute()
    assert found["face_error"] < 1e-3
    assert found["neutral_error"] < 1e-3
    assert found["skin_error"] < 1e-3
    with torch.no_grad():
        metrics.reset()
        metrics.update(model.baselines(None)["mean face"].predict(batch), batch)
    assert metrics.compute()["face_error"] > 1


def test_sets_share_one_identity_and_train_only_the_confidence(batch: dict[str, Tensor]) -> None:
    model = module(confidence_channels=8, learn="sets").train()
    assert not model.network.training
    before = {k: v.clone() for k, v in model.network.state_dict().items()}
    said = model.answer(batch)
    torch.testing.assert_close(said["identity"][0], said["identity"][1])
    assert not torch.allclose(said["identity"][0], said["identity"][2])
    assert not torch.allclose(said["expression"][0], said["expression"][1])
    single = split(model.network(model._resized(batch["image"])), model.sizes)["identity"]
    torch.testing.assert_close(said["identity"][0], single[:2].mean(0))  # a new C-Net is plain averaging
    (optimizer,) = [model.configure_optimizers()]
    model.total_loss(model.losses(said, batch)).backward()
    assert model.confidence.last.weight.grad.abs().sum() > 0
    optimizer.step()
    torch.testing.assert_close(dict(model.network.state_dict()), before, rtol=0, atol=0)


def test_single_pictures_are_no_sets(batch: dict[str, Tensor]) -> None:
    assert pictures_of_each(batch) == 2
    with pytest.raises(UserError, match="people=5"):
        pictures_of_each({"image": batch["image"]})
    with pytest.raises(UserError, match="people=5"):
        pictures_of_each({"person": torch.tensor([0, 0, 1])})
    with pytest.raises(UserError, match="confidence_channels"):
        Deep3DFace(**SMALL, learn="sets")


def test_pictures_of_one_person_are_joined() -> None:
    model = module().eval()
    with torch.no_grad():
        outputs = [model(torch.rand(1, 3, 48, 48)) for _ in range(3)]
        joined = model.combine(outputs)
    mean = torch.cat([each["identity"] for each in outputs]).mean(0)
    for one, alone in zip(joined, outputs, strict=True):
        torch.testing.assert_close(one["identity"][0], mean)
        torch.testing.assert_close(one["expression"], alone["expression"])
        assert not torch.allclose(one["vertices"], alone["vertices"])
        assert set(one) == set(alone)


def test_a_second_stage_starts_from_a_network_without_confidence() -> None:
    first, second = module(), module(confidence_channels=8, learn="sets")
    state = second.starting_weights(first.state_dict())
    load_weights(second, state, source="stage 1", name="deep3dface")
    torch.testing.assert_close(second.network.final_layers[0].weight, first.network.final_layers[0].weight)


def test_weights_of_another_face_model_are_refused(tmp_path: Path) -> None:
    path = module().save_pretrained(tmp_path / "weights.safetensors")
    other = module()
    other.face_model = torch.tensor(list(b"bfm".ljust(16, b"\0")), dtype=torch.uint8)
    with pytest.raises(
        UserError, match=r"face model .procedural., but this one is .bfm.: .*--model\.morphable procedural"
    ):
        load_weights(other, module().state_dict(), source=str(path), name="deep3dface")
    with pytest.raises(UserError, match="lacks a path"):
        load_file(load_card("deep3dface"), path, morphable="ict")
    assert zoo.load("deep3dface", path).decoder.model.name == "procedural"
