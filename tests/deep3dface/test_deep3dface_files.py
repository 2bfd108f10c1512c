"""What predict writes of a reconstructed face: pictures, points, numbers, meshes."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
import trimesh
from PIL import Image

from lightning_modules.deep3dface.coefficients import join, split
from lightning_modules.deep3dface.decoder import FaceDecoder
from lightning_modules.deep3dface.files import coloured_head, overlay_on_photo, photo_screen, write_face
from lightning_modules.deep3dface.views import face_opacity, face_views
from zoo.faces import Crop
from zoo.imaging import read_image, srgb_to_linear
from zoo.inference import Prediction
from zoo.meshes import write_glb
from zoo.morphable import MorphableModel
from zoo.morphable.canonical import landmark_positions

CROP = Crop((83.0, 71.0), 96.0, 112)


@pytest.fixture(scope="module")
def decoder():
    return FaceDecoder(MorphableModel.load("procedural"), 112)


@pytest.fixture(scope="module")
def found(decoder):
    """A turned face before a blue wall, and the photo that the decoder itself would take."""
    torch.manual_seed(0)
    parts = split(torch.zeros(1, decoder.sizes.total), decoder.sizes)
    parts["identity"] = 0.5 * torch.randn_like(parts["identity"])
    parts["angles"] = torch.tensor([[0.1, 0.35, 0.0]])
    coefficients = join(parts)
    decoded = decoder(parts)
    drawn = decoder.render(decoded)
    wall = torch.tensor([0.1, 0.2, 0.7])[:, None, None].expand(3, 112, 112)
    picture = torch.where(drawn["depth"][0] > 0, drawn["image"][0].clamp(0, 1), wall)
    photo = wall[:, :1, :1].expand(3, 150, 160).contiguous()
    photo = CROP.paste(photo, picture, feather=0)
    outputs = {**decoder.contract(parts, decoded), "coefficients": coefficients, "picture": picture[None]}
    return Prediction({"image": picture[None]}, {}, CROP, photo, outputs)


@pytest.fixture(scope="module")
def files(decoder, found, tmp_path_factory):
    folder = tmp_path_factory.mktemp("face") / "photo"
    return {path.name: path for path in write_face(decoder, found, folder)}


def test_all_files_are_there(files):
    wanted = "photo_overlay.jpg landmarks.json coefficients.npz head.obj head.mtl head.png head.glb turntable.gif"
    assert list(files) == wanted.split()
    assert all(path.is_file() for path in files.values())
    assert files["turntable.gif"].stat().st_size < 2_000_000


def test_the_overlay_lies_where_the_face_is(found, files):
    overlay = read_image(files["photo_overlay.jpg"])
    assert overlay.shape == found.photo.shape
    # the photo shows the same face under the same light: laid over it, nothing changes but JPEG's noise
    error = float((overlay - found.photo).abs().mean())
    assert error < 0.012
    for shift, axis in ((1, 1), (-1, 1), (1, 2), (-1, 2)):
        assert float((overlay - found.photo.roll(shift, axis)).abs().mean()) > 1.2 * error


def test_landmarks_are_pixels_of_the_photo(found, files):
    content = json.loads(files["landmarks.json"].read_text())
    assert (content["width"], content["height"]) == (160, 150)
    assert content["parts"]["inner lips"] == [60, 67]
    expected = CROP.to_photo(found.outputs["landmarks"][0].double())
    assert np.allclose(content["landmarks"], expected, atol=0.006)


def test_coefficients_by_name(decoder, found, files):
    numbers = np.load(files["coefficients.npz"])
    assert str(numbers["face_model"]) == "procedural"
    assert np.array_equal(numbers["coefficients"], found.outputs["coefficients"][0])
    assert np.array_equal(numbers["identity"], found.outputs["identity"][0])
    assert numbers["gamma"].shape == (3, 9)


@pytest.mark.parametrize("name", ["head.obj", "head.glb"])
def test_meshes_open_upright_in_metres_and_outside_out(decoder, files, name):
    mesh = trimesh.load(files[name], process=False, force="mesh")
    assert len(mesh.faces) == len(decoder.triangles)
    assert np.asarray(mesh.visual.uv).shape == (len(mesh.vertices), 2)
    material = mesh.visual.material
    picture = material.image if name == "head.obj" else material.baseColorTexture
    assert picture.size == (1024, 1024)
    assert 0.2 < mesh.extents[1] < 0.4  # a head, neck included, is 20 to 40 cm high
    points = landmark_positions(decoder.model.data)
    places = np.asarray(mesh.vertices)
    assert mesh.volume > 0
    # eyes above the mouth, the nose in front, the person's left at positive x
    tip = places[places[:, 2].argmax()]
    assert abs(tip[0]) < 0.01
    assert points[36, 1] > points[48, 1]
    colours = picture.convert("RGB")
    u, v = np.asarray(mesh.visual.uv)[places[:, 2].argmax()]
    nose = np.array(colours.getpixel((int(u * 1024), int((1 - v) * 1024)))) / 255
    assert nose[2] < nose[0]  # skin, not the blue wall


def test_obj_has_the_vertices_of_the_model_in_their_order(decoder, found, files):
    lines = [line.split()[1:] for line in files["head.obj"].read_text().splitlines() if line.startswith("v ")]
    shape = decoder.model.shape(found.outputs["identity"], found.outputs["expression"])[0]
    assert np.allclose(np.array(lines, float), shape * decoder.model.metres_per_unit, atol=1e-6)


def test_texture_has_the_photo_where_it_is_seen_and_no_wall(decoder, files):
    texture = read_image(files["head.png"])
    bluish = (texture[2] > texture[0] + 0.15).float().mean()
    assert float(bluish) < 0.01


def test_turntable_turns(files):
    with Image.open(files["turntable.gif"]) as gif:
        assert gif.size == (256, 256)
        assert gif.n_frames >= 20
        first = np.asarray(gif.convert("L"), float)
        gif.seek(gif.n_frames // 4)
        assert np.abs(first - np.asarray(gif.convert("L"), float)).mean() > 4


def test_views_are_pictures_of_the_crop(decoder, found):
    views = face_views(decoder, found.outputs, side=224)
    assert list(views) == ["overlay", "shape", "albedo", "shading", "wireframe", "landmarks"]
    for view in views.values():
        assert view.shape == (1, 3, 224, 224)
        assert 0 <= float(view.min()) <= float(view.max()) <= 1
    picture = torch.nn.functional.interpolate(found.outputs["picture"], (224, 224), mode="bilinear")
    assert float((views["overlay"] - picture).abs().mean()) < 0.015
    assert float((views["wireframe"] - views["shape"]).abs().mean()) > 0.02
    middle = views["albedo"][0, :, 100:140, 100:140]
    assert float(srgb_to_linear(middle).mean()) < 0.6


def test_the_rim_of_the_face_is_soft(decoder):
    opacity = face_opacity(decoder)
    assert float(opacity.max()) > 0.999
    assert int(((opacity > 0.1) & (opacity < 0.9)).sum()) > 50
    assert float(opacity[decoder.model.labels == decoder.model.label_names.index("ear")].max()) < 0.5


def test_a_face_beyond_the_border_of_its_photo(decoder, found):
    outside = replace(found, crop=Crop((10.0, 20.0), 90.0, 112))
    parts = split(found.outputs["coefficients"], decoder.sizes)
    decoded = {name: value[0] for name, value in decoder(parts).items()}
    screen = photo_screen(decoder, outside)
    overlay = overlay_on_photo(decoder, decoded["colour"], screen, found.photo)
    assert overlay.shape == found.photo.shape
    assert not torch.equal(overlay, found.photo)
    away = photo_screen(decoder, replace(found, crop=Crop((-400.0, 20.0), 90.0, 112)))
    assert torch.equal(overlay_on_photo(decoder, decoded["colour"], away, found.photo), found.photo)
    head = coloured_head(decoder, decoded, parts, found.outputs["vertices"][0], away, found.photo)
    assert np.isfinite(head.colours).all()


def test_a_model_without_texture_coordinates_has_colours_at_its_vertices(tmp_path, found):
    data = replace(MorphableModel.load("procedural").data, uv=None)
    decoder = FaceDecoder(MorphableModel(data), 112)
    parts = split(found.outputs["coefficients"], decoder.sizes)
    decoded = {name: value[0] for name, value in decoder(parts).items()}
    screen = photo_screen(decoder, found)
    head = coloured_head(decoder, decoded, parts, found.outputs["vertices"][0], screen, found.photo)
    assert head.texture is None
    mesh = trimesh.load(write_glb(tmp_path / "head.glb", head), process=False, force="mesh")
    assert mesh.visual.kind == "vertex"
    assert len(mesh.vertices) == len(data.mean)
