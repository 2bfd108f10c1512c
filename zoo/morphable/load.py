"""From "bfm:PATH" and its kin to a face model's arrays."""

from __future__ import annotations

import difflib
from pathlib import Path

from zoo.errors import UserError
from zoo.morphable.data import MorphableData

__all__ = ["KINDS", "load_data"]

KINDS: dict[str, str] = {
    "procedural": "the face made in code; needs no file",
    "bfm": "BFM_model_front.mat or BFM09_model_info.mat, the Deep3DFace cut of the Basel Face Model 2009",
    "ict": "a clone of ICT-FaceKit (or its folder FaceXModel), or the npz that compile_ict made of it",
    "flame": "a FLAME model, npz or the original pkl, with its landmark embeddings beside it if you have them",
}
"""What stands before the colon, and what is expected after it."""


def load_data(spec: str) -> MorphableData:
    """Read a face model.

    Args:
        spec: "procedural", "bfm:PATH", "ict:PATH" or "flame:PATH"; see ``KINDS``. A path may be a file, or a folder
            that holds one under its usual name; ``~`` is the home folder.

    Raises:
        UserError: No such kind or file, or the file is not what its kind should be.
    """
    kind, _, rest = spec.partition(":")
    name = kind.strip().lower()
    if name not in KINDS:
        raise UserError(_unknown(spec, name))
    if name == "procedural":
        if rest:
            raise UserError("The procedural face is made in code and takes no path; say just 'procedural'.")
        from zoo.morphable.procedural import build_face

        return build_face()
    if not rest.strip():
        raise UserError(f"'{spec}' lacks a path. Say '{name}:PATH', where PATH is {KINDS[name]}.")
    path = Path(rest.strip()).expanduser()
    if not path.exists():
        raise UserError(f"There is no '{path}'. Give the path of {KINDS[name]}.")
    if name == "bfm":
        from zoo.morphable.readers.bfm import read_bfm

        return read_bfm(path)
    if name == "ict":
        from zoo.morphable.readers.ict import read_ict

        return read_ict(path)
    from zoo.morphable.readers.flame import read_flame

    return read_flame(path)


def _unknown(spec: str, name: str) -> str:
    kinds = "'procedural', 'bfm:PATH', 'ict:PATH' or 'flame:PATH'"
    near = difflib.get_close_matches(name, KINDS, n=1, cutoff=0.5)
    if near:
        meant = near[0] if near[0] == "procedural" else f"{near[0]}:PATH"
        return f"There is no kind of face model named '{name}'. Did you mean '{meant}'? There are {kinds}."
    if spec.strip() and Path(spec).expanduser().exists():
        return f"'{spec}' does not say what kind of face model it is. Put the kind before the path: {kinds}."
    return f"'{spec}' names no face model. Say {kinds}."
