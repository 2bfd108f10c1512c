"""ProceduralFaces as a data module: kept, rendered, mirrored, and the same each time."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch.nn.functional import cosine_similarity

from datamodules import ProceduralFaces
from datamodules.faces import FACE_KEYS, FaceRenderer
from datamodules.faces.module import DEFAULT_KEYS
from datamodules.faces.worn import WornRange
from zoo.contract import check
from zoo.errors import UserError
from zoo.imaging import srgb_to_linear
from zoo.morphable import MorphableModel

SMALL = {"size": 32, "train": 10, "val": 4, "test": 3, "batch_size": 4}


@pytest.fixture(autouse=True)
def _own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny_face: None) -> None:
    monkeypatch.setenv("ZOO_HOME", str(tmp_path))


def ready(**options: object) -> ProceduralFaces:
    data = ProceduralFaces(**{**SMALL, **options})
    data.prepare_data()
    data.setup("fit")
    return data


def test_batches_obey_the_contract() -> None:
    data = ready()
    assert [len(batch["image"]) for batch in data.val_dataloader()] == [4]
    assert [len(batch["image"]) for batch in data.test_dataloader()] == [3]
    assert [len(batch["image"]) for batch in data.train_dataloader()] == [4, 4], "an incomplete last batch is left out"
    for batch in data.train_dataloader():
        check(batch, DEFAULT_KEYS)


def test_all_keys_come_back_from_disk(tiny_model: MorphableModel) -> None:
    data = ready(keys=FACE_KEYS, flip=False, effects=())
    batch = next(iter(data.val_dataloader()))
    check(batch, FACE_KEYS)
    truth = FaceRenderer(tiny_model, 32, worn=WornRange()).render("val", range(4))
    inside = truth["mask"] > 0
    assert (batch["image"] - truth["image"]).abs().max() < 0.51 / 255
    assert (batch["albedo"] - truth["albedo"]).abs().max() < 3e-4
    turned = cosine_similarity(batch["normal"], truth["normal"])[inside[:, 0]].clamp(max=1).acos()
    assert turned.max() < math.radians(0.1)
    assert (batch["normal"].norm(dim=1, keepdim=True)[inside] - 1).abs().max() < 1e-6
    for key in ("depth", "light", "landmarks", "identity", "rotation", "vertices", "segmentation", "triangles", "mask"):
        torch.testing.assert_close(batch[key], truth[key])


def test_product_survives_the_disk() -> None:
    data = ready(effects=(), flip=True)
    for batch in data.train_dataloader():
        error = (srgb_to_linear(batch["image"]) - batch["albedo"] * batch["shading"]).abs() * batch["mask"]
        # half a step of 8 bits, at the steepest place of the curve, and half floats
        assert error.max() < 0.5 / 255 * 2.3 + 1e-3


def test_models_take_turns(tiny_model: MorphableModel, monkeypatch: pytest.MonkeyPatch) -> None:
    other = MorphableModel(replace(tiny_model.data, name="other", mean=tiny_model.data.mean * [1, 1.2, 1]))
    monkeypatch.setattr(MorphableModel, "load", lambda spec: {"one": tiny_model, "other": other}[spec])
    data, fresh = (ready(morphable=["one", "other"], cache=cache, effects=(), test=3) for cache in (True, False))
    batch = next(iter(data.test_dataloader()))
    for sample, model in enumerate((tiny_model, other, tiny_model)):
        alone = FaceRenderer(model, 32, keys=("landmarks",)).render("test", [sample])
        torch.testing.assert_close(batch["landmarks"][sample], alone["landmarks"][0])
    torch.testing.assert_close(next(iter(fresh.test_dataloader()))["landmarks"], batch["landmarks"])
    assert [len(each["image"]) for each in data.train_dataloader()] == [4, 4]


def test_coefficients_of_several_models_are_refused() -> None:
    with pytest.raises(UserError, match="'identity' means something else in each face model"):
        ProceduralFaces(morphable=["procedural", "ict:x"], keys=["image", "identity"], flip=False)
    with pytest.raises(UserError, match="at least one face model"):
        ProceduralFaces(morphable=[])


def test_is_rendered_once(monkeypatch: pytest.MonkeyPatch) -> None:
    first = next(iter(ready().test_dataloader()))
    monkeypatch.setattr(FaceRenderer, "render", lambda *_: pytest.fail("rendered again"))
    again = next(iter(ready().test_dataloader()))
    assert torch.equal(first["image"], again["image"])
    with pytest.raises(pytest.fail.Exception):
        ready(seed=1)


def test_without_a_cache_nothing_is_kept(tmp_path: Path) -> None:
    data, kept = ready(cache=False, effects=()), ready(effects=())
    one, other = (next(iter(d.val_dataloader())) for d in (data, kept))
    for key in one:
        torch.testing.assert_close(one[key], other[key], atol=3e-3, rtol=1e-3, msg=key)
    next(iter(ready(cache=False, seed=9).val_dataloader()))
    assert len(list((tmp_path / "data").glob("faces-*"))) == 3


def test_epochs_differ_in_order_and_mirroring_and_repeat() -> None:
    def epochs(count: int) -> list[torch.Tensor]:
        loader = ready(batch_size=5).train_dataloader()
        result = []
        for epoch in range(count):
            loader.sampler.set_epoch(epoch)
            result.append(torch.cat([batch["light"] for batch in loader]))
        return result

    first, again = epochs(3), epochs(3)
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert not torch.equal(first[0], first[1])

    def ambient(lights: torch.Tensor) -> list[float]:
        return sorted(lights[:, 0, 0].tolist())

    assert ambient(first[0]) == ambient(first[1]), "the same ten faces"
    sideways = [sorted(epoch[:, 0, 3].tolist()) for epoch in first]
    assert sideways[0] != sideways[1], "some of them mirrored"


def test_on_the_fly_has_new_faces_in_every_epoch(tmp_path: Path) -> None:
    data = ready(on_the_fly=True, keys=("identity", "image"), flip=False)
    loader = data.train_dataloader()
    people = []
    for epoch in range(2):
        loader.sampler.set_epoch(epoch)
        people.append(torch.cat([batch["identity"] for batch in loader]))
    assert torch.cdist(*people).min() > 1e-3
    val = [next(iter(data.val_dataloader()))["identity"] for _ in range(2)]
    assert torch.equal(*val)
    assert not (tmp_path / "data").exists()


def test_colour_changes_light_but_not_albedo() -> None:
    plain, coloured = (ready(colour=strength, flip=False, effects=()) for strength in (0.0, 0.2))
    one, other = (next(iter(data.train_dataloader())) for data in (plain, coloured))
    assert torch.equal(one["albedo"], other["albedo"])
    assert torch.equal(one["normal"], other["normal"])
    ratio = other["light"] / one["light"]
    assert (ratio - 1).abs().max() > 0.05
    torch.testing.assert_close(ratio, ratio[:, :, :1].expand_as(ratio), atol=1e-3, rtol=1e-3)


def test_worker_processes_give_the_same(tmp_path: Path) -> None:
    alone, helped = (list(ready(num_workers=count).val_dataloader()) for count in (0, 1))
    assert torch.equal(alone[0]["image"], helped[0]["image"])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"keys": ("image", "identity")}, "identity cannot be mirrored.*flip to false"),
        ({"train": 0}, "at least 1"),
        ({"batch_size": 0}, "batch_size"),
    ],
)
def test_wrong_arguments_are_told(options: dict[str, object], words: str) -> None:
    with pytest.raises(UserError, match=words):
        ready(**options)
