"""Readers of one scene under several lights (MIT Intrinsic Images, folders), each on a tiny fake in its true layout."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from datamodules import Illuminations, MITIntrinsic
from datamodules.mit_intrinsic import MIT_SPLITS
from datamodules.stored_values import read_values
from zoo.contract import check
from zoo.errors import UserError
from zoo.imaging import srgb_to_linear, write_image

# MIT Intrinsic Images

OBJECTS = sorted(set(sum((*MIT_SPLITS["barron"], *MIT_SPLITS["grosse"]), ())))
HEIGHT, WIDTH = 40, 56
BOX = (slice(4, 34), slice(10, 50))  # 30 x 40 pixels


def write16(path: Path, values: np.ndarray) -> None:
    """Linear values in [0, 1], RGB or grey, as a 16-bit PNG."""
    stored = np.round(values * 65535).astype(np.uint16)
    cv2.imwrite(str(path), stored if stored.ndim == 2 else stored[..., ::-1])


def mit_object(number: int) -> dict[str, np.ndarray]:
    """Paint of two colours; light that falls off to one side; a mask that is a box without one corner."""
    y, x = np.mgrid[:HEIGHT, :WIDTH] / HEIGHT
    paint = np.where((x < 0.7)[..., None], [0.8, 0.3, 0.2], [0.2, 0.4, 0.1 + 0.02 * number])
    lights = [0.1 + 0.5 * x, *(0.1 + (0.05 + 0.03 * i) * y for i in range(10))]
    mask = np.zeros((HEIGHT, WIDTH))
    mask[BOX] = 1
    mask[4:12, 10:18] = 0
    pictures = {"diffuse": paint * lights[0][..., None], "reflectance": paint, "shading": 0.9 * lights[0], "mask": mask}
    pictures.update({f"light{i + 1:02d}": paint * light[..., None] for i, light in enumerate(lights[1:])})
    return pictures


@pytest.fixture
def mit_folder(tmp_path: Path) -> Path:
    for number, name in enumerate(OBJECTS):
        (tmp_path / "mit" / name).mkdir(parents=True)
        for kind, values in mit_object(number).items():
            write16(tmp_path / "mit" / name / f"{kind}.png", values)
    return tmp_path / "mit"


def mit(folder: Path, **options: Any) -> MITIntrinsic:
    return MITIntrinsic(str(folder), **{"num_workers": 0, "size": 32, "batch_size": 3, **options})


def test_mit_splits() -> None:
    assert len(OBJECTS) == 20
    for train, test in MIT_SPLITS.values():
        assert len(train) == len(test)
        assert not set(train) & set(test)
    assert set(sum(MIT_SPLITS["grosse"], ())) == set(OBJECTS) - {"apple", "pear", "phone", "potato"}


def test_mit(mit_folder: Path) -> None:
    data = mit(mit_folder, lights=2)
    data.prepare_data()
    sets = [data.dataset(split).names for split in ("train", "val", "test")]
    assert sets[:2] == [
        ["apple", "box", "cup1", "dinosaur", "frog1", "panther", "paper1", "phone", "squirrel"],
        ["teabag2"],
    ]
    assert sets[2] == list(MIT_SPLITS["barron"][1])
    batch = next(iter(data.test_dataloader()))
    check(batch, ["image", "albedo", "shading", "mask", "relit", "relit_shading"])
    assert batch["shading"].shape == (3, 1, 32, 32)
    assert batch["relit"].shape == (3, 2, 3, 32, 32)
    assert batch["name"] == ["cup2", "deer", "frog2"]
    mask = batch["mask"]
    # 40 x 30 pixels become 32 x 24, in the middle of 32 x 32, with a corner missing
    assert mask[0, 0].any(1).nonzero().flatten().tolist() == list(range(4, 28))
    assert mask[0, 0, 4, :6].sum() == 0
    assert mask[0, 0, 4, 8:].all()
    error = (srgb_to_linear(batch["image"]) - batch["albedo"] * batch["shading"]).abs() * mask
    # shading has 0.9 of the scale in the files, which the reader mends; the paint's edge is mixed in two ways
    assert error.mean() < 2e-3
    assert error.flatten(1).quantile(0.9) < 1e-3
    relit = srgb_to_linear(batch["relit"])
    estimate = batch["albedo"][:, None] * batch["relit_shading"]
    assert ((relit - estimate).abs() * mask[:, None]).flatten(1).quantile(0.9) < 1e-3
    assert (batch["image"] * (1 - mask)).abs().max() == 0


def test_mit_keeps_sixteen_bits(mit_folder: Path, tmp_path: Path) -> None:
    values = np.array([[0.0, 1 / 65535, 0.5, 1.0]])
    write16(tmp_path / "a.png", values)
    assert read_values(tmp_path / "a.png", 1)[0, 0, 1].item() == pytest.approx(1 / 65535)
    assert read_values(tmp_path / "a.png", 3).shape == (3, 1, 4)
    write16(tmp_path / "b.png", np.stack((values, 0 * values, 0 * values), -1))
    assert read_values(tmp_path / "b.png", 3)[:, 0, 3].tolist() == [1, 0, 0]  # red comes first
    assert read_values(tmp_path / "b.png", 1)[0, 0, 3].item() == pytest.approx(1 / 3)


def test_mit_other_lights_change_with_the_epoch_in_training_alone(mit_folder: Path) -> None:
    data = mit(mit_folder, flip=False)
    train, test = data.dataset("train"), data.dataset("test")
    lights = {float(train.batch([epoch * len(train)])["relit"].sum()) for epoch in range(12)}
    assert 4 < len(lights) <= 10
    assert torch.equal(train.batch([4])["relit"], train.batch([4])["relit"])
    first = srgb_to_linear(test.batch([0])["relit"])[0, 0].amax()
    stored = np.array(mit_object(OBJECTS.index("cup2"))["light01"][BOX]).max()
    assert first.item() == pytest.approx(stored, rel=0.03)


def test_mit_any_of_the_eleven_pictures(mit_folder: Path) -> None:
    data = mit(mit_folder, picture="any", lights=10, flip=False).dataset("train")
    diffuse = mit(mit_folder, flip=False).dataset("train").batch([0])["image"]
    images, without_gloss = set(), 0
    for epoch in range(30):
        batch = data.batch([epoch * len(data)])
        assert batch["relit"].shape[1] == 10
        error = (srgb_to_linear(batch["image"]) - batch["albedo"] * batch["shading"]).abs() * batch["mask"]
        assert error.quantile(0.9) < 1e-3
        everything = torch.cat((batch["image"][:, None], batch["relit"]), 1)
        assert len({float(picture.sum()) for picture in everything[0]}) == 11  # none of them twice
        images.add(float(batch["image"].sum()))
        without_gloss += torch.equal(batch["image"], diffuse)
    assert len(images) > 6
    assert without_gloss > 0
    with pytest.raises(UserError, match="lights is 11; there are 0 to 10 other pictures"):
        mit(mit_folder, lights=11)


def test_mit_flips_everything_together(mit_folder: Path) -> None:
    plain, flipped = (mit(mit_folder, flip=flip, lights=1).dataset("train") for flip in (False, True))
    mirrored = 0
    for index in range(20):
        one, other = plain.batch([index]), flipped.batch([index])
        turned = not torch.equal(one["image"], other["image"])
        mirrored += turned
        for key in ("image", "albedo", "shading", "mask", "relit", "relit_shading"):
            assert torch.equal(one[key].flip(-1) if turned else one[key], other[key])
    assert 3 < mirrored < 17


def test_mit_without_lights(mit_folder: Path) -> None:
    for path in mit_folder.glob("*/light*.png"):
        path.unlink()
    batch = mit(mit_folder, lights=0).dataset("test").batch([0])
    assert "relit" not in batch
    with pytest.raises(UserError, match=r"there is no .*light01\.png"):
        mit(mit_folder).prepare_data()


def test_mit_bad_files(mit_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError) as told:
        mit(tmp_path / "no").prepare_data()
    for words in ("apple/mask.png", "No licence is stated", "rgrosse", "light01.png"):
        assert words in str(told.value)
    write16(mit_folder / "cup2/reflectance.png", np.ones((HEIGHT, WIDTH - 1, 3)))
    with pytest.raises(UserError, match=r"reflectance\.png has 55 x 40 values, but mask\.png has 56 x 40 pixels"):
        mit(mit_folder).dataset("test").batch([0])
    write16(mit_folder / "deer/mask.png", np.zeros((HEIGHT, WIDTH)))
    with pytest.raises(UserError, match=r"deer/mask\.png is empty"):
        mit(mit_folder).dataset("test").batch([1])
    file = mit_folder / "frog2/diffuse.png"
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(UserError, match=r"frog2/diffuse\.png is damaged"):
        mit(mit_folder).dataset("test").batch([2])


# Folders of scenes


def scene(folder: Path, names: list[str], size: tuple[int, int] = (20, 30), burnt: int | None = None) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    x = torch.linspace(0.2, 0.6, size[1]).expand(3, *size)
    for i, name in enumerate(names):
        picture = x * (0.5 + 0.4 * i / len(names))
        if i == burnt:
            picture[:, : size[0] // 2] = 1.0
        write_image(folder / name, picture)


@pytest.fixture
def scenes(tmp_path: Path) -> Path:
    folder = tmp_path / "scenes"
    for i in range(8):
        scene(folder / f"everett_{i}", [f"dir_{j}_mip2.png" for j in range(4)], burnt=1)
        scene(folder / f"everett_{i}", ["materials_mip2.png", "thumb.png"], (5, 5))
        scene(folder / f"{i:04d}" / "data", ["0001.png", "0005.png", "0010.png"])
        write_image(folder / f"{i:04d}" / "data" / "0001_mask.png", torch.ones(3, 20, 30) * (torch.arange(30) < 20))
    return folder


def lights(folder: Path, **options: Any) -> Illuminations:
    return Illuminations(str(folder), **{"height": 16, "width": 16, "num_workers": 0, "batch_size": 4, **options})


def test_scenes_under_several_lights(scenes: Path) -> None:
    data = lights(scenes, lights=2, val_share=0.2, test_share=0.2)
    data.prepare_data()
    names = {split: data.dataset(split).names for split in ("train", "val", "test")}
    assert all(names.values())
    together = [name for some in names.values() for name in some]
    assert len(together) == len(set(together)) == 16
    seen = []
    for batch in data.predict_dataloader():
        check(batch, ["image", "relit", "mask"])
        assert batch["relit"].shape[1:] == (2, 3, 16, 16)
        seen += batch["name"]
    assert seen == sorted(p.name for p in scenes.iterdir())


def test_masks_of_all_pictures_count_together(scenes: Path) -> None:
    data = lights(scenes, height=20, width=30).dataset("predict")
    bigtime = data.batch([data.names.index("0003")])["mask"][0, 0]
    assert bigtime[:, :20].all()
    assert not bigtime[:, 20:].any()
    flash = data.batch([data.names.index("everett_3")])["mask"][0, 0]  # the second picture is burnt out above
    assert not flash[:10].any()
    assert flash[10:].all()


def test_evaluation_takes_the_first_pictures_and_the_middle(scenes: Path) -> None:
    data = lights(scenes, height=10, width=10).dataset("predict")
    batch = data.batch([data.names.index("0003")])
    levels = batch["image"].mean().item(), batch["relit"].mean().item()
    assert levels[0] == pytest.approx(0.4 * 0.5, abs=0.01)  # the middle of a ramp from 0.2 to 0.6
    assert levels[1] == pytest.approx(0.4 * (0.5 + 0.4 / 3), abs=0.01)


def test_training_draws_pictures_and_crops(scenes: Path) -> None:
    data = lights(scenes, height=10, width=10, flip=False).dataset("train")
    means = {round(float(data.batch([epoch * len(data)])["image"].mean()), 4) for epoch in range(10)}
    assert len(means) > 5
    assert torch.equal(data.batch([3])["image"], data.batch([3])["image"])


def test_a_scene_with_a_single_light(scenes: Path) -> None:
    scene(scenes / "alone", ["1.png"])
    with pytest.raises(UserError, match=r"alone has 1 of the 2 pictures that are needed"):
        lights(scenes).prepare_data()


def test_pictures_of_a_scene_differ_in_size(scenes: Path) -> None:
    scene(scenes / "odd", ["1.png"])
    scene(scenes / "odd", ["2.png"], (20, 31))
    data = lights(scenes).dataset("predict")
    with pytest.raises(UserError, match=r"2\.png has 31 x 20 values, but 1\.png has 30 x 20 pixels"):
        data.batch([data.names.index("odd")])


def test_no_scenes(tmp_path: Path) -> None:
    for folder in (tmp_path / "no", tmp_path):
        with pytest.raises(UserError) as told:
            lights(folder).prepare_data()
        for words in ("BigTime", "Multi-Illumination", "_mask.png"):
            assert words in str(told.value)
