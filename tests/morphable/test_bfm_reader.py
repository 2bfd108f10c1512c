"""The Deep3DFace cut of BFM: against the authors' decoder where the fixture lies beside us, and on a tiny fake."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest
import scipy.io
import torch

from zoo.errors import UserError
from zoo.morphable import MorphableModel
from zoo.morphable.readers.bfm import read_bfm

COUNT = 90


def tiny_bfm() -> dict[str, np.ndarray]:
    """The keys of the file, 1-based, with a front subset that starts at vertex 20."""
    rng = np.random.default_rng(1)
    front = np.arange(20, 80)
    return {
        "meanshape": rng.normal(size=(1, 3 * COUNT)),
        "idBase": rng.normal(size=(3 * COUNT, 6)),
        "exBase": rng.normal(size=(3 * COUNT, 5)),
        "meantex": rng.uniform(80, 200, (1, 3 * COUNT)),
        "texBase": rng.normal(size=(3 * COUNT, 4)),
        "tri": np.stack([np.arange(1, 81), np.arange(2, 82), np.arange(3, 83)], 1),
        "point_buf": np.full((COUNT, 8), 81),
        "tri_mask2": np.stack([np.arange(1, 31), np.arange(2, 32), np.arange(3, 33)], 1),
        "frontmask2_idx": (front + 1)[:, None],
        "skinmask": (np.arange(COUNT) % 2)[None],
        "keypoints": np.arange(1, 69)[None],
    }


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "BFM_model_front.mat"
    scipy.io.savemat(path, tiny_bfm())
    return path


def test_what_was_written_is_read(file: Path) -> None:
    raw, data = tiny_bfm(), read_bfm(file)
    np.testing.assert_allclose(data.mean, raw["meanshape"].reshape(-1, 3), rtol=1e-6)
    np.testing.assert_allclose(data.identity_basis[7, 2], raw["idBase"][7 * 3 + 2], rtol=1e-6)
    np.testing.assert_allclose(data.expression_basis[7, 1], raw["exBase"][7 * 3 + 1], rtol=1e-6)
    np.testing.assert_allclose(data.albedo_mean * 255, raw["meantex"].reshape(-1, 3), rtol=1e-5)
    np.testing.assert_allclose(data.albedo_basis[7, 0] * 255, raw["texBase"][7 * 3], rtol=1e-5)
    assert data.metres_per_unit == 0.1
    assert "non-commercial" in data.licence


def test_indices_become_zero_based(file: Path) -> None:
    data = read_bfm(file)
    assert data.triangles[0].tolist() == [0, 1, 2]
    assert data.landmark_indices is not None
    assert data.landmark_indices.tolist() == list(range(68))
    assert (data.extras["point_buf"] == 80).all()  # the zero normal appended after 80 triangles
    assert data.extras["skinmask"].tolist() == [bool(i % 2) for i in range(COUNT)]


def test_the_front_mask_is_mapped_to_the_full_model(file: Path) -> None:
    extras = read_bfm(file).extras
    assert extras["tri_mask2"][0].tolist() == [0, 1, 2]
    assert extras["front_triangles"][0].tolist() == [20, 21, 22]


@pytest.mark.parametrize("name", ["BFM_model_front.mat", "BFM09_model_info.mat"])
def test_a_folder_is_searched_for_either_name(tmp_path: Path, name: str) -> None:
    scipy.io.savemat(tmp_path / name, tiny_bfm())
    assert MorphableModel.load(f"bfm:{tmp_path}").n_identity == 6


def test_colours_become_linear(file: Path) -> None:
    model = MorphableModel.load(f"bfm:{file}")
    srgb = tiny_bfm()["meantex"].reshape(-1, 3) / 255
    np.testing.assert_allclose(model()["albedo"][0], ((srgb + 0.055) / 1.055) ** 2.4, atol=1e-5)


def test_extras_may_be_absent(tmp_path: Path) -> None:
    needed = ("meanshape", "idBase", "exBase", "meantex", "texBase", "tri", "keypoints")
    scipy.io.savemat(tmp_path / "m.mat", {key: value for key, value in tiny_bfm().items() if key in needed})
    assert read_bfm(tmp_path / "m.mat").extras == {}


@pytest.mark.parametrize("share", [0.02, 0.3, 0.95])
def test_a_file_cut_off_is_refused(file: Path, share: float) -> None:
    whole = file.read_bytes()
    file.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(UserError, match=r"BFM_model_front\.mat'"):
        read_bfm(file)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"idBase": np.zeros((5, 6))}, "'idBase'"),
        ({"meanshape": np.zeros((1, 100))}, "'meanshape'"),
        ({"tri": np.arange(9).reshape(3, 3)}, "'tri'.* from 0 "),
        ({"tri": np.array([[1, 2, 91]])}, "'tri'.*1 to 90"),
        ({"keypoints": np.arange(1, 52)[None]}, "'landmark_indices'"),
        ({"skinmask": np.ones((1, 5))}, "'skinmask'"),
        ({"tri_mask2": np.array([[1, 2, 61]])}, "'tri_mask2'.*1 to 60"),
        ({"meantex": np.array(["text"])}, "'meantex'"),
    ],
)
def test_wrong_content_is_named(tmp_path: Path, changes: dict[str, np.ndarray], said: str) -> None:
    scipy.io.savemat(tmp_path / "m.mat", tiny_bfm() | changes)
    with pytest.raises(UserError, match=said):
        read_bfm(tmp_path / "m.mat")


def test_another_matlab_file_is_told_apart(tmp_path: Path) -> None:
    scipy.io.savemat(tmp_path / "01_MorphableModel.mat", {"shapeMU": np.zeros(3), "shapePC": np.zeros(3)})
    with pytest.raises(UserError, match=r"lacks meanshape.*holds shapeMU"):
        read_bfm(tmp_path / "01_MorphableModel.mat")


def test_shape_and_texture_are_the_authors(shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The part of ``deep3d_decoder`` that belongs to the model: sums of mean and bases, and what the extras hold."""
    golden = shared / "golden"
    monkeypatch.syspath_prepend(golden)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    spec = importlib.util.spec_from_file_location("synthetic_bfm", golden / "synthetic_bfm.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    scipy.io.savemat(tmp_path / "BFM_model_front.mat", module.synthetic_bfm(1))
    ref = np.load(golden / "deep3d_decoder.npz")

    model = MorphableModel.load(f"bfm:{tmp_path}")
    coefficients = torch.from_numpy(ref["in.coeff"])
    identity, expression, texture = coefficients[:, :80], coefficients[:, 80:144], coefficients[:, 144:224]
    shape = model.shape(identity, expression)
    recentred = shape - model.mean.mean(0)  # the decoder's own step
    np.testing.assert_allclose(recentred, ref["out.shape"], atol=4e-5, rtol=1e-4)
    np.testing.assert_allclose(model.raw_texture(texture), ref["out.texture"], atol=1e-5, rtol=1e-4)
    np.testing.assert_array_equal(model.data.extras["skinmask"], ref["out.skin_mask_values"] > 0)
    assert {tuple(sorted(t)) for t in model.data.extras["front_triangles"].tolist()} <= {
        tuple(sorted(t)) for t in model.data.triangles.tolist()
    }
