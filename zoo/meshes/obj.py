"""Wavefront OBJ: text that every program reads, the vertices in the model's own order."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from zoo.files import written_whole
from zoo.meshes.mesh import ColouredMesh

__all__ = ["write_obj"]


def write_obj(path: str | Path, mesh: ColouredMesh) -> list[Path]:
    """Write a mesh as OBJ; with a texture also its material (.mtl) and picture (.png) beside it, of the same name.

    Vertex i of the file is vertex i of the mesh, also on seams of the texture, whose coordinates are numbered apart.
    Without a texture the colours follow the coordinates on the vertices' lines, as MeshLab and Blender read them.

    Args:
        path: The file to make.
        mesh: What to write.

    Returns:
        The files written, the OBJ first.

    Raises:
        UserError: The place cannot be written to.
    """
    path = Path(path)
    material, picture = path.with_suffix(".mtl"), path.with_suffix(".png")
    textured = mesh.texture is not None and mesh.texture_map is not None
    lines = ["# metres, y up, the face looks along z"]
    if textured:
        lines += [f"mtllib {material.name}", "usemtl face"]
    if mesh.colours is not None and not textured:
        rows = np.concatenate((mesh.vertices, mesh.colours), 1)
        lines += [f"v {x:.7g} {y:.7g} {z:.7g} {r:.5g} {g:.5g} {b:.5g}" for x, y, z, r, g, b in rows.tolist()]
    else:
        lines += [f"v {x:.7g} {y:.7g} {z:.7g}" for x, y, z in mesh.vertices.tolist()]
    lines += [f"vn {x:.5g} {y:.5g} {z:.5g}" for x, y, z in mesh.normals.tolist()]
    triangles = (mesh.triangles + 1).tolist()
    if mesh.texture is not None and mesh.texture_map is not None:
        lines += [f"vt {u:.7g} {v:.7g}" for u, v in mesh.texture_map.uv.tolist()]
        places = (mesh.texture_map.triangles + 1).tolist()
        lines += [
            f"f {a}/{i}/{a} {b}/{j}/{b} {c}/{k}/{c}" for (a, b, c), (i, j, k) in zip(triangles, places, strict=True)
        ]
        with written_whole(picture) as part:
            Image.fromarray(mesh.texture).save(part)
        with written_whole(material) as part:
            text = f"newmtl face\nKa 1 1 1\nKd 1 1 1\nKs 0 0 0\nillum 1\nmap_Kd {picture.name}\n"
            part.write_text(text, encoding="utf-8")
    else:
        lines += [f"f {a}//{a} {b}//{b} {c}//{c}" for a, b, c in triangles]
    with written_whole(path) as part:
        part.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return [path, material, picture] if textured else [path]
