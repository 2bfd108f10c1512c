"""Readers of photos with sparse labels (IIW, SAW), each on a tiny fake in the data set's true layout."""

from __future__ import annotations

import json
import os
import pickle
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from scene_fakes import (
    LANDSCAPE,
    PORTRAIT,
    SAW_SET,
    SQUARE,
    comparison,
    iiw_json,
    ramp,
    write_iiw,
    write_saw,
)

from datamodules import IIW, SAW
from datamodules.iiw import judgements
from datamodules.name_lists import read_npy_names, read_pickled_names
from datamodules.saw import shading_labels
from datamodules.size_groups import GroupSampler
from zoo.contract import check
from zoo.errors import UserError

# IIW


@pytest.fixture
def iiw_folder(tmp_path: Path) -> Path:
    shapes = [LANDSCAPE, LANDSCAPE, PORTRAIT, SQUARE]
    return write_iiw(tmp_path / "iiw", {str(i): shapes[i % 4] for i in (*range(8, 20), 100, 101, 1000)})


def iiw(folder: Path, **options: Any) -> IIW:
    return IIW(str(folder), **{"num_workers": 0, "pictures": 0, "val_share": 0.2, "batch_size": 2, **options})


def test_iiw_counts_names_as_strings(iiw_folder: Path) -> None:
    # as strings: 10 100 1000 101 11 | 12 13 14 15 16 | 17 18 19 8 9; as numbers it would be 8 13 18
    assert iiw(iiw_folder).dataset("test").names == ["10", "12", "17"]
    rest = [*iiw(iiw_folder).dataset("train").names, *iiw(iiw_folder).dataset("val").names]
    assert sorted(rest) == sorted(["100", "1000", "101", "11", "13", "14", "15", "16", "18", "19", "8", "9"])
    assert len(iiw(iiw_folder).dataset("val")) > 0


def test_iiw_batches_have_one_size(iiw_folder: Path) -> None:
    data = iiw(iiw_folder)
    data.prepare_data()
    shapes = set()
    for batch in data.train_dataloader():
        check(batch, ["image", "judgements", "mask"])
        shapes.add(tuple(batch["image"].shape[2:]))
        assert len(batch["image"]) == 2
        assert all(
            height != width or batch["image"].shape[2:] == (384, 384) for height, width in batch["original_size"]
        )
    assert shapes == {(256, 384), (384, 256), (384, 384)}


def test_iiw_test_sees_every_photo_once_and_tells_its_size(iiw_folder: Path) -> None:
    loader = iiw(iiw_folder).test_dataloader()
    batches = list(loader)
    assert sorted(name for batch in batches for name in batch["name"]) == ["10", "12", "17"]
    assert len(loader) == len(batches) == 2
    assert len(loader.dataset) == 3
    sizes = {
        name: tuple(size.tolist()) for b in batches for name, size in zip(b["name"], b["original_size"], strict=True)
    }
    assert sizes == {"10": PORTRAIT, "12": LANDSCAPE, "17": LANDSCAPE}


def test_iiw_judgements_that_count(iiw_folder: Path) -> None:
    batch = iiw(iiw_folder, height=16, width=16).dataset("test").batch([0, 1])
    expected = [[0.25, 0.5, 0.75, 0.125, 1, 0.5], [0.75, 0.125, 0.25, 0.5, 2, 1.5], [0.25, 0.5, 0.75, 0.125, 0, 0.25]]
    torch.testing.assert_close(batch["judgements"], torch.tensor([expected] * 2))


def test_iiw_points_meet_the_picture_also_when_mirrored(iiw_folder: Path) -> None:
    data = iiw(iiw_folder).dataset("train")
    mirrored = 0
    for index in range(8 * len(data)):
        batch = data.batch([index])
        x, y = batch["judgements"][0, 0, :2].tolist()
        height, width = batch["image"].shape[2:]
        red, green = batch["image"][0, :2, int(y * height), min(width - 1, int(x * width))].tolist()
        assert red == pytest.approx(0.25, abs=0.05)
        assert green == pytest.approx(0.5, abs=0.05)
        mirrored += x == 0.75
    assert 0.3 < mirrored / (8 * len(data)) < 0.7


def test_iiw_pads_judgements_to_the_longest(iiw_folder: Path) -> None:
    short = iiw_json([comparison(8, 7, "E", 1.0)])
    (iiw_folder / "data" / "12.json").write_text(json.dumps(short))
    batch = iiw(iiw_folder, height=16, width=16).dataset("test").batch([0, 1])
    assert batch["judgements"].shape == (2, 3, 6)
    assert batch["judgements"][:, :, 5].tolist() == [[0.5, 1.5, 0.25], [1.0, 0.0, 0.0]]
    (iiw_folder / "data" / "12.json").write_text(json.dumps(iiw_json([])))
    assert iiw(iiw_folder).dataset("test").batch([1])["judgements"].tolist() == [[[0.0] * 6]]


def test_iiw_dense_judgements(iiw_folder: Path) -> None:
    (iiw_folder / "long_range_data_4").mkdir()
    data = iiw(iiw_folder, pairs="dense", flip=False)
    names = data.dataset("train").names
    for name in names:
        with h5py.File(iiw_folder / "long_range_data_4" / f"{name}.h5", "w") as file:
            # MATLAB writes a (pairs, 5) matrix as (5, pairs)
            file["info/num_eq"], file["info/num_ineq"] = np.array([[1.0]]), np.array([[2.0]])
            file["info/equal"] = np.array([[0.1, 0.2, 0.3, 0.4, 0.9]]).T
            file["info/inequal"] = np.array([[0.5, 0.6, 0.7, 0.8, 1.0], [0.0, 0.1, 0.2, 0.3, 0.5]]).T
    batch = data.dataset("train").batch([0])
    expected = [[0.2, 0.1, 0.4, 0.3, 0, 0.9], [0.6, 0.5, 0.8, 0.7, 2, 1.0], [0.1, 0.0, 0.3, 0.2, 2, 0.5]]
    torch.testing.assert_close(batch["judgements"], torch.tensor([expected]))
    assert data.dataset("test").batch([0])["judgements"].shape[1] == 3  # evaluated on the original ones
    with h5py.File(iiw_folder / "long_range_data_4" / f"{names[0]}.h5", "w") as file:
        file["info/num_eq"], file["info/num_ineq"] = np.array([[0.0]]), np.array([[0.0]])
    assert data.dataset("train").batch([0])["judgements"].tolist() == [[[0.0] * 6]]
    (iiw_folder / "long_range_data_4" / f"{names[0]}.h5").write_bytes(b"no")
    with pytest.raises(UserError, match="is damaged, or holds no densified judgements"):
        data.dataset("train").batch([0])


@pytest.mark.parametrize("text", ['{"photo": 1}', "[]", "{", '{"intrinsic_points": []}'])
def test_iiw_json_without_comparisons(iiw_folder: Path, text: str) -> None:
    (iiw_folder / "data" / "10.json").write_text(text)
    with pytest.raises(UserError, match=r"10\.json (holds no comparisons|is damaged)"):
        judgements(iiw_folder / "data" / "10.json")


def test_iiw_json_whose_points_are_missing(iiw_folder: Path) -> None:
    (iiw_folder / "data" / "10.json").write_text(json.dumps(iiw_json([comparison(7, 99, "1", 1.0)])))
    with pytest.raises(UserError, match="a comparison or a point in it is not whole"):
        iiw(iiw_folder).dataset("test").batch([0])


def test_iiw_missing_or_incomplete(iiw_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError) as told:
        iiw(tmp_path / "no").prepare_data()
    for words in ("there is no photo", "opensurfaces.cs.cornell.edu", "Creative Commons", "data/<id>.json"):
        assert words in str(told.value)
    with pytest.raises(UserError, match="has 15 photos in place of 5230"):
        IIW(str(iiw_folder)).prepare_data()
    (iiw_folder / "data" / "10.json").unlink()
    with pytest.raises(UserError, match=r"there is no .*10\.json"):
        iiw(iiw_folder).dataset("test").batch([0])


def test_a_damaged_photo_is_named(iiw_folder: Path) -> None:
    file = iiw_folder / "data" / "10.png"
    file.write_bytes(file.read_bytes()[:60])
    with pytest.raises(UserError, match=r"10\.png is damaged"):
        iiw(iiw_folder).dataset("test").batch([0])


def test_iiw_with_workers_is_the_same(iiw_folder: Path) -> None:
    alone, helped = (list(iiw(iiw_folder, num_workers=n).train_dataloader()) for n in (0, 2))
    assert len(alone) == len(helped)
    for one, other in zip(alone, helped, strict=True):
        assert one["name"] == other["name"]
        torch.testing.assert_close(one["image"], other["image"], atol=1e-6, rtol=0)  # threads sum in another order


# Batches of one size


def test_group_sampler_goes_on_after_a_restart_and_shares_out_by_rank(iiw_folder: Path) -> None:
    data = iiw(iiw_folder).dataset("train")
    whole = GroupSampler(data, 2, seed=3)
    whole.set_epoch(5)
    first = list(whole)
    assert all(5 * len(data) <= index < 6 * len(data) for batch in first for index in batch)
    whole.skip = 2
    assert list(whole) == first[2:]
    whole.set_epoch(6)
    assert [[i - 6 * len(data) for i in batch] for batch in whole] != [[i - 5 * len(data) for i in b] for b in first]
    ranks = [GroupSampler(data, 2, seed=3, rank=rank, world_size=2) for rank in (0, 1)]
    for sampler in ranks:
        sampler.set_epoch(5)
    shared = [list(sampler) for sampler in ranks]
    assert len(shared[0]) == len(shared[1]) == len(ranks[0]) == len(ranks[1])
    assert [batch for pair in zip(*shared, strict=True) for batch in pair][: len(first)] == first
    for batch in first:
        assert len({data.sizes[index % len(data)] for index in batch}) == 1


def test_train_loader_of_groups_restores_its_place(iiw_folder: Path) -> None:
    loader = iiw(iiw_folder).train_dataloader()
    names = [batch["name"] for batch in loader]
    again = iiw(iiw_folder).train_dataloader()
    again.load_state_dict({"batches": 2})
    assert [batch["name"] for batch in again] == names[2:]


# SAW


@pytest.fixture
def saw_folder(tmp_path: Path) -> Path:
    return write_saw(tmp_path / "saw")


def test_saw(saw_folder: Path) -> None:
    data = SAW(str(saw_folder), batch_size=2, num_workers=0)
    data.prepare_data()
    assert [data.dataset(split).names for split in ("train", "val", "test")] == [
        ["30", "4", "100", "5"],
        ["7"],
        ["21", "3"],
    ]
    batch = next(iter(data.test_dataloader()))
    check(batch, ["image", "shading_labels", "mask"])
    assert batch["image"].shape == (2, 3, 384, 512)
    labels = batch["shading_labels"][0]
    assert labels.unique().tolist() == [0, 1, 2, 255]
    assert (labels[0, 0], labels[-1, -1], labels[200, 255], labels[200, 256]) == (0, 1, 2, 255)
    assert batch["original_size"].tolist() == [[24, 32]] * 2
    native = batch["native_shading_labels"]
    assert [tuple(each.shape) for each in native] == [(24, 32)] * 2
    assert native[0][5].tolist() == [2] * 16 + [255] * 16
    torch.testing.assert_close(batch["native_image"][0], ramp(24, 32), atol=1 / 255, rtol=0)


def test_saw_training_crops_picture_and_labels_alike(saw_folder: Path) -> None:
    data = SAW(str(saw_folder), batch_size=2, num_workers=0)
    seen = set()
    for batch in data.train_dataloader():
        assert "native_image" not in batch
        for image, labels in zip(batch["image"], batch["shading_labels"], strict=True):
            left = labels[labels.shape[0] // 2] == 2
            assert ((image[0, image.shape[1] // 2] < 0.5) == left).float().mean() > 0.98
        seen.add(tuple(batch["image"].shape[2:]))
    assert seen == {(384, 512), (512, 384)}


def test_saw_one_size_for_all(saw_folder: Path) -> None:
    batch = next(iter(SAW(str(saw_folder), batch_size=4, num_workers=0, height=16, width=16).train_dataloader()))
    assert batch["shading_labels"].shape == (4, 16, 16)


def test_saw_label_of_another_size(saw_folder: Path) -> None:
    np.save(saw_folder / f"saw_pixel_labels/{SAW_SET}/21.npy", np.zeros((24, 30), np.int64))
    with pytest.raises(UserError, match=r"21\.npy has 30 x 24 values, but 21\.png has 32 x 24 pixels"):
        SAW(str(saw_folder), num_workers=0).dataset("test").batch([0])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (np.full((24, 32), 3), "holds the label 3; 0, 1, 2 and 100 are expected"),
        (np.zeros((24, 32, 3), np.int64), "in place of a map of labels"),
        (np.array([{}], dtype=object), "is damaged, or no map of labels"),
    ],
)
def test_saw_labels_that_are_none(tmp_path: Path, content: Any, message: str) -> None:
    np.save(tmp_path / "1.npy", content)
    with pytest.raises(UserError, match=message):
        shading_labels(tmp_path / "1.npy")


@pytest.mark.parametrize(
    "name", ["saw_splits/val_ids.npy", "saw_images_512/30.png", f"saw_pixel_labels/{SAW_SET}/3.npy"]
)
def test_saw_missing(saw_folder: Path, name: str) -> None:
    (saw_folder / name).unlink()
    with pytest.raises(UserError) as told:
        SAW(str(saw_folder)).prepare_data()
    for words in (name.split("/")[-1], "NYU", "github.com/kovibalu/saw_release", "saw_pixel_labels"):
        assert words in str(told.value)


# Lists


def test_ids_of_any_kind(tmp_path: Path) -> None:
    for number, ids in enumerate((np.array([3, 12]), np.array(["3", "12"]), np.array([b"3", b"12"]))):
        np.save(tmp_path / f"{number}.npy", ids)
        assert read_npy_names(tmp_path / f"{number}.npy") == ["3", "12"]
    np.save(tmp_path / "bad.npy", np.array([None]), allow_pickle=True)
    with pytest.raises(UserError, match="holds objects in place of ids"):
        read_npy_names(tmp_path / "bad.npy")


@pytest.mark.parametrize("protocol", [0, 1, 2, 5])
def test_pickled_names(tmp_path: Path, protocol: int) -> None:
    (tmp_path / "p").write_bytes(pickle.dumps([["a/1.png"], ["b/2.png", "c"]], protocol=protocol))
    assert read_pickled_names(tmp_path / "p") == ["a/1.png", "b/2.png", "c"]


def test_names_as_python_2_writes_them(tmp_path: Path) -> None:
    # pickle.dumps(['a/1.png', u'b']) in Python 2.7, protocol 0 and 2
    (tmp_path / "0").write_bytes(b"(lp0\nS'a/1.png'\np1\naVb\np2\na.")
    (tmp_path / "2").write_bytes(b"\x80\x02]q\x00(U\x07a/1.pngq\x01X\x01\x00\x00\x00bq\x02e.")
    assert read_pickled_names(tmp_path / "0") == read_pickled_names(tmp_path / "2") == ["a/1.png", "b"]


class _Evil:
    def __init__(self, place: Path) -> None:
        self.place = place

    def __reduce__(self) -> tuple[Any, ...]:
        return (os.mkdir, (str(self.place),))


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_a_malicious_pickle_is_refused(tmp_path: Path, protocol: int) -> None:
    (tmp_path / "p").write_bytes(pickle.dumps([_Evil(tmp_path / "made")], protocol=protocol))
    with pytest.raises(UserError, match=r"was refused: it is a pickle that asks for (posix|nt)\.mkdir"):
        read_pickled_names(tmp_path / "p")
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize(
    "content", [b"", b"\x80\x02]q\x00(U\x07a/", b"no pickle", pickle.dumps([1, 2]), pickle.dumps({})]
)
def test_a_damaged_pickle_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "p").write_bytes(content)
    with pytest.raises(UserError, match=r"is damaged, cut off, or no pickle|holds no list of names"):
        read_pickled_names(tmp_path / "p")
