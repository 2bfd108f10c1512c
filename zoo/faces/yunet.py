"""YuNet through kornia: better on turned heads, gives five landmarks, needs its weights once from the network."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from zoo.errors import UserError
from zoo.faces.face import Face

__all__ = ["detect_with_yunet", "yunet_weights"]

_SOURCES = (
    "https://huggingface.co/kornia/yunet/resolve/main/yunet_final.pth",
    "https://github.com/kornia/data/raw/main/yunet_final.pth",
)
_LONGEST_SIDE = 640
_LOWEST_SCORE = 0.7

Detector = Callable[[Tensor], list[Tensor]]


def yunet_weights() -> Path:
    """Say where kornia keeps YuNet's weights; the file need not be there."""
    return Path(torch.hub.get_dir()) / "checkpoints" / "yunet_final.pth"


def detect_with_yunet(image: Tensor) -> list[Face]:
    """Find faces and five landmarks each with YuNet.

    The weights are fetched (0.4 MB) when they are not in torch's cache.

    Args:
        image: (3, H, W), sRGB-encoded, in [0, 1].

    Returns:
        Faces, the largest first; empty when there is none.

    Raises:
        UserError: The weights are neither cached nor can they be fetched, or the file is damaged.

    Source:
        Wu, Peng, Yu: "YuNet: a tiny millisecond-level face detector", 2023; weights Apache-2.0,
        ShiqiYu/libfacedetection.train, converted by kornia.
    """
    weights = yunet_weights()
    if not weights.is_file():
        _fetch(weights)
    detector = _detector(str(weights), weights.stat().st_mtime_ns)
    scale = min(1.0, _LONGEST_SIDE / max(image.shape[-2:]))
    size = [max(32, round(side * scale)) for side in image.shape[-2:]]
    picture = interpolate(image.detach().float().cpu()[None], size, mode="bilinear", antialias=True)
    with torch.inference_mode():
        (rows,) = detector(picture * 255)
    stretch = torch.tensor([image.shape[-1] / size[1], image.shape[-2] / size[0]])
    faces = [_face(row, stretch) for row in rows.clone() if row[14] >= _LOWEST_SCORE]
    return sorted(faces, key=lambda face: -face.side)


def _face(row: Tensor, stretch: Tensor) -> Face:
    """One row of kornia's result: box, five points and score, in pixels of the resized picture."""
    points = (row[:14].view(7, 2) + 0.5) * stretch - 0.5
    (left, top), (right, bottom) = points[0].tolist(), points[1].tolist()
    across = points[3] - points[2]
    roll = math.atan2(float(across[1]), float(across[0]))
    return Face((left, top, right, bottom), min(1.0, float(row[14])), points[2:].float(), roll)


@lru_cache(maxsize=1)
def _detector(weights: str, _: int) -> Detector:
    """Make the detector; the second argument is the file's time, so that a replaced file is read again."""
    from kornia.contrib import FaceDetector

    class Detector(FaceDetector):
        def preprocess(self, image: Tensor) -> Tensor:
            return image.flip(-3)  # YuNet wants BGR; not every version of kornia turns it by itself

    try:
        torch.load(weights, map_location="cpu", weights_only=True)  # older kornia would execute what is in a pickle
        return Detector(confidence_threshold=_LOWEST_SCORE).eval()
    except Exception as problem:  # a damaged file raises nearly anything
        raise UserError(f"the YuNet weights in {weights} are damaged. Delete the file to fetch it again.") from problem


def _fetch(weights: Path) -> None:
    print("fetching YuNet's weights (0.4 MB, Apache-2.0, ShiqiYu/libfacedetection.train)", file=sys.stderr)
    for source in _SOURCES:
        try:
            weights.parent.mkdir(parents=True, exist_ok=True)
            torch.hub.download_url_to_file(source, str(weights), progress=False)
            return
        except OSError as problem:  # no network, no such host, refused, no space: all of them are OSError
            reason = problem
    raise UserError(
        f"the YuNet weights cannot be fetched ({reason}). Put {_SOURCES[0]} at {weights}, "
        "or use the default detector, which needs no download."
    ) from reason
