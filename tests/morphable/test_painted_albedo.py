"""Heads without colours of their own: painted like the procedural face, at the right places."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from datamodules.faces.fingerprint import model_fingerprint
from zoo.errors import UserError
from zoo.morphable import MorphableData, MorphableModel
from zoo.morphable.canonical import canonical_coordinates, landmark_positions, template
from zoo.morphable.paint import painted_albedo


@pytest.fixture(scope="module")
def face() -> MorphableData:
    return template()


def stranger(face: MorphableData, labels: bool = True) -> MorphableData:
    """The template as another model might have it: metres, elsewhere, broader and longer, without colours."""
    mean = face.mean * face.metres_per_unit * np.float32([1.08, 0.94, 1.03]) + np.float32([0.3, -0.1, 0.05])
    return replace(
        face,
        name="stranger",
        mean=mean,
        metres_per_unit=1.0,
        albedo_mean=None,
        albedo_basis=None,
        labels=face.labels if labels else None,
        label_names=face.label_names if labels else (),
        extras={},
    )


@pytest.fixture(scope="module")
def ict(shared: Path) -> MorphableModel:
    file = shared / "data/ict_facekit/ict_facekit.npz"
    if not file.is_file():
        pytest.skip("there is no ICT-FaceKit in the folder 'shared'")
    return MorphableModel.load(f"ict:{file}")


def test_the_template_lies_on_itself(face: MorphableData) -> None:
    np.testing.assert_allclose(canonical_coordinates(face), 100 * face.mean, atol=1e-4)


def test_another_head_is_warped_onto_the_template(face: MorphableData) -> None:
    other = stranger(face)
    found = canonical_coordinates(other)
    distance = np.linalg.norm(found - 100 * face.mean, axis=1)
    landmarks = face.landmark_indices
    assert landmarks is not None
    assert distance[landmarks].max() < 1.0
    near = face.vertices_of("lips", "brows")
    assert distance[near].max() < 2.0
    # what no landmark holds may slide along the skull, but leaves it nowhere
    assert np.percentile(distance[face.vertices_of("skin", "hair", "ear")], 99) < 12.0


def test_a_head_without_landmarks_has_no_place(face: MorphableData) -> None:
    with pytest.raises(UserError, match="landmarks"):
        canonical_coordinates(replace(stranger(face), landmark_indices=None))


def test_colours_and_their_variation_go_over(face: MorphableData) -> None:
    mean, basis, encoding = painted_albedo(stranger(face))
    assert encoding == face.albedo_encoding
    assert face.albedo_mean is not None
    assert face.albedo_basis is not None
    assert basis.shape == face.albedo_basis.shape
    for part in ("skin", "lips", "brows", "iris", "teeth", "mouth"):
        of_part = face.vertices_of(part)
        np.testing.assert_allclose(mean[of_part].mean(0), face.albedo_mean[of_part].mean(0), rtol=0.12, err_msg=part)
    strength = np.linalg.norm(basis, axis=(1, 2)), np.linalg.norm(face.albedo_basis, axis=(1, 2))
    assert 0.7 < strength[0].mean() / strength[1].mean() < 1.1


def test_without_labels_all_is_skin_but_lips_are_where_they_are(face: MorphableData) -> None:
    mean = MorphableModel(stranger(face, labels=False))()["albedo"][0].numpy()
    lips, skin = mean[face.vertices_of("lips")].mean(0), mean[face.vertices_of("skin")].mean(0)
    assert lips[0] / lips[1] > 1.25 * skin[0] / skin[1]
    assert mean[face.vertices_of("sclera")].max() < 0.45


def test_fingerprint_tells_another_painting(face: MorphableData) -> None:
    model = MorphableModel(stranger(face))
    before = model_fingerprint(model)
    assert before == model_fingerprint(MorphableModel(stranger(face)))
    model.albedo_mean[0, 0] += 0.01
    assert model_fingerprint(model) != before


def test_ict_is_painted_where_its_landmarks_are(ict: MorphableModel) -> None:
    assert not ict.has_albedo
    assert ict.n_texture == 80
    data = ict.data
    place, points = canonical_coordinates(data), landmark_positions(template())
    assert points is not None
    assert np.linalg.norm(place[data.landmark_indices] - 100 * points, axis=1).max() < 2.5
    albedo = ict()["albedo"][0].numpy()
    skin = data.vertices_of("skin", "lips", "brows")

    def around(x: float, y: float, radius: float = 2.5) -> np.ndarray:
        """Mean colour of the face's front at a place on the template, both sides."""
        flat = np.hypot(np.abs(place[:, 0]) - x, place[:, 1] - y)
        return albedo[skin & (flat < radius) & (place[:, 2] > 50)].mean(0)

    lower_lip, chin, cheek = around(0, -75), around(0, -103), around(36, -40, 5)
    assert lower_lip[0] / lower_lip[1] > 1.25 * chin[0] / chin[1]
    brow, forehead = around(28, 24), around(28, 42)
    assert brow.sum() < 0.7 * forehead.sum()
    assert 0.8 < forehead.sum() / cheek.sum() < 1.3
    # nothing else on the cheeks and the chin is as red as lips or as dark as a brow
    front = skin & (place[:, 2] > 60) & (place[:, 1] < -20) & (place[:, 1] > -50) & (np.abs(place[:, 0]) > 25)
    assert albedo[front].sum(1).min() > 1.15 * brow.sum()


def test_ict_nostrils_are_dark_to_their_ends(ict: MorphableModel) -> None:
    place = canonical_coordinates(ict.data)
    # where its nostrils end, far behind the skin of the nose
    ends = (np.abs(np.abs(place[:, 0]) - 7) < 3) & (np.abs(place[:, 1] + 29) < 3) & (np.abs(place[:, 2] - 101) < 2)
    assert ends.sum() >= 4
    assert ict()["albedo"][0].numpy()[ends].max() < 0.08


def test_ict_eyes_and_mouth_follow_the_person(ict: MorphableModel) -> None:
    data = ict.data
    texture = torch.randn(8, 80, generator=torch.Generator().manual_seed(0))
    albedo = ict(texture=texture)["albedo"].numpy()

    def mean(part: str) -> np.ndarray:
        return albedo[:, data.vertices_of(part)].mean(1)

    assert (mean("pupil").max(1) < 0.05).all()
    assert (mean("sclera").min(1) > mean("skin").max(1)).all()
    assert np.ptp(mean("iris"), 0).max() > 0.02
    assert (mean("mouth")[:, 0] > 2 * mean("mouth")[:, 1]).all()
    assert (mean("mouth").sum(1) < 0.6).all()
    assert np.ptp(mean("skin")[:, 0]) > 0.1


def test_a_face_cut_out_of_its_head_is_painted_alike(ict: MorphableModel) -> None:
    """No crown, no ears: the landmarks alone hold the face, and lips and brows stay where they are."""
    cut = ict.data.subset(np.arange(9409))
    whole, part = ict()["albedo"][0, :9409].numpy(), MorphableModel(cut)()["albedo"][0].numpy()
    front = ict.data.vertices_of("lips", "brows")[:9409]
    assert np.abs(whole - part)[front].max() < 0.03
