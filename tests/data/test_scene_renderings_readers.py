"""Readers of rendered scenes (MPI Sintel, NED), each on a tiny fake in the data set's true layout."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from PIL import Image
from scipy.io import savemat

from datamodules import NED, SintelIntrinsic
from datamodules.mat_files import read_mat_array
from datamodules.ned import garden_classes
from datamodules.sintel import SINTEL_HALVES
from zoo.contract import check
from zoo.errors import UserError
from zoo.imaging import srgb_to_linear, write_image
from zoo.scene_classes import GARDEN_CLASSES

# MPI Sintel

SCENES = sorted([*SINTEL_HALVES[0], *SINTEL_HALVES[1]])


def frame(seed: int, low: float, height: int = 22, width: int = 52) -> torch.Tensor:
    return low + (1 - low) * torch.rand(3, height, width, generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def sintel_folder(tmp_path: Path) -> Path:
    for number, scene in enumerate(SCENES):
        for i in (1, 2):
            albedo = frame(number, 0.1)
            albedo[:, :3, :4] = 0  # a hole in the rendering
            name = f"{scene}/frame_{i:04d}.png"
            write_image(tmp_path / "albedo" / name, albedo)
            write_image(tmp_path / "shading" / name, frame(100 + number, 0.2))
            write_image(tmp_path / "clean" / name, frame(200 + number, 0.0))
    return tmp_path


def sintel(folder: Path, **options: Any) -> SintelIntrinsic:
    return SintelIntrinsic(str(folder), **{"num_workers": 0, "crop": 16, "batch_size": 2, **options})


@pytest.mark.parametrize(
    ("options", "counts"),
    [({}, (440, 450)), ({"fold": 1}, (450, 440)), ({"defect_free": True}, (390, 400))],
)
def test_sintel_splits_have_the_known_numbers_of_frames(
    tmp_path: Path, options: dict[str, Any], counts: tuple[int, int]
) -> None:
    for kind in ("albedo", "shading"):
        for scene in SCENES:
            (tmp_path / kind / scene).mkdir(parents=True)
            for i in range(40 if scene == "market_6" else 50):
                (tmp_path / kind / scene / f"frame_{i + 1:04d}.png").touch()
    data = sintel(tmp_path, **options)
    train, val, test = (data.dataset(split) for split in ("train", "val", "test"))
    assert (len(train) + len(val), len(test)) == counts
    scenes = [{name.split("/")[0] for name in part.names} for part in (train, val, test)]
    assert sum(map(len, scenes)) == len(set.union(*scenes)) == (16 if options.get("defect_free") else 18)
    first = "alley_2" if options.get("fold") else "alley_1"
    assert train.names[0] == f"{first}/frame_0001.png"


def test_sintel(sintel_folder: Path) -> None:
    data = sintel(sintel_folder)
    data.prepare_data()
    batch = next(iter(data.test_dataloader()))
    check(batch, ["image", "albedo", "shading", "mask"])
    assert batch["image"].shape == (2, 3, 22, 52)
    assert batch["name"] == ["alley_2/frame_0001", "alley_2/frame_0002"]
    number = SCENES.index("alley_2")
    torch.testing.assert_close(batch["shading"][0], frame(100 + number, 0.2), atol=0.5 / 255 + 1e-6, rtol=0)
    error = srgb_to_linear(batch["image"]) - batch["albedo"] * batch["shading"]
    assert error.abs().max() < 1e-5
    assert not batch["mask"][:, :, :3, :4].any()
    assert batch["mask"].sum() == 2 * (22 * 52 - 12)


def test_sintel_displayed_values(sintel_folder: Path) -> None:
    plain = sintel(sintel_folder).dataset("test").batch([0])
    batch = sintel(sintel_folder, encoding="display").dataset("test").batch([0])
    torch.testing.assert_close(batch["image"], plain["albedo"] * plain["shading"])
    torch.testing.assert_close(batch["albedo"], srgb_to_linear(plain["albedo"]))
    error = (srgb_to_linear(batch["image"]) - batch["albedo"] * batch["shading"]) * batch["mask"]
    assert error.abs().max() < 1e-5


def test_sintel_clean_frames(sintel_folder: Path) -> None:
    batch = sintel(sintel_folder, picture="clean", encoding="display").dataset("test").batch([0])
    expected = frame(200 + SCENES.index("alley_2"), 0.0)
    torch.testing.assert_close(batch["image"][0], expected, atol=0.5 / 255 + 1e-6, rtol=0)
    (sintel_folder / "clean/alley_2/frame_0002.png").unlink()
    with pytest.raises(UserError, match=r"there is no .*clean/alley_2/frame_0002\.png"):
        sintel(sintel_folder, picture="clean").prepare_data()


def test_sintel_training_crops(sintel_folder: Path) -> None:
    data = sintel(sintel_folder, flip=False).dataset("train")
    whole = sintel(sintel_folder, flip=False, crop=0).dataset("train").batch([0])["albedo"][0]
    places = set()
    for epoch in range(12):
        batch = data.batch([epoch * len(data)])
        assert batch["albedo"].shape == (1, 3, 16, 16)
        windows = whole.unfold(1, 16, 1).unfold(2, 16, 1).permute(1, 2, 0, 3, 4)
        found = (windows == batch["albedo"][0]).flatten(2).all(2).nonzero().tolist()
        assert len(found) == 1
        places.add(tuple(found[0]))
        error = srgb_to_linear(batch["image"]) - batch["albedo"] * batch["shading"]
        assert error.abs().max() < 1e-5
    assert len(places) > 6


def test_sintel_bad_files(sintel_folder: Path) -> None:
    with pytest.raises(UserError, match=r"52 x 22 pixels; --data\.crop 30 is too large for it"):
        sintel(sintel_folder, crop=30).dataset("train").batch([0])
    write_image(sintel_folder / "shading/alley_2/frame_0001.png", torch.ones(3, 20, 52))
    with pytest.raises(UserError, match=r"frame_0001\.png has 52 x 20 values"):
        sintel(sintel_folder).dataset("test").batch([0])
    for file in (sintel_folder / "albedo/temple_3").iterdir():
        file.unlink()
    with pytest.raises(UserError) as told:
        sintel(sintel_folder).prepare_data()
    for words in ("no frame in", "temple_3", "sintel.is.tue.mpg.de", "on request", "frame_0001.png"):
        assert words in str(told.value)


# NED

IDS = {"ground": 1, "pebble": 6, "topiary": 20, "sky": 223}


def write_ned(root: Path, name: str, seed: int, labels: bool = True, new: bool = False) -> None:
    random = np.random.default_rng(seed)
    albedo = random.uniform(0.2, 0.9, (20, 24, 3)).astype(np.float32)
    shading = random.uniform(0.1, 1.0, (20, 24, 3)).astype(np.float32)
    mask = np.ones((20, 24), np.float32)
    mask[:4] = 0
    composite = albedo * shading
    composite[10, 10] = 1.0  # burnt out
    kinds = {"composite": composite, "albedo": albedo, "shading": shading, "mask": mask}
    if labels:
        ids = np.full((20, 24), IDS["ground"], np.uint8)
        ids[:4], ids[4:8], ids[8:12] = IDS["sky"], IDS["pebble"], IDS["topiary"]
        kinds["labels"] = ids
    for kind, values in kinds.items():
        path = root / kind / f"{name}.mat"
        path.parent.mkdir(parents=True, exist_ok=True)
        if new:
            with h5py.File(path, "w", userblock_size=512) as file:
                file["im"] = values.T  # MATLAB's order
            with path.open("r+b") as file:  # MATLAB's own header comes before the HDF5 part
                file.write(b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM")
        else:
            savemat(path, {"im": values})


@pytest.fixture
def ned_folder(tmp_path: Path) -> Path:
    names = [f"garden_{i:03d}" for i in range(12)]
    for seed, name in enumerate(names):
        write_ned(tmp_path, name, seed, new=seed % 2 == 1)
    (tmp_path / "train_files.txt").write_text("\n".join(names[:8]) + "\n")
    (tmp_path / "test_files.txt").write_text("".join(f"{name}.mat\n" for name in names[8:]))
    return tmp_path


def ned(folder: Path, **options: Any) -> NED:
    options = {"height": 20, "width": 24, "num_workers": 0, "batch_size": 2, "val_share": 0.3, **options}
    return NED(str(folder), **options)


def test_ned(ned_folder: Path) -> None:
    data = ned(ned_folder)
    data.prepare_data()
    names = {split: [name for _, name in data.dataset(split).samples] for split in ("train", "val", "test")}
    assert names["test"] == [f"garden_{i:03d}" for i in range(8, 12)]
    assert sorted([*names["train"], *names["val"]]) == [f"garden_{i:03d}" for i in range(8)]
    assert names["train"]
    assert names["val"]
    for batch in data.test_dataloader():  # old and new format side by side
        check(batch, ["image", "albedo", "shading", "mask", "segmentation"])
        error = (srgb_to_linear(batch["image"]) - batch["albedo"] * batch["shading"]) * batch["mask"]
        assert error.abs().max() < 1e-5
        assert not batch["mask"][:, :, :4].any()
        assert not batch["mask"][:, :, 10, 10].any()
        assert batch["mask"].sum() == 2 * (16 * 24 - 1)
        rows = batch["segmentation"][0, :, 0].tolist()
        classes = [GARDEN_CLASSES[i] for i in rows]
        assert classes == ["sky"] * 4 + ["gravel"] * 4 + ["topiary"] * 4 + ["ground"] * 8


def test_ned_shrunk_keeps_the_product(ned_folder: Path) -> None:
    batch = ned(ned_folder, height=10, width=12).dataset("test").batch([0, 1])
    error = (srgb_to_linear(batch["image"]) - batch["albedo"] * batch["shading"]) * batch["mask"]
    assert error.abs().max() < 1e-5
    assert batch["mask"].sum() == 2 * (8 * 12 - 1)
    assert batch["segmentation"].shape == (2, 10, 12)


def test_ned_known_ids() -> None:
    raw = [0, 1, 2, 3, 4, 5, 6, 7, 8, 11, 20, 30, 102, 103, 104, 105, 106, 223]
    expected = [0, 1, 2, 3, 4, 4, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]
    assert garden_classes(np.array(raw), Path("x")).tolist() == expected
    assert garden_classes(np.array(raw, np.float64), Path("x")).tolist() == expected
    for odd in (9, 255, 300, -1, 1.5):
        with pytest.raises(UserError, match=f"holds the label {odd}, which is none of NED's"):
            garden_classes(np.array([1, odd]), Path("x"))


def test_ned_without_labels_and_with_pictures_of_labels(ned_folder: Path) -> None:
    labels = {path.stem: read_mat_array(path, "labels") for path in (ned_folder / "labels").iterdir()}
    expected = ned(ned_folder).dataset("test").batch([0])["segmentation"]
    for name, ids in labels.items():
        (ned_folder / "labels" / f"{name}.mat").unlink()
        Image.fromarray(ids).save(ned_folder / "labels" / f"{name}.png")
    assert torch.equal(ned(ned_folder).dataset("test").batch([0])["segmentation"], expected)
    assert "segmentation" not in ned(ned_folder, labels="none").dataset("test").batch([0])
    Image.fromarray(np.zeros((20, 24, 3), np.uint8)).save(ned_folder / "labels" / "garden_008.png")
    with pytest.raises(UserError, match="holds colours in place of ids"):
        ned(ned_folder).dataset("test").batch([0])


def test_ned_folders_of_conditions(tmp_path: Path) -> None:
    for condition in ("clear", "sunset"):
        for i in range(6):
            write_ned(tmp_path / condition, f"{i:02d}", seed=i, labels=False)
    write_ned(tmp_path / "twilight", "05", seed=7, labels=False)
    (tmp_path / "train_files.txt").write_text("00\n01\n02\n03\n")
    (tmp_path / "test_files.txt").write_text("05\nclear/04\n")
    data = ned(tmp_path)
    parts = {split: data.dataset(split) for split in ("train", "val", "test")}
    assert len(parts["train"]) + len(parts["val"]) == 8
    # a garden stays in one split in all weathers
    assert not {n for _, n in parts["train"].samples} & {n for _, n in parts["val"].samples}
    names = parts["test"].batch(range(4))["name"]
    assert names == ["clear/05", "sunset/05", "twilight/05", "clear/04"]


@pytest.mark.parametrize("name", ["train_files.txt", "composite/garden_009.mat"])
def test_ned_missing(ned_folder: Path, name: str) -> None:
    (ned_folder / name).unlink()
    with pytest.raises(UserError) as told:
        ned(ned_folder).prepare_data()
    for words in (name, "No licence is stated", "github.com/Morpheus3000/ShadingNet", "test_files.txt"):
        assert words in str(told.value)


def test_ned_bad_files(ned_folder: Path) -> None:
    data = ned(ned_folder).dataset("test")
    savemat(ned_folder / "albedo/garden_008.mat", {"im": np.ones((20, 23, 3))})
    with pytest.raises(UserError, match=r"albedo/garden_008\.mat has 23 x 20 values"):
        data.batch([0])
    savemat(ned_folder / "albedo/garden_009.mat", {"im": np.full((20, 24, 3), np.nan)})
    with pytest.raises(UserError, match="values that are not finite"):
        data.batch([1])
    savemat(ned_folder / "labels/garden_010.mat", {"im": np.ones((20, 20), np.uint8)})
    with pytest.raises(UserError, match=r"labels/garden_010\.mat has 20 x 20 values"):
        data.batch([2])
    savemat(ned_folder / "mask/garden_011.mat", {"a": np.ones((20, 24)), "b": np.ones((20, 24))})
    with pytest.raises(UserError, match="holds 2 arrays, none of them called 'mask'"):
        data.batch([3])
    (ned_folder / "mask/garden_011.mat").write_bytes(b"MATLAB 5.0 MAT-file" + bytes(200))
    with pytest.raises(UserError, match="is damaged, or no MATLAB file"):
        data.batch([3])
