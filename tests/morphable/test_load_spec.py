"""What stands before and after the colon."""

from __future__ import annotations

from pathlib import Path

import pytest

from zoo.errors import UserError
from zoo.morphable import MorphableModel


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("bmf:model.mat", r"'bmf'\. Did you mean 'bfm:PATH'\?"),
        ("flaem:x", r"Did you mean 'flame:PATH'"),
        ("prosedural", r"Did you mean 'procedural'\?"),
        ("smplx:x", r"names no face model\. Say 'procedural', 'bfm:PATH'"),
        ("", "names no face model"),
        ("ict", r"lacks a path\. Say 'ict:PATH'"),
        ("bfm: ", r"lacks a path"),
        ("procedural:somewhere", "takes no path"),
        ("flame:/no/such/file.pkl", r"There is no '/no/such/file\.pkl'\. Give the path of a FLAME"),
    ],
)
def test_a_spec_that_cannot_be_read_gets_a_sentence(spec: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        MorphableModel.load(spec)


def test_a_path_without_its_kind_is_told(tmp_path: Path) -> None:
    file = tmp_path / "model.npz"
    file.write_bytes(b"")
    with pytest.raises(UserError, match="Put the kind before the path"):
        MorphableModel.load(str(file))


@pytest.mark.parametrize("kind", ["bfm", "ict", "flame"])
@pytest.mark.parametrize("content", [b"", b"hello, this is not a face", b"\x89PNG\r\n\x1a\n" + bytes(100)])
def test_any_other_file_gets_a_sentence(tmp_path: Path, kind: str, content: bytes) -> None:
    file = tmp_path / "something"
    file.write_bytes(content)
    with pytest.raises(UserError, match="something"):
        MorphableModel.load(f"{kind}:{file}")


@pytest.mark.parametrize("kind", ["bfm", "ict", "flame"])
def test_an_empty_folder_gets_a_sentence(tmp_path: Path, kind: str) -> None:
    with pytest.raises(UserError, match="holds"):
        MorphableModel.load(f"{kind}:{tmp_path}")
