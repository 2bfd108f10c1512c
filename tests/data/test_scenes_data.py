"""Procedural scenes as a data module: kept, shared, mirrored, cropped; and what people would say of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from fake_scenes import FakeSceneRenderer

from datamodules.augment import crop_window
from datamodules.loader import epoch_and_sample
from datamodules.sampling.draws import Draws
from datamodules.scenes.judgements import Judges, judge
from datamodules.scenes.module import ProceduralScenes
from datamodules.scenes.shading_labels import SHADOW, SMOOTH, SURFACE, label_shading
from datamodules.scenes.superpixels import split_into_superpixels
from zoo.contract import check
from zoo.errors import UserError
from zoo.imaging import srgb_to_linear
from zoo.metrics import WHDR, SAWAveragePrecision

SMALL: dict[str, Any] = {"height": 48, "width": 64, "train": 10, "val": 4, "test": 3, "batch_size": 4}


_TRUE_RENDERER = ProceduralScenes.renderer


@pytest.fixture(autouse=True)
def _own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZOO_HOME", str(tmp_path))
    monkeypatch.setattr(
        ProceduralScenes,
        "renderer",
        lambda self, keys, device: FakeSceneRenderer(**self.recipe, keys=keys, device=device),
    )


def ready(**options: object) -> ProceduralScenes:
    data = ProceduralScenes(**{**SMALL, **options})
    data.prepare_data()
    data.setup("fit")
    return data


def first(data: ProceduralScenes, split: str = "val") -> dict[str, torch.Tensor]:
    return next(iter(getattr(data, f"{split}_dataloader")()))


@pytest.mark.parametrize("lights", [1, 3])
def test_batches_obey_the_contract(lights: int) -> None:
    data = ready(lights=lights)
    assert [len(batch["image"]) for batch in data.train_dataloader()] == [4, 4]
    assert [len(batch["image"]) for batch in data.test_dataloader()] == [3]
    for batch in data.train_dataloader():
        check(batch)
        assert ("relit" in batch) == (lights > 1)
        assert not set(batch) - set(data.keys)


def test_all_keys_come_back_from_disk() -> None:
    keys = ("image", "albedo", "shading", "normal", "depth", "mask", "segmentation", "instances")
    keys = (*keys, "relit", "relit_shading")
    batch = first(ready(keys=keys, lights=3, effects=()))
    truth = FakeSceneRenderer(48, 64, lights=3, keys=keys).render("val", range(4))
    for key in ("depth", "mask", "segmentation", "instances"):
        assert torch.equal(batch[key], truth[key]), key
    for key in ("image", "relit"):
        assert (batch[key] - truth[key]).abs().max() < 0.51 / 255
    for key in ("albedo", "shading", "relit_shading", "normal"):
        torch.testing.assert_close(batch[key], truth[key], atol=1e-6, rtol=6e-4)


def test_product_survives_disk_mirror_crop_and_colour() -> None:
    data = ready(
        effects=(),
        colour=0.3,
        crop=(40, 40),
        lights=3,
        keys=("image", "albedo", "shading", "mask", "relit", "relit_shading"),
    )
    for batch in data.train_dataloader():
        assert batch["image"].shape[-2:] == (40, 40)
        assert 0.3 < batch["mask"].mean() < 1
        pairs = [(batch["image"], batch["shading"])]
        pairs += zip(batch["relit"].unbind(1), batch["relit_shading"].unbind(1), strict=True)
        for picture, shading in pairs:
            error = (srgb_to_linear(picture) - batch["albedo"] * shading).abs() * batch["mask"]
            # half a step of 8 bits, at the steepest place of the curve, brightened at most twofold
            assert error.max() < 0.5 / 255 * 2.3 * 2.5 + 1e-3


def test_a_sample_does_not_depend_on_its_batch() -> None:
    one, many = (ready(batch_size=size) for size in (1, 4))
    batches = list(one.val_dataloader())
    for key, value in first(many).items():
        assert torch.equal(torch.cat([batch[key] for batch in batches]), value), key


def test_other_keys_and_other_noise_share_the_scenes(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = first(ready())
    monkeypatch.setattr(FakeSceneRenderer, "render", lambda *_: pytest.fail("rendered again"))
    few = first(ready(keys=("image", "mask", "judgements"), effects=(), labelled=0.5, colour=0.1))
    assert set(few) == {"image", "mask", "judgements", "labelled"}
    assert torch.equal(few["judgements"], whole["judgements"])
    assert not torch.equal(few["image"], whole["image"])
    strict = first(ready(keys=("judgements",), judges=Judges(pairs=20, mistakes=0.0)))
    assert strict["judgements"].shape == (4, 20, 6)
    with pytest.raises(pytest.fail.Exception):
        ready(seed=1)


def test_what_is_rendered_when_asked_for_is_the_same() -> None:
    kept, fresh = (first(ready(cache=cache)) for cache in (True, False))
    for key in kept:
        # noise and JPEG lie over the rounding of 8 bits
        tolerance = {"image": 0.08, "judgements": 0.03}.get(key, 2e-3)
        torch.testing.assert_close(kept[key], fresh[key], atol=tolerance, rtol=1e-3, msg=key)


def test_on_the_fly_has_new_scenes_in_every_epoch(tmp_path: Path) -> None:
    data = ready(on_the_fly=True, keys=("albedo",), flip=False)
    loader = data.train_dataloader()
    epochs = []
    for epoch in range(2):
        loader.sampler.set_epoch(epoch)
        epochs.append(torch.cat([batch["albedo"].mean((2, 3)) for batch in loader]))
    assert torch.cdist(*epochs).min() > 1e-3
    assert torch.equal(first(data)["albedo"], first(data)["albedo"])
    assert not (tmp_path / "data").exists()


def test_mirrored_annotations_still_fit_their_picture() -> None:
    data = ready(keys=("albedo", "mask", "judgements", "superpixels", "instances"), judges=Judges(mistakes=0.0))
    plain = ready(keys=("albedo",), flip=False)
    loaders = data.train_dataloader(), plain.train_dataloader()
    mirrored = 0
    for batch, other in zip(*loaders, strict=True):
        mirrored += sum(not torch.equal(a, b) for a, b in zip(batch["albedo"], other["albedo"], strict=True))
        _judgements_fit(batch)
    assert 0 < mirrored < 8


def _judgements_fit(batch: dict[str, torch.Tensor]) -> None:
    _, _, height, width = batch["albedo"].shape
    for level, rows in zip(batch["albedo"].mean(1), batch["judgements"], strict=True):
        x1, y1, x2, y2, darker, _ = rows[rows[:, 5] > 0].unbind(-1)
        one = level[(y1 * height).long(), (x1 * width).long()]
        two = level[(y2 * height).long(), (x2 * width).long()]
        expected = torch.where(two > 1.1 * one, 1, torch.where(one > 1.1 * two, 2, 0))
        assert torch.equal(darker.long(), expected)
        assert len(rows)


def test_judgements_of_a_window_are_about_its_pixels() -> None:
    batch = first(ready(keys=("albedo", "mask", "judgements"), judges=Judges(mistakes=0.0)))
    cropped = crop_window(batch, torch.tensor([[0.0, 0.0], [1.0, 1.0], [0.3, 0.7], [0.9, 0.2]]), (32, 40))
    assert cropped["albedo"].shape[-2:] == (32, 40)
    assert torch.equal(cropped["albedo"][1], batch["albedo"][1, :, 16:, 24:])
    _judgements_fit(cropped)
    kept = [(each["judgements"][..., 5] > 0).sum() for each in (cropped, batch)]
    assert 0 < kept[0] < kept[1]


def test_the_truth_of_the_unlabelled_is_hidden() -> None:
    keys = ("image", "albedo", "shading", "mask")

    def told(share: float, epoch: int = 0) -> dict[int, float]:
        data = ready(labelled=share, keys=keys, train=60, flip=False)
        loader = data.train_dataloader()
        loader.sampler.set_epoch(epoch)
        result: dict[int, float] = {}
        for indices in loader.batch_sampler:
            batch = data.split("train").batch(indices)  # type: ignore[attr-defined]
            for row, index in enumerate(indices):
                for key in ("albedo", "shading"):
                    assert bool(batch[key][row].any()) == bool(batch["labelled"][row])
                assert batch["image"][row].any()
                result[epoch_and_sample(index, 60)[1]] = float(batch["labelled"][row])
        return result

    half, tenth = told(0.5), told(0.1)
    assert half == told(0.5, epoch=1)
    assert 18 <= sum(half.values()) <= 42
    assert 1 <= sum(tenth.values()) <= 14
    assert all(half[sample] for sample, known in tenth.items() if known)
    assert first(ready(labelled=0.0, keys=keys))["labelled"].tolist() == [1] * 4, "validation has all truth"
    assert "labelled" not in first(ready(keys=keys), "train")


def test_true_scenes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ProceduralScenes, "renderer", _TRUE_RENDERER)
    data = ProceduralScenes(64, 80, train=4, val=1, test=1, batch_size=4, lights=2, effects=())
    batch = first(data, "train")
    check(batch)
    inside = batch["mask"] > 0
    assert inside.float().mean() > 0.3
    error = (srgb_to_linear(batch["image"]) - batch["albedo"] * batch["shading"]).abs() * inside
    assert error.max() < 0.5 / 255 * 2.3 + 2e-3
    for key in ("superpixels", "judgements", "relit"):
        assert batch[key].flatten(1).any(1).all(), key
    assert (batch["judgements"][..., 5] > 0).sum(1).min() > 10
    assert {SURFACE, SMOOTH} < set(batch["shading_labels"].unique().tolist())
    assert len(batch["segmentation"].unique()) > 4
    # people agree with the truth, but for their mistakes; and tell paint from shadow
    linear = srgb_to_linear(batch["image"])
    disagree, smooth = [], []
    for albedo, shading in ((batch["albedo"], batch["shading"]), (linear, linear)):
        whdr, precision = WHDR(), SAWAveragePrecision()
        whdr.update(albedo, batch["judgements"])
        precision.update(shading, batch["shading_labels"])
        disagree.append(float(whdr.compute()))
        smooth.append(float(precision.compute()))
    assert disagree[0] < 0.07 < 0.15 < disagree[1]
    assert smooth[0] > smooth[1]


def test_judgements_of_three_stripes() -> None:
    # 0.2 | 0.2 x 1.05 | 0.5: the first two are equal for people, the third is brighter
    levels = torch.tensor([0.2, 0.21, 0.5]).repeat_interleave(40)
    albedo = levels.expand(1, 3, 90, 120)
    mask = torch.ones(1, 1, 90, 120)
    mask[..., :20] = 0
    judgements = judge(albedo, mask, Draws(0, "val", [0]), Judges(pairs=400, mistakes=0.0))
    assert judgements.shape == (1, 400, 6)
    rows = judgements[0][judgements[0, :, 5] > 0]
    assert 60 < len(rows) < 400
    assert (judgements[0, len(rows) :] == 0).all()
    stripe = (rows[:, [0, 2]] * 3).long()
    assert (rows[:, [0, 2]] > 20 / 120).all(), "nobody is asked outside of the mask"
    assert ((rows[:, [0, 2]] * 120 - 80).abs() >= 1).all(), "nor about an edge"
    brighter = (stripe == 2).long()
    expected = torch.where(brighter[:, 1] > brighter[:, 0], 1, torch.where(brighter[:, 0] > brighter[:, 1], 2, 0))
    assert torch.equal(rows[:, 4].long(), expected)
    assert len(expected.unique()) == 3
    one_material, near_threshold = stripe[:, 0] == stripe[:, 1], (stripe.sort(1).values == torch.tensor([0, 1])).all(1)
    assert (rows[one_material, 5] == 1).all()
    expected_weight = 1 - torch.tensor(1.05).log() / torch.tensor(1.1).log()
    torch.testing.assert_close(rows[near_threshold, 5], expected_weight.expand(int(near_threshold.sum())))
    points = torch.unique(torch.cat((rows[:, :2], rows[:, 2:4])), dim=0) * torch.tensor([120.0, 90.0])
    distance = torch.cdist(points, points) + 1e3 * torch.eye(len(points))
    assert distance.min() >= 0.07 * 120 - 1e-3
    assert (
        torch.linalg.vector_norm((rows[:, :2] - rows[:, 2:4]) * torch.tensor([120.0, 90.0]), dim=1).max() < 0.14 * 120
    )


def test_people_err() -> None:
    albedo, mask = torch.full((4, 3, 96, 128), 0.5), torch.ones(4, 1, 96, 128)
    rows = judge(albedo, mask, Draws(0, "val", range(4)), Judges(mistakes=0.2)).flatten(0, 1)
    rows = rows[rows[:, 5] > 0]
    wrong = rows[:, 4] > 0
    assert 0.15 < wrong.float().mean() < 0.25
    assert (rows[wrong, 5] == 0.5).all()
    assert (rows[~wrong, 5] == 1).all()


def test_pictures_with_nothing_to_judge() -> None:
    squares = torch.tensor([[0.2, 0.8], [0.8, 0.2]]).repeat(16, 16)
    albedo, mask = squares.expand(2, 3, 32, 32), torch.ones(2, 1, 32, 32)
    mask[1] = 0
    assert (judge(albedo, mask, Draws(0, "val", [0, 1]), Judges())[..., 5] == 0).all()
    labels = label_shading(
        albedo, mask, albedo, 0 * mask, torch.zeros(2, 32, 32, dtype=torch.bool), Draws(0, "val", [0, 1])
    )
    assert (labels == 255).all()
    assert (split_into_superpixels(torch.ones(2, 32, 32).long(), mask, Draws(0, "val", [0, 1]))[1] == 0).all()


def test_shading_labels_of_a_room() -> None:
    truth = FakeSceneRenderer(
        96, 128, keys=("shading", "depth", "normal", "mask", "shadow_edges", "segmentation")
    ).render("val", range(16))
    maps = [truth[key] for key in ("shading", "depth", "normal", "mask", "shadow_edges")]
    labels = label_shading(*maps, Draws(0, "val", range(16)))
    surface, shadow, smooth = (labels == kind for kind in (SURFACE, SHADOW, SMOOTH))
    y, x = torch.meshgrid(torch.arange(96), torch.arange(128), indexing="ij")
    horizon, shade = (y - 57).abs() <= 2, (x - 89.6).abs() <= 2
    ball = ((x + 0.5) / 128 - 0.3) ** 2 + (0.75 * ((y + 0.5) / 96 - 0.6)) ** 2
    outline = (ball.sqrt() - 0.15).abs() < 0.02
    assert surface.any()
    assert not (surface & ~(horizon | outline | (y - 14 < 3))).any(), "edges lie where depth or normals jump"
    assert shadow.any()
    assert not (shadow & ~(shade & (y > 58))).any(), "a shadow's edge lies on the floor"
    near = ((y - 57).abs() <= 1) | (((ball.sqrt() - 0.15).abs() < 0.01) & (y < 57)) | (((x - 89).abs() <= 1) & (y > 58))
    assert not (smooth & near).any()
    assert 0.05 < smooth.float().mean() < 0.8
    assert ((labels == 255) | (truth["mask"][:, 0] > 0)).all()
    assert (labels[:, :4] == 255).all()
    assert (labels[..., -6:] == 255).all()
    both = [bool(each.any() and not each.all()) for each in (surface.flatten(1).any(1), shadow.flatten(1).any(1))]
    assert any(both), "some edges are not marked"


def test_a_steep_floor_has_no_edges() -> None:
    y = torch.arange(64).view(-1, 1) + 1.0
    depth = (1 / (0.01 * y)).expand(1, 1, 64, 64)
    normal = torch.tensor([0.0, 1.0, 0.0]).view(1, 3, 1, 1).expand(1, 3, 64, 64)
    ones, nothing = torch.ones(1, 1, 64, 64), torch.zeros(1, 64, 64, dtype=torch.bool)
    labels = label_shading(0.5 * ones, depth, normal, ones, nothing, Draws(0, "val", [0]))
    assert set(labels.unique().tolist()) == {SMOOTH, 255}


def test_superpixels_lie_on_one_thing() -> None:
    truth = FakeSceneRenderer(96, 128, keys=("instances", "mask")).render("val", range(3))
    ids = split_into_superpixels(truth["instances"], truth["mask"], Draws(0, "val", range(3)))
    for regions, things, mask in zip(ids, truth["instances"], truth["mask"][:, 0], strict=True):
        count = int(regions.max())
        assert 150 < count < 400
        assert torch.equal(regions.unique(), torch.arange(0, count + 1))
        assert (regions[mask == 0] == 0).all()
        assert ((regions == 0) & (mask > 0)).float().mean() < 0.02
        pairs = torch.stack((regions, things), -1)[regions > 0].unique(dim=0)
        assert len(pairs) == count, "each region belongs to one thing"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"train": 0}, "at least 1"),
        ({"kind": "cars"}, "rooms, gardens or both"),
        ({"keys": ("image", "light")}, "no key 'light'"),
        ({"keys": ("relit",)}, "2 lights or more"),
        ({"effects": ("rain",)}, "no effect named 'rain'"),
        ({"labelled": 1.5}, "between 0 and 1"),
        ({"crop": (64, 64)}, "64 x 64 does not lie in"),
    ],
)
def test_wrong_arguments_are_told(options: dict[str, object], words: str) -> None:
    with pytest.raises(UserError, match=words):
        ready(**options)


@pytest.mark.gpu
def test_scenes_are_rendered_on_the_training_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ProceduralScenes, "renderer", _TRUE_RENDERER)
    data = ProceduralScenes(64, 80, train=4, val=1, test=1, batch_size=2, on_the_fly=True, colour=0.1, crop=(48, 48))
    batch = first(data, "train")
    assert {value.device.type for value in batch.values()} == {"cuda"}
    check(batch)
