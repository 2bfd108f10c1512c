"""A hash of the code that makes data: no cache outlives a change of it."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path

__all__ = ["source_fingerprint"]

_ROOT = Path(__file__).parents[1]


@lru_cache
def source_fingerprint(*sources: str, without: tuple[str, ...] = ()) -> str:
    """A hash of source files.

    Args:
        sources: Python files, and folders of them, from the root of the repository.
        without: Files in those folders that change nothing.

    Returns:
        16 hexadecimal digits.

    Raises:
        OSError: A file is missing.
    """
    digest = hashlib.sha256()
    excluded = {_ROOT / each for each in without}
    for source in sources:
        path = _ROOT / source
        for file in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
            if file not in excluded:
                digest.update(file.read_bytes())
    return digest.hexdigest()[:16]
