"""ICT-FaceKit: a tiny fake of the cloned folder, and the real model where it lies beside us."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from zoo.errors import UserError
from zoo.morphable import MorphableData, MorphableModel
from zoo.morphable.readers.ict import LABELS, compile_ict, read_ict
from zoo.morphable.readers.obj import read_obj, read_obj_vertices

EXPRESSIONS = ("jawOpen", "mouthSmile_L")
SIDE = 10


def write_obj(path: Path, vertices: np.ndarray) -> None:
    """A wall of SIDE x SIDE vertices: quads of two materials, the last one as two triangles."""
    lines = ["# a fake", "mtllib fake.mtl", *(f"v {x:.6f} {y:.6f} {z:.6f}" for x, y, z in vertices)]
    lines += [f"vt {(i % SIDE) / (SIDE - 1):.6f} {i // SIDE / (SIDE - 1):.6f}" for i in range(SIDE * SIDE)]
    lines.append("vn 0 0 1")
    cells = [(r * SIDE + c, r * SIDE + c + 1) for r in range(SIDE - 1) for c in range(SIDE - 1)]
    for n, (a, b) in enumerate(cells):
        if n in (0, 60):
            lines.append("usemtl M_Face" if n == 0 else "usemtl M_EyeLashes")
        corners = [a, a + SIDE, b + SIDE, b]
        for polygon in [corners] if n < 80 else [corners[:3], [corners[0], corners[2], corners[3]]]:
            lines.append("f " + " ".join(f"{i + 1}/{i + 1}/1" for i in polygon))
    path.write_text("\n".join(lines) + "\n")


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole clone in small: 100 identities and two expressions."""
    root = tmp_path_factory.mktemp("ICT-FaceKit")
    folder = root / "FaceXModel"
    folder.mkdir()
    rng = np.random.default_rng(2)
    y, x = np.meshgrid(np.linspace(5, -5, SIDE), np.linspace(-5, 5, SIDE), indexing="ij")
    mean = np.stack([x, y, np.zeros_like(x)], -1).reshape(-1, 3)
    write_obj(folder / "generic_neutral_mesh.obj", mean)
    for name in [*(f"identity{i:03d}" for i in range(100)), *EXPRESSIONS]:
        write_obj(folder / f"{name}.obj", mean + rng.normal(0, 0.3, mean.shape))
    lists = {"expressions": EXPRESSIONS, "idx_to_landmark_verts": list(range(68))}
    (folder / "vertex_indices.json").write_text(json.dumps(lists))
    return root


def copy_of(clone: Path, target: Path, *leave_out: str) -> Path:
    target.mkdir()
    for file in (clone / "FaceXModel").iterdir():
        if file.name not in leave_out:
            (target / file.name).write_bytes(file.read_bytes())
    return target


def test_modes_are_differences_of_meshes(clone: Path) -> None:
    data = read_ict(clone)
    assert data.identity_basis.shape == (SIDE * SIDE, 3, 100)
    assert data.expression_names == EXPRESSIONS
    assert data.expression_prior == "unit"
    smile, _ = read_obj_vertices(clone / "FaceXModel" / "mouthSmile_L.obj")
    one = torch.tensor([[0.0, 1.0]])
    np.testing.assert_allclose(MorphableModel(data).shape(expression=one)[0], smile, atol=1e-5)


def test_quads_become_two_triangles_and_keep_their_winding(clone: Path) -> None:
    mesh = read_obj(clone / "FaceXModel" / "generic_neutral_mesh.obj")
    assert mesh.triangles[:2].tolist() == [[0, 10, 11], [0, 11, 1]]
    assert len(mesh.triangles) == 2 * (SIDE - 1) ** 2
    assert (MorphableModel.load(f"ict:{clone}")()["normals"][0, :, 2] > 0.99).sum() > 60


def test_overlays_are_left_out_unless_asked_for(clone: Path) -> None:
    shown, everything = read_ict(clone), read_ict(clone, overlays=True)
    assert len(shown.triangles) == 120
    assert len(everything.triangles) == 162
    assert len(shown.mean) == len(everything.mean) == SIDE * SIDE
    assert len(shown.extras["uv_triangles"]) == len(shown.triangles)


def test_the_compiled_file_is_the_folder(clone: Path, tmp_path: Path) -> None:
    written = compile_ict(clone, tmp_path / "new" / "ict")
    assert written == tmp_path / "new" / "ict.npz"
    assert [p.name for p in written.parent.iterdir()] == ["ict.npz"]
    folder, npz = read_ict(clone), MorphableModel.load(f"ict:{written}").data
    np.testing.assert_array_equal(npz.mean, folder.mean)
    np.testing.assert_array_equal(npz.triangles, folder.triangles)
    np.testing.assert_array_equal(npz.labels, folder.labels)
    np.testing.assert_array_equal(npz.uv, folder.uv)
    np.testing.assert_allclose(npz.identity_basis, folder.identity_basis, atol=1e-3)
    np.testing.assert_allclose(npz.expression_basis, folder.expression_basis, atol=1e-3)
    assert npz.expression_names == folder.expression_names


def test_missing_modes_are_told_or_taken_as_a_smaller_model(clone: Path, tmp_path: Path) -> None:
    folder = copy_of(clone, tmp_path / "part", "identity003.obj", "identity004.obj", "jawOpen.obj")
    with pytest.raises(UserError, match=r"lacks 3 of the 102 modes \(identity003, identity004, jawOpen\)"):
        read_ict(folder)
    part = read_ict(folder, partial=True)
    assert part.identity_basis.shape[-1] == 98
    assert part.expression_names == ("mouthSmile_L",)
    whole = read_ict(clone)
    np.testing.assert_array_equal(part.identity_basis[..., 3], whole.identity_basis[..., 5])


@pytest.mark.parametrize("share", [0.05, 0.5, 0.97])
@pytest.mark.parametrize("name", ["generic_neutral_mesh.obj", "identity050.obj", "vertex_indices.json"])
def test_a_file_cut_off_is_refused(clone: Path, tmp_path: Path, name: str, share: float) -> None:
    folder = copy_of(clone, tmp_path / "cut")
    whole = (folder / name).read_bytes()
    (folder / name).write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(UserError, match=r"cut off|damaged"):
        read_ict(folder)


@pytest.mark.parametrize("share", [0.05, 0.5, 0.99])
def test_a_compiled_file_cut_off_is_refused(clone: Path, tmp_path: Path, share: float) -> None:
    file = compile_ict(clone, tmp_path / "ict.npz")
    whole = file.read_bytes()
    file.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(UserError, match="damaged, cut off"):
        read_ict(file)


def test_other_files_and_folders_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no ICT-FaceKit.*generic_neutral_mesh\.obj"):
        read_ict(tmp_path)
    np.savez(tmp_path / "other.npz", a=np.zeros(3))
    with pytest.raises(UserError, match="lacks vertices"):
        read_ict(tmp_path / "other.npz")
    np.savez(tmp_path / "pickled.npz", vertices=np.array([{}], dtype=object))
    with pytest.raises(UserError, match="cannot be read"):
        read_ict(tmp_path / "pickled.npz")
    with pytest.raises(UserError, match="There is no"):
        read_ict(tmp_path / "nothing")


def test_an_unwritable_target_leaves_nothing(clone: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be written"):
        compile_ict(clone, tmp_path / "file" / "ict.npz")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "cut off or not an OBJ"),
        ("v 1 2\nf 1 1 1\n", "cut off or not an OBJ"),
        ("v 0 0 0\nv 1 0 zero\n", "not a number"),
        ("v 0 0 0\n", "no faces"),
        ("v 0 0 0\nf 1 1 2\n", "at the line 'f 1 1 2'"),
        ("v 0 0 0\nf 1 0 1\n", "at the line 'f 1 0 1'"),
        ("v 0 0 0\nf 1 1\n", "at the line 'f 1 1'"),
        ("v 0 0 0\nvt 0 0\nf 1 1 1\n", "at the line 'f 1 1 1'"),
    ],
)
def test_broken_meshes_are_told(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "m.obj").write_text(text)
    with pytest.raises(UserError, match=said):
        read_obj(tmp_path / "m.obj")


def test_an_obj_may_have_colours_windows_lines_and_counts_from_the_end(tmp_path: Path) -> None:
    (tmp_path / "m.obj").write_bytes(b"v 0 0 0 1 0 0\r\nv 1 0 0 1 0 0\r\nv 1 1 2.5e-1 1 0 0\r\nf -3 -2 -1\r\n")
    mesh = read_obj(tmp_path / "m.obj")
    assert mesh.vertices.tolist() == [[0, 0, 0], [1, 0, 0], [1, 1, 0.25]]
    assert mesh.triangles.tolist() == [[0, 1, 2]]
    assert mesh.material_names == ("",)


# the real model


@pytest.fixture(scope="module")
def real(shared: Path) -> MorphableData:
    return read_ict(shared / "data" / "ict_facekit" / "ict_facekit.npz")


def test_the_real_folder_and_its_npz_agree(shared: Path, real: MorphableData) -> None:
    part = read_ict(shared / "data" / "ict_facekit" / "FaceXModel", partial=True)
    np.testing.assert_allclose(part.mean, real.mean, atol=1e-6)
    np.testing.assert_array_equal(part.triangles, real.triangles)
    np.testing.assert_array_equal(part.landmark_indices, real.landmark_indices)
    np.testing.assert_array_equal(part.labels, real.labels)
    assert part.expression_names == ("jawOpen", "mouthSmile_L")
    atol = 2e-3  # float16 in the npz, centimetres
    np.testing.assert_allclose(part.identity_basis, real.identity_basis[..., :2], atol=atol)
    columns = [real.expression_names.index(name) for name in part.expression_names]
    np.testing.assert_allclose(part.expression_basis, real.expression_basis[..., columns], atol=atol)
    # uv is a choice at seams, but a corner has one
    np.testing.assert_allclose(
        part.extras["uv_corners"][part.extras["uv_triangles"]],
        real.extras["uv_corners"][real.extras["uv_triangles"]],
        atol=1e-6,
    )


def test_the_real_landmarks_lie_where_they_should(real: MorphableData) -> None:
    assert real.landmark_indices is not None
    points = real.mean[real.landmark_indices]
    x, y, z = points.T
    assert z.argmax() == 30  # the tip of the nose
    assert y.argmin() == 8  # the chin
    assert (np.diff(x[:17]) > 0).all()  # the jaw from the picture's left to its right
    assert x[36:42].max() < 0 < x[42:48].min()  # the person's right eye is at the left
    assert x[36] < x[39] < x[42] < x[45]
    assert y[17:27].min() > y[36:48].max() > y[33] > y[48:68].max() > y[8]
    assert y[37:39].min() > y[40:42].max()  # upper lid above lower lid
    assert (y[61:64] > y[[67, 66, 65]]).all()
    pupils = np.linalg.norm(points[36:42].mean(0) - points[42:48].mean(0)) * real.metres_per_unit
    assert 0.055 < pupils < 0.072


def test_the_real_normals_point_out_and_parts_are_where_they_are(real: MorphableData) -> None:
    model = MorphableModel(real)
    out = model()
    tip = real.landmark_indices[30] if real.landmark_indices is not None else 0
    assert out["normals"][0, tip, 2] > 0.8
    parts = {name: real.mean[real.vertices_of(name)] for name in LABELS}
    assert all(len(points) for points in parts.values())
    assert parts["pupil"][:, 2].min() > parts["sclera"][:, 2].mean()
    assert parts["brows"][:, 1].min() > parts["pupil"][:, 1].max() > parts["lips"][:, 1].max()
    means = {name: out["albedo"][0, torch.from_numpy(real.vertices_of(name))].mean(0) for name in LABELS}
    assert means["sclera"].min() > means["skin"].max()
    assert means["pupil"].max() < means["iris"].max() < means["skin"].max()
    assert means["lips"][0] / means["lips"][1] > means["skin"][0] / means["skin"][1]


def test_real_expressions_do_what_their_names_say(real: MorphableData) -> None:
    model = MorphableModel(real)

    def moved(name: str) -> np.ndarray:
        coefficients = torch.zeros(1, model.n_expression)
        coefficients[0, model.expression_names.index(name)] = 1
        return (model(expression=coefficients)["landmarks"] - model()["landmarks"])[0].numpy()

    assert moved("jawOpen")[8, 1] < -0.5
    assert moved("mouthSmile_L")[54, 0] > 0.3  # the person's left corner of the mouth, at the picture's right
    assert abs(moved("mouthSmile_L")[48, 0]) < 0.1


def test_the_face_alone_can_be_taken(real: MorphableData) -> None:
    face = real.subset(np.arange(9409))
    assert len(face.mean) == 9409
    np.testing.assert_array_equal(face.landmark_indices, real.landmark_indices)
