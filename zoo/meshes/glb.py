"""Binary glTF: one file that viewers, browsers and phones open."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image

from zoo.files import written_whole
from zoo.imaging import srgb_to_linear
from zoo.meshes.mesh import ColouredMesh

__all__ = ["write_glb"]


def write_glb(path: str | Path, mesh: ColouredMesh) -> Path:
    """Write a mesh as GLB.

    glTF knows one set of coordinates a vertex, so that vertices on seams of the texture are repeated and their order
    is that of the texture's corners (``write_obj`` keeps the mesh's own).

    Args:
        path: The file to make.
        mesh: What to write, in metres, y up.

    Returns:
        The file.

    Raises:
        UserError: The place cannot be written to.
    """
    import trimesh  # takes a while to import, and only who writes a mesh needs it
    from trimesh.visual import ColorVisuals, TextureVisuals
    from trimesh.visual.material import PBRMaterial

    vertices, normals, triangles = mesh.vertices, mesh.normals, mesh.triangles
    visual: TextureVisuals | ColorVisuals
    if mesh.texture is not None and mesh.texture_map is not None:
        order, triangles = mesh.texture_map.corner_vertex, mesh.texture_map.triangles
        vertices, normals = vertices[order], normals[order]
        material = PBRMaterial(
            name="face", baseColorTexture=Image.fromarray(mesh.texture), metallicFactor=0.0, roughnessFactor=0.9
        )
        visual = TextureVisuals(uv=mesh.texture_map.uv, material=material)
    else:
        colours = np.full(vertices.shape, 0.5, np.float32) if mesh.colours is None else mesh.colours
        # glTF's colours of vertices are linear light, unlike those of its pictures.
        linear = srgb_to_linear(torch.from_numpy(colours)).clamp(0, 1).numpy()
        visual = ColorVisuals(vertex_colors=np.round(linear * 255).astype(np.uint8))
    part_of_scene = trimesh.Trimesh(
        vertices=vertices, faces=triangles, vertex_normals=normals, visual=visual, process=False
    )
    scene = trimesh.Scene()
    scene.add_geometry(part_of_scene, geom_name="face", node_name="face")
    with written_whole(path) as part:
        part.write_bytes(scene.export(file_type="glb", include_normals=True))
    return Path(path)
