"""Meshes in files that viewers open, textures from photos, antialiased drawing."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
import trimesh
from PIL import Image

from zoo.imaging import read_image
from zoo.imaging.animation import write_gif
from zoo.meshes import (
    ColouredMesh,
    TextureMap,
    bake_texture,
    draw_edges,
    draw_smoothly,
    mesh_edges,
    picture_of,
    see_in_photo,
    texture_map,
    turntable,
    write_glb,
    write_obj,
)
from zoo.morphable import MorphableModel


@pytest.fixture(scope="module")
def model():
    return MorphableModel.load("procedural")


def sphere(depth=4.0):
    """A unit ball before the camera: vertices, outward normals, triangles."""
    ball = trimesh.creation.icosphere(subdivisions=4)
    normals = torch.tensor(np.asarray(ball.vertices), dtype=torch.float32)
    return normals - torch.tensor([0.0, 0.0, depth]), normals, torch.tensor(np.asarray(ball.faces), dtype=torch.int64)


def square(texture):
    """Two triangles with a texture, looking along z."""
    vertices = np.array([[-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]], np.float32)
    triangles = np.array([[0, 1, 2], [0, 2, 3]])
    layout = TextureMap(np.arange(4), (vertices[:, :2] + 1) / 2, triangles)
    return ColouredMesh(vertices, triangles, np.tile(np.float32([0, 0, 1]), (4, 1)), layout, texture)


@pytest.fixture
def painted():
    """A texture whose upper left quarter is red."""
    texture = np.full((32, 32, 3), 200, np.uint8)
    texture[:16, :16] = (255, 0, 0)
    return square(texture)


def test_obj_keeps_the_order_and_finds_its_texture(painted, tmp_path):
    files = write_obj(tmp_path / "a.obj", painted)
    assert [file.name for file in files] == ["a.obj", "a.mtl", "a.png"]
    lines = (tmp_path / "a.obj").read_text().splitlines()
    assert [line for line in lines if line.startswith("v ")] == ["v -1 -1 0", "v 1 -1 0", "v 1 1 0", "v -1 1 0"]
    loaded = trimesh.load(tmp_path / "a.obj", process=False, force="mesh")
    assert (len(loaded.vertices), len(loaded.faces)) == (4, 2)
    assert loaded.visual.material.image.getpixel((2, 2)) == (255, 0, 0)
    assert np.allclose(loaded.visual.uv, painted.texture_map.uv)


def test_glb_has_texture_coordinates_and_picture(painted, tmp_path):
    loaded = trimesh.load(write_glb(tmp_path / "a.glb", painted), process=False, force="mesh")
    assert (len(loaded.vertices), len(loaded.faces)) == (4, 2)
    assert loaded.visual.material.baseColorTexture.getpixel((2, 2))[:3] == (255, 0, 0)
    corner = np.flatnonzero((np.asarray(loaded.vertices) == [-1, 1, 0]).all(1))[0]
    assert np.allclose(loaded.visual.uv[corner], [0, 1])  # the upper left corner of the picture
    assert (loaded.face_normals[:, 2] > 0.99).all()


def test_colours_of_vertices_are_linear_in_glb_and_encoded_in_obj(tmp_path):
    plain = square(None)
    grey = ColouredMesh(plain.vertices, plain.triangles, plain.normals, colours=np.full((4, 3), 0.5, np.float32))
    glb = trimesh.load(write_glb(tmp_path / "a.glb", grey), process=False, force="mesh")
    assert np.unique(glb.visual.vertex_colors[:, :3]).tolist() == [round(255 * 0.21404)]
    assert write_obj(tmp_path / "a.obj", grey) == [tmp_path / "a.obj"]
    assert "v -1 -1 0 0.5 0.5 0.5" in (tmp_path / "a.obj").read_text()


def test_a_picture_of_a_mesh_shows_its_texture_the_right_way_round(painted):
    picture = picture_of(painted, size=64)
    assert picture[:, 16, 16].tolist() == pytest.approx([1, 0, 0], abs=0.02)
    assert picture[:, 48, 16].tolist() == pytest.approx([200 / 255] * 3, abs=0.02)
    assert len(turntable(painted, size=16, frames=4)) == 4


def test_the_procedural_texture_has_no_triangle_across_it(model):
    layout = texture_map(model.data)
    assert np.array_equal(layout.corner_vertex[layout.triangles], model.data.triangles)
    corners = layout.uv[layout.triangles]
    assert np.linalg.norm(corners - np.roll(corners, 1, 1), axis=-1).max() < 0.25
    assert layout.uv.min() >= 0
    assert layout.uv.max() <= 1


def test_parts_with_pictures_of_their_own_get_tiles():
    from dataclasses import replace

    from zoo.morphable import MorphableData

    vertices = np.float32([[0, 0, 0], [1, 0, 0], [0, 1, 0]])
    data = MorphableData("two", vertices, np.zeros((3, 3, 1), np.float32), np.zeros((3, 3, 1), np.float32),
                         np.array([[0, 1, 2], [0, 1, 2]]), None)  # fmt: skip
    extras = {
        "uv_corners": np.float32([[0, 0], [0.2, 0], [0, 0.2], [1, 0], [1.2, 0], [1, 0.2]]),
        "uv_triangles": np.array([[0, 1, 2], [3, 4, 5]]),
        "triangle_material": np.array([0, 1]),
    }
    first, second = (layout := texture_map(replace(data, extras=extras))).uv[layout.triangles]
    assert np.allclose(first, [[0, 0.25], [0.15, 0.25], [0, 0.4]])
    assert np.allclose(second, [[0.75, 0], [0.8, 0], [0.75, 0.05]])
    assert texture_map(data) is None


def test_antialiased_drawing_covers_as_much_as_the_shape():
    corners = torch.tensor([[4.2, 4.2, 1.0], [4.2, 40.9, 1.0], [40.9, 4.2, 1.0]])
    drawn, coverage = draw_smoothly(corners, torch.tensor([[0, 1, 2]]), torch.full((3, 2), 0.5), 48, 48)
    assert float(coverage.sum()) == pytest.approx(36.7**2 / 2, rel=0.01)
    torch.testing.assert_close(drawn, 0.5 * coverage.expand(2, -1, -1))
    assert len(coverage.unique()) > 4  # not only inside and outside
    half, cover = draw_smoothly(
        corners, torch.tensor([[0, 1, 2]]), torch.full((3, 2), 0.5), 48, 48, opacity=torch.full((3,), 0.5)
    )
    torch.testing.assert_close(cover, coverage / 2)
    torch.testing.assert_close(half, drawn / 2)


def test_hidden_edges_are_not_drawn():
    near = torch.tensor([[2.0, 2.0, 1.0], [2.0, 29.0, 1.0], [29.0, 29.0, 1.0], [29.0, 2.0, 1.0]])
    far = torch.tensor([[8.0, 8.0, 2.0], [8.0, 20.0, 2.0], [20.0, 20.0, 2.0]])
    triangles = torch.tensor([[0, 1, 2], [0, 2, 3], [4, 5, 6]])
    paper = torch.ones(3, 32, 32)
    both = draw_edges(paper, torch.cat((near, far)), triangles, torch.ones(7), tolerance=0.1)
    alone = draw_edges(paper, near, triangles[:2], torch.ones(4), tolerance=0.1)
    assert torch.equal(both, alone)
    assert float(alone[0, 16, 2]) < 0.8
    assert float(alone[0, 8, 24]) == 1.0
    assert len(mesh_edges(triangles)) == 8


def test_a_texture_takes_what_is_seen_from_the_photo_and_continues_it():
    vertices, normals, triangles = sphere()
    focal, size = 200.0, 128
    screen = torch.stack((63.5 + focal * vertices[:, 0] / -vertices[:, 2],
                          63.5 - focal * vertices[:, 1] / -vertices[:, 2], -vertices[:, 2]), 1)  # fmt: skip
    photo = torch.full((3, size, size), 0.6)
    photo[0] = 0.8
    photo[:, 40:48, 60:68] = torch.tensor([0.1, 0.2, 0.9])[:, None, None]
    expected = torch.full_like(vertices, 0.3)
    everywhere = torch.ones(len(vertices), dtype=torch.bool)
    seen = see_in_photo(vertices, normals, triangles, screen, photo, expected, everywhere, tolerance=0.02)
    assert float(seen.weight[normals[:, 2] > 0.9].min()) > 0.99
    assert float(seen.weight[normals[:, 2] < 0].max()) == 0
    colours = seen.colours()
    behind = colours[normals[:, 2] < -0.2]
    # what nobody saw has the colour that the photo's skin has, not the model's
    assert behind.mean(0).tolist() == pytest.approx([0.8, 0.6, 0.6], abs=0.03)
    side = (normals[:, 2] - 0.5).abs() < 0.3
    assert float((colours[side] - colours[side].median(0).values).abs().amax()) < 0.12
    uv = torch.stack((torch.atan2(normals[:, 0], normals[:, 2]) / (2 * math.pi) + 0.5, normals[:, 1] / 2 + 0.5), 1)
    corners = uv[triangles]
    flat = (corners - corners.roll(1, 1)).norm(dim=-1).amax(1) < 0.3
    layout = TextureMap(np.arange(len(uv)), uv.numpy(), triangles[flat].numpy())
    texture = bake_texture(seen, layout, 256)
    # the blue spot lies 19.5 pixels above the middle: where y / (4 - z) = 19.5 / 200 on the ball
    assert texture[int((1 - (0.29 / 2 + 0.5)) * 256), 128].tolist() == pytest.approx([26, 51, 230], abs=12)
    nowhere = see_in_photo(vertices, normals, triangles, screen, photo, expected, ~everywhere, tolerance=0.02)
    assert torch.equal(nowhere.rest, expected)


def test_a_hidden_ball_takes_nothing_from_the_photo():
    vertices, normals, triangles = sphere()
    count = len(vertices)
    far = torch.cat((vertices, vertices * 1.0 - torch.tensor([0.0, 0.0, 3.0])))
    screen = torch.stack((63.5 - 200 * far[:, 0] / far[:, 2], 63.5 + 200 * far[:, 1] / far[:, 2], -far[:, 2]), 1)
    seen = see_in_photo(
        far, normals.repeat(2, 1), torch.cat((triangles, triangles + count)), screen, torch.rand(3, 128, 128),
        torch.ones_like(far), torch.ones(2 * count, dtype=torch.bool), tolerance=0.02,
    )  # fmt: skip
    assert float(seen.weight[:count].max()) == pytest.approx(1.0)
    assert float(seen.weight[count:].max()) == 0


def test_gif_goes_round_with_one_palette(tmp_path):
    frames = [torch.full((3, 20, 24), level) for level in (0.1, 0.5, 0.9)]
    path = write_gif(tmp_path / "a.gif", frames, seconds=0.1)
    with Image.open(path) as gif:
        assert (gif.n_frames, gif.size, gif.info["loop"], gif.info["duration"]) == (3, (24, 20), 0, 100)
    assert read_image(path).mean() == pytest.approx(0.1, abs=0.02)
    with pytest.raises(ValueError, match="at least one frame"):
        write_gif(path, [])
