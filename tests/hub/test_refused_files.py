"""Files that are no good, or mean harm: one sentence each, and nothing in them runs."""

from __future__ import annotations

import os
import pickle
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from zoo.checkpoints import read_checkpoint
from zoo.errors import UserError

STATE = {"layer.weight": torch.rand(64, 64), "layer.bias": torch.rand(64)}


class Harm:
    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple:
        return os.mkdir, (str(self.mark),)


def message_of(path: Path) -> str:
    with pytest.raises(UserError) as caught:
        read_checkpoint(path)
    message = str(caught.value)
    assert str(path) in message
    assert "\n" not in message
    return message


@pytest.mark.parametrize("kind", ["zip", "legacy", "pickle 4", "pickle 0"])
def test_pickle_with_code_is_refused_and_not_run(tmp_path: Path, kind: str) -> None:
    path, mark = tmp_path / "harm.pth", tmp_path / "ran"
    content = {"state_dict": STATE, "extra": Harm(mark)}
    if kind.startswith("pickle"):
        path.write_bytes(pickle.dumps(Harm(mark), protocol=int(kind[-1])))
    else:
        torch.save(content, path, _use_new_zipfile_serialization=kind == "zip")
    message = message_of(path)
    assert "pickle with code in it: it wants to call posix.mkdir" in message
    assert not mark.exists()
    pickle.loads(pickle.dumps(Harm(mark)))  # the file would have done it
    assert mark.exists()


def test_whole_module_is_refused_by_name(tmp_path: Path) -> None:
    torch.save(torch.nn.Linear(2, 2), tmp_path / "module.pth")
    assert "torch.nn.modules.linear.Linear" in message_of(tmp_path / "module.pth")


def make(kind: str, path: Path) -> None:
    if kind == "safetensors":
        save_file(STATE, path)
    elif kind == "h5":
        with h5py.File(path, "w") as file:
            for key, value in STATE.items():
                file[f"data/{key}"] = value.numpy()
    else:
        torch.save(STATE, path, _use_new_zipfile_serialization=kind == "zip")


@pytest.mark.parametrize("share", [0.999, 0.5, 0.05])
@pytest.mark.parametrize("kind", ["safetensors", "h5", "zip", "legacy"])
def test_file_cut_short(tmp_path: Path, kind: str, share: float) -> None:
    suffix = {"safetensors": ".safetensors", "h5": ".h5"}.get(kind, ".pth")
    whole, cut = tmp_path / f"whole{suffix}", tmp_path / f"cut{suffix}"
    make(kind, whole)
    assert len(read_checkpoint(whole).state) == 2
    content = whole.read_bytes()
    cut.write_bytes(content[: int(len(content) * share)])
    assert "cut short or damaged" in message_of(cut)


@pytest.mark.parametrize("start", [b"\x80\x02", b"PK", b"<h"])
def test_safetensors_whose_length_looks_like_another_signature(tmp_path: Path, start: bytes) -> None:
    path, header = tmp_path / "net.safetensors", b'{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}'
    length = int.from_bytes(start, "little")
    content = length.to_bytes(8, "little") + header.ljust(length) + np.float32([1, 2]).tobytes()
    path.write_bytes(content)
    assert read_checkpoint(path).state["a"].tolist() == [1, 2]
    path.write_bytes(content[:-1])
    assert "it starts as safetensors" in message_of(path)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b"<!DOCTYPE html><html>Too many downloads", "web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid", "git lfs pull"),
        (b"\xff\xd8\xff\xe0 a picture", "is no checkpoint"),
    ],
)
def test_what_is_no_checkpoint(tmp_path: Path, content: bytes, words: str) -> None:
    (tmp_path / "net.pth").write_bytes(content)
    expected = words if content[:1] != b"\xff" else "cut short or damaged"
    assert expected in message_of(tmp_path / "net.pth")
    (tmp_path / "net.dat").write_bytes(content)
    assert words in message_of(tmp_path / "net.dat")


def test_missing_file_and_folder(tmp_path: Path) -> None:
    assert "there is no file" in message_of(tmp_path / "none.ckpt")
    assert "is a folder" in message_of(tmp_path)


def test_program_is_no_checkpoint(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "net.pt", "w") as archive:
        archive.writestr("net/data.pkl", b"\x80\x02}.")
        archive.writestr("net/constants.pkl", b"\x80\x02).")
    assert "holds a program" in message_of(tmp_path / "net.pt")


def test_no_tensors(tmp_path: Path) -> None:
    torch.save({"epoch": 3}, tmp_path / "empty.pth")
    assert "holds no tensors" in message_of(tmp_path / "empty.pth")


def test_numpy_values_beside_tensors_are_read(tmp_path: Path) -> None:
    torch.save({"state_dict": STATE, "best": np.float64(31.4), "curve": np.arange(3)}, tmp_path / "net.pth")
    assert set(read_checkpoint(tmp_path / "net.pth").state) == set(STATE)


def test_networks_side_by_side_keep_their_names(tmp_path: Path) -> None:
    torch.save({"net_a": STATE, "net_b": STATE, "epoch": 2}, tmp_path / "net.pth")
    assert "net_b.layer.bias" in read_checkpoint(tmp_path / "net.pth").state
    torch.save({"params_ema": STATE}, tmp_path / "one.pth")
    assert set(read_checkpoint(tmp_path / "one.pth").state) == set(STATE)
