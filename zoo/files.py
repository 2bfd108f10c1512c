"""Files that are written whole or not at all."""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from zoo.errors import UserError

__all__ = ["human_bytes", "sha256_of", "written_whole"]


@contextmanager
def written_whole(path: str | Path) -> Iterator[Path]:
    """A place to write to that becomes ``path`` when the block ends well, and vanishes when it does not.

    A reader sees the old file or the new one, never a half; a kill in the middle leaves the old one.

    Args:
        path: The file to make. Its folder is made if it is missing.

    Yields:
        A path beside it, with the same suffix.

    Raises:
        UserError: The place cannot be written to, or the disk is full.
    """
    path = Path(path)
    if path.is_dir():
        raise UserError(f"{path} is a folder; give the name of a file in it.")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(_complaint(path, error)) from error
    part = path.with_name(f".{path.stem}.{secrets.token_hex(4)}.part{path.suffix}")
    try:
        yield part
        os.replace(part, path)
    except OSError as error:
        raise UserError(_complaint(path, error)) from error
    finally:
        part.unlink(missing_ok=True)


def _complaint(path: Path, error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"no space left for {path}; nothing was changed. Make room, or give another place."
    reason = error.strerror or str(error)
    return f"cannot write {path}: {reason}. Nothing was changed; give another place."


def sha256_of(path: str | Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def human_bytes(count: int) -> str:
    """A size for people.

    Example:
        >>> human_bytes(512), human_bytes(13_200_000)
        ('512 bytes', '13.2 MB')
    """
    size, unit = float(count), "bytes"
    for larger in ("kB", "MB", "GB"):
        if size < 1000:
            break
        size, unit = size / 1000, larger
    return f"{count} bytes" if unit == "bytes" else f"{size:.1f} {unit}"
