"""Files from elsewhere: fetched only when asked for, verified, and never half there."""

from __future__ import annotations

import hashlib
import urllib.error
import urllib.request
from collections.abc import Sequence
from http.client import HTTPException
from pathlib import Path
from typing import IO

from zoo.errors import ZooError
from zoo.files import human_bytes, written_whole

__all__ = ["fetch"]

_CHUNK = 1 << 20
_TIMEOUT_SECONDS = 30


class _WrongFileError(Exception):
    """What arrived is not what the card promises."""


def fetch(places: Sequence[str], target: Path, *, sha256: str, size: int) -> Path:
    """Fetch a file from the first place that has the right one.

    Args:
        places: Addresses of the same file (``https:``, ``http:`` or ``file:``), tried in order.
        target: Where it goes; it appears there only after size and hash were found right.
        sha256: What it must be, in hexadecimal.
        size: How many bytes it must have.

    Returns:
        The target.

    Raises:
        ZooError: No place had it; the message gives each one's reason and says what can be done without a network.
        UserError: The target cannot be written, or the disk is full.
    """
    reasons = []
    for place in places:
        try:
            answer = urllib.request.urlopen(place, timeout=_TIMEOUT_SECONDS)
        except (OSError, HTTPException, ValueError) as error:
            reasons.append(f"{place}: {_why(error)}")
            continue
        try:
            with answer, written_whole(target) as part:
                _receive(answer, part, sha256, size, title=target.name)
        except _WrongFileError as error:
            reasons.append(f"{place}: {error}")
            continue
        return target
    raise ZooError(
        f"{target.name} could not be fetched ({'; '.join(reasons)}). Try again later, or fetch it where there is a "
        f"network and put it at {target}."
    )


def _receive(answer: IO[bytes], part: Path, sha256: str, size: int, *, title: str) -> None:
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    digest, count = hashlib.sha256(), 0
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with part.open("wb") as file, Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        bar = progress.add_task(title, total=size)
        while count <= size:
            try:
                chunk = answer.read(_CHUNK)
            except (OSError, HTTPException) as error:
                raise _WrongFileError(f"broke off after {human_bytes(count)} ({_why(error)})") from error
            if not chunk:
                break
            file.write(chunk)
            digest.update(chunk)
            count += len(chunk)
            progress.update(bar, completed=count)
    if count != size:
        what = f"sent {human_bytes(count)}" if count < size else "sent more"
        raise _WrongFileError(f"{what}, not the {human_bytes(size)} that the card says")
    if digest.hexdigest() != sha256.lower():
        raise _WrongFileError(f"sent another file (sha256 {digest.hexdigest()[:12]}…, the card says {sha256[:12]}…)")


def _why(error: Exception) -> str:
    if isinstance(error, urllib.error.HTTPError):
        return f"answered {error.code} {error.reason}"
    reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or error
    return str(getattr(reason, "strerror", None) or reason)
