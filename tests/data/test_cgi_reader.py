"""The reader of CGIntrinsics on a tiny fake in the data set's true layout."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scene_fakes import (
    CGI_ALBEDO,
    CGI_HEIGHT,
    CGI_NAMES,
    CGI_WIDTH,
    cgi_light,
    cgi_paint,
    write_cgi,
    write_cgi_png,
)
from scipy.io import savemat

from datamodules import CGI, CGIRendered
from datamodules.crops import hash_share
from datamodules.divided_shading import divided_shading, eroded
from zoo.contract import check
from zoo.errors import UserError
from zoo.imaging import srgb_to_linear


@pytest.fixture
def cgi_folder(tmp_path: Path) -> Path:
    return write_cgi(tmp_path / "intrinsics_final")


def cgi(folder: Path, **options: Any) -> CGI:
    shares = {"val_share": 0.25, "test_share": 0.25}
    return CGI(str(folder), **{"height": 48, "width": 64, "num_workers": 0, "batch_size": 2, **shares, **options})


def test_cgi(cgi_folder: Path) -> None:
    data = cgi(cgi_folder, split="community", denoise=False)
    data.prepare_data()
    batch = data.dataset("test").batch([0, 1])
    check(batch, ["image", "albedo", "shading", "mask", "superpixels"])
    assert batch["name"] == CGI_NAMES[8:10]
    mask = batch["mask"]
    assert not mask[:, :, :6].any()  # row 0 has no truth, and five pixels around it are left out too
    assert mask[:, :, 6:].all()  # the picture's own border is no reason
    error = (srgb_to_linear(batch["image"]) - batch["albedo"] * batch["shading"]).abs() * mask
    assert error.max() < 1e-5
    shading = batch["shading"][0, :, 20]
    # the 90th percentile of a ramp from 0.2 to 1 is 0.92
    assert shading[:, -1].mean().item() == pytest.approx(1 / 0.92, rel=0.01)
    assert shading[:, 0].mean().item() == pytest.approx(0.2 / 0.92, rel=0.02)
    ratio = batch["albedo"][0, :, 20, -1] / torch.tensor(CGI_ALBEDO)
    torch.testing.assert_close(ratio, torch.full((3,), 0.92, dtype=ratio.dtype), rtol=0.01, atol=0)


def test_cgi_superpixels(cgi_folder: Path) -> None:
    regions = cgi(cgi_folder, split="community").dataset("test").batch([0])["superpixels"][0]
    assert regions.unique().tolist() == [0, 1, 2]  # the third has one pixel, and no pair
    assert (regions[:24, :32] == 1).all()
    assert (regions[24:, 32:] == 2).all()
    assert (regions[:24, 32:] == 0).all()
    small = cgi(cgi_folder, split="community", height=24, width=32).dataset("test").batch([0])["superpixels"][0]
    assert torch.equal(small, regions[::2, ::2])
    assert "superpixels" not in cgi(cgi_folder, superpixels=False).dataset("train").batch([0])


def test_cgi_training_crops_everything_alike(cgi_folder: Path) -> None:
    data = cgi(cgi_folder, split="community").dataset("train")
    starts, mirrored = set(), 0
    for index in range(40):
        batch = data.batch([index])
        check(batch)
        if batch["superpixels"][0, 30, 5] == 2:  # region 2 is on the right
            mirrored += 1
            batch = {key: batch[key].flip(-1) for key in ("albedo", "image", "superpixels", "mask", "shading")}
        edge = (batch["albedo"][0, 0, 20] > 0.5 * batch["albedo"][0, 0, 20].max() + 0.05).float().argmax().item()
        region = (batch["superpixels"][0, 10] == 0).float().argmax().item()
        assert abs(edge - region) <= 2
        error = (srgb_to_linear(batch["image"]) - batch["albedo"] * batch["shading"]).abs() * batch["mask"]
        assert error.max() < 1e-5
        starts.add(region)
    assert len(starts) > 4
    assert 10 < mirrored < 30


def test_cgi_splits(cgi_folder: Path) -> None:
    sets = {split: cgi(cgi_folder).dataset(split).names for split in ("train", "val", "test")}
    assert sorted(name for names in sets.values() for name in names) == CGI_NAMES
    scenes = [{name.split("/")[0] for name in names} for names in sets.values()]
    assert sum(map(len, scenes)) == 6  # no scene is in two
    expected = [n for n in CGI_NAMES if hash_share(n.split("/")[0]) < 0.25]
    assert sets["test"] == expected
    community = {split: cgi(cgi_folder, split="community").dataset(split).names for split in ("train", "val", "test")}
    assert community["test"] == CGI_NAMES[8:]
    assert sorted([*community["train"], *community["val"]]) == CGI_NAMES[:8]
    assert community["train"]
    assert community["val"]


def test_cgi_smooths_dark_pictures(cgi_folder: Path) -> None:
    noise = np.random.default_rng(0).normal(0, 0.05, (CGI_HEIGHT, CGI_WIDTH, 3))
    for name in CGI_NAMES[8:]:
        write_cgi_png(
            cgi_folder / "images" / name, ((cgi_paint() * cgi_light()) ** (1 / 2.2) + noise).clip(0, 1), bits=16
        )

    def roughness(denoise: bool, sample: int, key: str) -> float:
        values = cgi(cgi_folder, split="community", denoise=denoise).dataset("test").batch([sample])[key]
        return float(values[..., 10:, 40:].diff(dim=-1).std())

    bright, dark = 0, 2
    assert CGI_NAMES[8 + dark].startswith("scene5")
    for key in ("image", "shading"):
        assert roughness(True, bright, key) == roughness(False, bright, key)
        assert roughness(True, dark, key) < 0.5 * roughness(False, dark, key)


def test_shading_out_of_range_leaves_the_mask() -> None:
    linear = torch.full((3, 2, 6), 0.5)
    albedo = torch.full((3, 2, 6), 0.5)
    albedo[:, :, 0], albedo[1, :, 1], linear[:, :, 2], linear[2, :, 3] = 0.01, 0.04, 0.0, 0.1
    row = divided_shading(linear, albedo, torch.ones(1, 2, 6), brightest=10.0)
    assert row["mask"][0, 0].tolist() == [0, 0, 0, 1, 1, 1]
    assert float(np.percentile(row["shading"][:, :, 3:].numpy(), 90)) == pytest.approx(1)
    assert row["shading"].min() >= 1e-4 - 1e-9


def test_eroded_mask() -> None:
    mask = torch.ones(1, 20, 20)
    mask[0, 10, 10] = 0
    hole = 1 - eroded(mask, 11)
    assert hole[0, 5:16, 5:16].all()
    assert hole.sum() == 121


def test_cgi_rendered_extra_set(cgi_folder: Path) -> None:
    place = cgi_folder / "rendered"
    for name, (height, width) in {"kitchen_1.png": (40, 60), "sponza.png": (60, 60)}.items():
        albedo = np.full((height, width, 3), 0.5)
        write_cgi_png(place / "images" / name, albedo * 0.4, bits=16)
        write_cgi_png(place / "albedo" / f"{name.removesuffix('.png').split('_')[0]}_albedo.png", albedo)
        write_cgi_png(
            place / "mask" / f"{name.removesuffix('.png').split('_')[0]}_alpha.png", np.ones((height, width, 3))
        )
    (cgi_folder / "render_list").mkdir()
    (cgi_folder / "render_list" / "img_batch.p").write_bytes(pickle.dumps(["kitchen_1.png", "sponza.png"], protocol=2))
    data = CGIRendered(str(cgi_folder))
    data.prepare_data()
    batches = {batch["name"][0]: batch for batch in data.train_dataloader()}
    assert {name: tuple(b["image"].shape[2:]) for name, b in batches.items()} == {
        "kitchen_1.png": (512, 768),
        "sponza.png": (512, 512),
    }
    batch = batches["kitchen_1.png"]
    check(batch, ["image", "albedo", "shading", "mask"])
    assert srgb_to_linear(batch["image"]).mean().item() == pytest.approx(0.2, rel=0.01)  # stored linear
    assert batch["shading"].mean().item() == pytest.approx(1, rel=0.01)
    with pytest.raises(UserError, match="for training alone"):
        data.dataset("test")
    (place / "albedo" / "sponza_albedo.png").unlink()
    with pytest.raises(UserError, match=r"sponza_albedo\.png"):
        CGIRendered(str(cgi_folder)).prepare_data()


@pytest.mark.parametrize("name", ["train_list/img_batch.p", "rgbe_image_stats.txt"])
def test_cgi_missing(cgi_folder: Path, name: str) -> None:
    (cgi_folder / name).unlink()
    with pytest.raises(UserError) as told:
        cgi(cgi_folder).prepare_data()
    for words in (name, "research only", "www.cs.cornell.edu/projects/cgintrinsics", "_albedo"):
        assert words in str(told.value)


def test_cgi_malicious_list(cgi_folder: Path) -> None:
    (cgi_folder / "train_list" / "img_batch.p").write_bytes(b"cos\nsystem\n(S'true'\ntR.")
    with pytest.raises(UserError, match=r"was refused: it is a pickle that asks for os\.system"):
        cgi(cgi_folder).prepare_data()


def test_cgi_bad_files(cgi_folder: Path) -> None:
    data = cgi(cgi_folder, split="community").dataset("test")
    stem = cgi_folder / "images" / CGI_NAMES[8].removesuffix(".png")
    write_cgi_png(Path(f"{stem}_albedo.png"), cgi_paint()[:, :-4])
    with pytest.raises(UserError, match=r"_albedo\.png has 60 x 48 values, but 000001_mlt\.png has 64 x 48 pixels"):
        data.batch([0])
    regions = cgi_folder / "superpixels" / f"{CGI_NAMES[9]}.mat"
    savemat(regions, {"other": np.ones((2, 2))})
    with pytest.raises(UserError, match="holds no cell array called 'data'"):
        data.batch([1])
    regions.write_bytes(b"nothing")
    with pytest.raises(UserError, match="is damaged, or no MATLAB file"):
        data.batch([1])
    picture = cgi_folder / "images" / CGI_NAMES[10]
    picture.write_bytes(picture.read_bytes()[:-200])
    with pytest.raises(UserError, match=r"000001_mlt\.png is damaged"):
        data.batch([2])
    (cgi_folder / "rgbe_image_stats.txt").write_text("scene0/000001_mlt.rgbe 1 1\n")
    with pytest.raises(UserError, match=r"has no line for scene\d/\d+_mlt\.rgbe"):
        cgi(cgi_folder).dataset("train")
    (cgi_folder / "rgbe_image_stats.txt").write_text("scene0/000001_mlt.rgbe\n")
    with pytest.raises(UserError, match="a line without three columns"):
        cgi(cgi_folder).dataset("train")
