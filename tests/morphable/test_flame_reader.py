"""FLAME on a tiny fake: npz, the pickle of Python 2 and 3, joints, landmarks, and pickles that must be refused."""

from __future__ import annotations

import collections
import os
import pickle
import struct
import sys
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse
import torch
from scipy.spatial.transform import Rotation

from zoo.errors import UserError
from zoo.morphable import MorphableModel
from zoo.morphable.readers.flame import read_flame
from zoo.morphable.readers.pickled import read_pickle

COUNT, KI, KE = 120, 6, 4


def tiny_flame() -> dict[str, Any]:
    """A skin of 60 vertices and two eyeballs of 30, in metres, with the keys and types of the files."""
    rng = np.random.default_rng(3)
    skin = rng.normal(0, 0.1, (60, 3))
    ball = rng.normal(size=(30, 3))
    ball = 0.012 * ball / np.linalg.norm(ball, axis=1, keepdims=True)
    ball[0] = 0, 0, 0.012  # someone looks ahead
    side = np.array([0.03, 0, 0.08])
    mean = np.concatenate([skin, ball + side, ball + side * [-1, 1, 1]])
    weights = np.zeros((COUNT, 5))
    weights[:60, :3] = rng.dirichlet([1, 1, 1], 60)
    weights[60:90, 3] = weights[90:, 4] = 1
    return {
        "v_template": mean,
        "f": np.stack([np.arange(118), np.arange(1, 119), np.arange(2, 120)], 1).astype(np.uint32),
        "shapedirs": rng.normal(0, 0.003, (COUNT, 3, KI + KE)),
        "posedirs": rng.normal(0, 0.001, (COUNT, 3, 36)),
        "J_regressor": rng.dirichlet(np.ones(COUNT), 5),
        "kintree_table": np.array([[2**32 - 1, 0, 1, 1, 1], [0, 1, 2, 3, 4]], np.uint32),
        "weights": weights,
    }


def read(path: Path) -> MorphableModel:
    return MorphableModel(read_flame(path, n_identity=KI))


@pytest.fixture
def npz(tmp_path: Path) -> Path:
    np.savez(tmp_path / "flame2023_Open.npz", **tiny_flame())
    return tmp_path / "flame2023_Open.npz"


@pytest.fixture
def chumpy() -> Iterator[type]:
    """A class that pickles as chumpy's arrays do: numbers under x, beside a set and some other state."""

    class Ch:
        def __init__(self, x: np.ndarray) -> None:
            self.__dict__.update(x=x, _dirty_vars={"x"}, _itr=None, _status="new", _cache_info={})

    Ch.__module__, Ch.__qualname__ = "chumpy.ch", "Ch"
    package, module = types.ModuleType("chumpy"), types.ModuleType("chumpy.ch")
    module.Ch = Ch  # type: ignore[attr-defined]
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "chumpy", package)
        patch.setitem(sys.modules, "chumpy.ch", module)
        yield Ch


def with_chumpy(chumpy: type, raw: dict[str, Any]) -> dict[str, Any]:
    changed = {key: chumpy(raw[key]) for key in ("v_template", "shapedirs", "weights")}
    changed["J_regressor"] = scipy.sparse.csc_matrix(raw["J_regressor"])
    return raw | changed | {"bs_style": "lbs", "bs_type": b"lrotmin", "J": chumpy(np.zeros((5, 3)))}


def write_pickle(path: Path, content: object, protocol: int) -> Path:
    path.write_bytes(pickle.dumps(content, protocol))
    return path


def test_npz_is_read_in_parts(npz: Path) -> None:
    raw, model = tiny_flame(), read(npz)
    assert (model.n_identity, model.n_expression, model.n_joints) == (KI, KE, 5)
    np.testing.assert_allclose(model.data.identity_basis, raw["shapedirs"][..., :KI], rtol=1e-6)
    np.testing.assert_allclose(model.data.expression_basis, raw["shapedirs"][..., KI:], rtol=1e-6)
    np.testing.assert_array_equal(model.data.triangles, raw["f"])
    assert model.metres_per_unit == 1.0
    assert not model.has_albedo


def test_three_hundred_shapes_are_identity_by_default(tmp_path: Path) -> None:
    raw = tiny_flame() | {"shapedirs": np.zeros((COUNT, 3, 400))}
    np.savez(tmp_path / "m.npz", **raw)
    data = read_flame(tmp_path / "m.npz")
    assert (data.identity_basis.shape[-1], data.expression_basis.shape[-1]) == (300, 100)


def test_eyeballs_are_known_from_their_joints(npz: Path) -> None:
    data = read_flame(npz)
    assert not data.vertices_of("sclera", "iris", "pupil")[:60].any()
    assert data.vertices_of("sclera", "iris", "pupil")[60:].all()
    assert np.flatnonzero(data.vertices_of("pupil")).tolist() == [60, 90]


@pytest.mark.parametrize("protocol", [0, 1, 2, 4, 5])
def test_the_pickle_gives_what_the_npz_gives(tmp_path: Path, npz: Path, chumpy: type, protocol: int) -> None:
    file = write_pickle(tmp_path / "generic_model.pkl", with_chumpy(chumpy, tiny_flame()), protocol)
    ours, theirs = read(file).data, read(npz).data
    for key in ("mean", "identity_basis", "expression_basis", "triangles", "labels"):
        np.testing.assert_array_equal(getattr(ours, key), getattr(theirs, key))
    assert ours.rig is not None
    assert theirs.rig is not None
    np.testing.assert_array_equal(ours.rig.parents, [-1, 0, 1, 1, 1])
    np.testing.assert_allclose(ours.rig.joint_regressor, theirs.rig.joint_regressor)
    np.testing.assert_array_equal(ours.rig.skinning_weights, theirs.rig.skinning_weights)


def python2_array(array: np.ndarray, order: str = "<") -> bytes:
    """An array as Python 2's cPickle wrote it, raw bytes in a plain string."""

    def text(value: bytes) -> bytes:
        return b"T" + struct.pack("<i", len(value)) + value

    code = array.dtype.str[1:].encode()
    data = array.astype(array.dtype.newbyteorder(order)).tobytes()
    shape = b"(" + b"".join(b"J" + struct.pack("<i", size) for size in array.shape) + b"t"
    dtype = b"cnumpy\ndtype\n(" + text(code) + b"K\x00K\x01tR(K\x03" + text(order.encode())
    dtype += b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
    head = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\x00t" + text(b"b") + b"tR"
    return head + b"(K\x01" + shape + dtype + b"\x89" + text(data) + b"tb"


@pytest.mark.parametrize("order", ["<", ">"])
def test_strings_of_python_2_are_bytes(tmp_path: Path, order: str) -> None:
    array = np.random.default_rng(0).normal(size=(4, 3))
    dirty = b"U\x0b_dirty_varsc__builtin__\nset\n(](U\x01xetR"
    chumpy = b"cchumpy.ch\nCh\n)\x81}(U\x01x" + python2_array(array, order) + dirty + b"ub"
    (tmp_path / "m.pkl").write_bytes(b"\x80\x02}(U\x01a" + python2_array(array, order) + b"U\x01b" + chumpy + b"u.")
    content = read_pickle(tmp_path / "m.pkl", "a test")
    np.testing.assert_array_equal(content["a"], array)
    np.testing.assert_array_equal(content["b"], array)


def test_every_kind_of_array_survives(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    dense = rng.normal(size=(4, 6)) * (rng.uniform(size=(4, 6)) > 0.5)
    arrays = {
        "fortran": np.asfortranarray(dense),
        "empty": np.zeros((0, 3), np.float32),
        "ints": np.arange(5, dtype=np.uint16),
        "flags": dense > 0,
    }
    kinds = ("csc_matrix", "csr_matrix", "coo_matrix", "csc_array", "csr_array")
    matrices = {kind: getattr(scipy.sparse, kind)(dense) for kind in kinds}
    content = read_pickle(write_pickle(tmp_path / "m.pkl", {**arrays, **matrices, "one": np.float64(2.5)}, 4), "a test")
    for key, array in arrays.items():
        np.testing.assert_array_equal(content[key], array)
        assert content[key].dtype == array.dtype
    for kind in kinds:
        np.testing.assert_array_equal(content[kind], dense)
    assert content["one"] == 2.5


# joints


def test_a_pose_of_zeros_changes_nothing(npz: Path) -> None:
    model = read(npz)
    identity = torch.randn(2, KI)
    posed = model(identity, pose=torch.zeros(2, 5, 3))["vertices"]
    torch.testing.assert_close(posed, model(identity)["vertices"], atol=1e-6, rtol=0)


def test_skinning_equals_a_loop_over_vertices(npz: Path) -> None:
    raw, model = tiny_flame(), read(npz).double()
    rng = np.random.default_rng(7)
    betas, angles = rng.normal(size=KI + KE), rng.normal(0, 0.4, (5, 3))
    shaped = raw["v_template"] + raw["shapedirs"] @ betas
    joints = raw["J_regressor"] @ shaped
    turns = Rotation.from_rotvec(angles).as_matrix()
    posed = shaped + raw["posedirs"] @ (turns[1:] - np.eye(3)).reshape(-1)
    worlds: list[np.ndarray] = []
    for j, parent in enumerate([-1, 0, 1, 1, 1]):
        local = np.eye(4)
        local[:3, :3], local[:3, 3] = turns[j], joints[j] - (joints[parent] if j else 0)
        worlds.append(worlds[parent] @ local if j else local)
    expected = np.zeros((COUNT, 3))
    for v in range(COUNT):
        for j in range(5):
            there = worlds[j] @ np.append(posed[v] - joints[j], 1)
            expected[v] += raw["weights"][v, j] * there[:3]
    a, b = torch.from_numpy(betas[None, :KI]), torch.from_numpy(betas[None, KI:])
    ours = model(a, b, pose=torch.from_numpy(angles[None]))["vertices"][0]
    np.testing.assert_allclose(ours, expected, atol=1e-7)  # the file's numbers were rounded to float32


def test_the_eye_joint_turns_its_eyeball_alone(npz: Path) -> None:
    model = read(npz)
    model.pose_basis.zero_()
    pose = torch.zeros(1, 5, 3)
    pose[0, 3, 1] = 0.3
    change = (model(pose=pose)["vertices"] - model()["vertices"]).norm(dim=-1)[0]
    assert change[60:90].max() > 1e-3
    assert change[:60].max() < 1e-6
    assert change[90:].max() < 1e-6


def test_pose_has_gradients_at_zero_and_elsewhere(npz: Path) -> None:
    model = read(npz).double()
    for start in (torch.zeros(1, 5, 3), torch.randn(1, 5, 3)):
        pose = start.double().requires_grad_()
        assert torch.autograd.gradcheck(lambda p: model.pose(model.shape(), p)[:, ::17], pose, atol=1e-6)


def test_a_pose_of_the_wrong_size_is_told(npz: Path) -> None:
    with pytest.raises(UserError, match=r"\(B, 5, 3\)"):
        read(npz)(pose=torch.zeros(1, 3))


# landmarks


def write_landmarks(folder: Path) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    rng = np.random.default_rng(9)
    inner = {"lmk_face_idx": rng.integers(0, 118, 51).astype(np.uint32), "lmk_b_coords": rng.dirichlet([1, 1, 1], 51)}
    contour = {"lmk_face_idx": rng.integers(0, 118, (79, 17)), "lmk_b_coords": rng.dirichlet([1, 1, 1], (79, 17))}
    write_pickle(folder / "flame_static_embedding.pkl", inner, 2)
    np.save(folder / "flame_dynamic_embedding.npy", np.array(contour), allow_pickle=True)
    return inner, contour


def test_landmarks_are_absent_without_their_files(npz: Path) -> None:
    assert "landmarks" not in read(npz)()


def test_landmarks_are_contour_then_inner_points(npz: Path) -> None:
    inner, contour = write_landmarks(npz.parent)
    model, raw = read(npz), tiny_flame()
    landmarks = model()["landmarks"][0]
    for i, (face, weights) in enumerate(zip(contour["lmk_face_idx"][0], contour["lmk_b_coords"][0], strict=True)):
        np.testing.assert_allclose(landmarks[i], weights @ raw["v_template"][raw["f"][face]], atol=1e-6)
    for i, (face, weights) in enumerate(zip(inner["lmk_face_idx"], inner["lmk_b_coords"], strict=True)):
        np.testing.assert_allclose(landmarks[17 + i], weights @ raw["v_template"][raw["f"][face]], atol=1e-6)
    assert model.landmark_indices is not None
    assert model.landmark_indices.shape == (68,)
    assert model.data.extras["contour_vertices"].shape == (79, 17, 3)


def test_landmark_files_of_another_kind_are_told(npz: Path) -> None:
    write_landmarks(npz.parent)
    write_pickle(npz.parent / "flame_static_embedding.pkl", {"something": 1}, 2)
    with pytest.raises(UserError, match=r"flame_static_embedding\.pkl' lacks lmk_face_idx"):
        read(npz)
    np.save(npz.parent / "flame_dynamic_embedding.npy", np.zeros((79, 17)))
    with pytest.raises(UserError, match="plain numbers"):
        read(npz)


# what must be refused


class Calls:
    """Pickles as a call."""

    def __init__(self, function: Callable[..., Any], *args: object) -> None:
        self.call = function, args

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[object, ...]]:
        return self.call


@pytest.mark.parametrize("protocol", [0, 2, 4])
@pytest.mark.parametrize("place", ["root", "value", "key", "inside chumpy", "dtype"])
def test_a_pickle_with_code_is_refused_and_nothing_runs(
    tmp_path: Path, chumpy: type, protocol: int, place: str
) -> None:
    trap = tmp_path / "trap"
    bomb = Calls(os.mkdir, str(trap))
    model: dict[Any, Any] = with_chumpy(chumpy, tiny_flame())
    content = {
        "root": bomb,
        "value": model | {"v_template": bomb},
        "key": {bomb: 1, **model},
        "inside chumpy": model | {"v_template": chumpy(bomb)},  # type: ignore[dict-item]
        "dtype": model | {"v_template": Calls(np.dtype, bomb)},
    }[place]
    file = write_pickle(tmp_path / "flame2020.pkl", content, protocol)
    with pytest.raises(UserError, match=r"was refused.*mkdir"):
        read_flame(file)
    assert not trap.exists()
    pickle.loads(file.read_bytes())  # the trap is a real one: opened the usual way it snaps
    assert trap.exists()


@pytest.mark.parametrize(
    "function",
    [eval, exec, getattr, __import__, os.system, pickle.loads, np.load, np.frombuffer, collections.OrderedDict],
)
def test_other_names_are_refused(tmp_path: Path, function: Callable[..., Any]) -> None:
    file = write_pickle(tmp_path / "m.pkl", {"v_template": Calls(function, "1")}, 2)
    with pytest.raises(UserError, match="was refused"):
        read_flame(file)


@pytest.mark.parametrize(
    "program",
    [
        b"cchumpy.ch\nCh\n}(U\x01xK\x01ub.",  # state for a class
        b"cchumpy.ch\nCh\n(N}U\x04nameK\x01sub.",  # attributes for a class
        b"cchumpy.ch\nCh\n)\x81(N}U\x04argsK\x01stb.",  # attributes for a record
        b"cnumpy.core.multiarray\nscalar\n(K\x01tR.",
        b"ccopy_reg\n_reconstructor\n(cos\nsystem\nc__builtin__\nobject\nNtR.",
        b"P0\n.",  # a persistent id
        b"\x82\x01.",  # an extension
        b"K\x01.",
        b"",
        b"not a pickle",
    ],
)
def test_odd_programs_are_refused_with_a_sentence(tmp_path: Path, program: bytes) -> None:
    (tmp_path / "m.pkl").write_bytes(program)
    with pytest.raises(UserError, match=r"m\.pkl'"):
        read_flame(tmp_path / "m.pkl")


def test_lying_arrays_are_refused(tmp_path: Path) -> None:
    honest = python2_array(np.zeros((4, 3)))
    for lie in (
        honest.replace(b"J" + struct.pack("<i", 4), b"J" + struct.pack("<i", 2**30)),
        honest.replace(b"J" + struct.pack("<i", 4), b"J" + struct.pack("<i", -7)),
        honest.replace(b"T\x02\x00\x00\x00f8", b"T\x02\x00\x00\x00O8"),
        honest.replace(b"T\x02\x00\x00\x00f8", b"T\x02\x00\x00\x00V8"),
    ):
        assert lie != honest
        (tmp_path / "m.pkl").write_bytes(b"\x80\x02}U\nv_template" + lie + b"s.")
        with pytest.raises(UserError, match=r"m\.pkl'"):
            read_flame(tmp_path / "m.pkl")


@pytest.mark.parametrize("share", [0.01, 0.4, 0.99])
@pytest.mark.parametrize("kind", ["npz", "pkl"])
def test_a_file_cut_off_is_refused(tmp_path: Path, npz: Path, chumpy: type, kind: str, share: float) -> None:
    file = npz if kind == "npz" else write_pickle(tmp_path / "m.pkl", with_chumpy(chumpy, tiny_flame()), 2)
    whole = file.read_bytes()
    file.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(UserError, match="damaged, cut off"):
        read_flame(file)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"weights": np.zeros((COUNT, 4))}, "do not fit"),
        ({"shapedirs": np.zeros((7, 3, 5))}, "do not fit"),
        ({"kintree_table": np.array([[0, 3, 1, 1, 1], [0, 1, 2, 3, 4]])}, "kintree_table has the parents"),
        ({"f": np.array([[0, 1, COUNT]])}, "'triangles'"),
    ],
)
def test_wrong_content_is_named(tmp_path: Path, changes: dict[str, np.ndarray], said: str) -> None:
    np.savez(tmp_path / "m.npz", **(tiny_flame() | changes))
    with pytest.raises(UserError, match=said):
        read_flame(tmp_path / "m.npz")


def test_another_models_file_is_told_apart(tmp_path: Path) -> None:
    np.savez(tmp_path / "m.npz", v_template=np.zeros((3, 3)))
    with pytest.raises(UserError, match="lacks f, shapedirs"):
        read_flame(tmp_path / "m.npz")
    file = write_pickle(tmp_path / "m.pkl", {"v_template": np.zeros((3, 3))}, 2)
    with pytest.raises(UserError, match="lacks f, shapedirs"):
        read_flame(file)
