"""``zoo predict``: pictures in, layers and panels out."""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.cards import load_card
from zoo.commands.arguments import Arguments
from zoo.errors import UserError

if TYPE_CHECKING:
    from zoo.inference import Prediction

__all__ = ["main"]

_SMALLEST_TILE, _LARGEST_TILE = 192, 512


def main(arguments: Sequence[str]) -> int:
    """Take pictures apart; 2 when one of them could not be used."""
    options = _options(arguments)
    load_card(options.model)
    output = _writable(Path(options.output))
    from zoo.imaging import find_images

    troubles: list[str] = []
    images: list[Path] = []
    for source in options.images:
        try:
            images += find_images([source])
        except UserError as error:
            troubles.append(str(error))
    if not images:
        raise UserError("\nzoo: ".join(troubles))
    from zoo import hub
    from zoo.inference import predict_image

    model = hub.load(options.model, weights=options.weights, device=_device(options.device))
    detector = f"landmarks:{options.landmarks}" if options.landmarks else options.detector
    done = 0
    for image, folder in _folders(images, output):
        try:
            found = predict_image(model, image, face=options.face, detector=detector, size=options.size)
            print(f"{image} -> {_write(found, folder, raw=options.raw)}")
            done += 1
        except UserError as error:
            troubles.append(str(error))
    for trouble in troubles:
        print(f"zoo: {trouble}", file=sys.stderr)
    if troubles and done:
        print(f"zoo: {len(troubles)} could not be used; the other {done} lie in {output}", file=sys.stderr)
    return UserError.exit_code if troubles else 0


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = Arguments(
        "predict",
        "Take pictures apart: every layer as a picture, further views such as other lights, and one panel each.\n"
        "They land in OUT/<name of the picture>/.",
        "  python -m zoo predict --model sfsnet photo.jpg -o out\n"
        "  python -m zoo predict --model sfsnet holiday/ 'more/*.png' -o out     folders and patterns\n"
        "  python -m zoo predict --model sfsnet crop.png -o out --face whole     it is a face crop already\n"
        "  python -m zoo predict --model sfsnet group.jpg -o out --face 1        the second largest face\n"
        "  python -m zoo predict --model sfsnet photo.jpg -o out --weights runs/sfsnet/…/checkpoints/best.ckpt\n"
        "  python -m zoo predict --model sfsnet photo.jpg -o out --raw           the numbers too (layers.npz)",
    )
    parser.add_argument("images", nargs="+", metavar="IMAGE", help="files, folders, patterns in quotes")
    parser.add_argument("--model", required=True, metavar="MODEL", help="a name from python -m zoo list")
    parser.add_argument("-o", "--output", required=True, metavar="OUT", help="folder for the pictures")
    parser.add_argument(
        "--weights", metavar="TAG|FILE", help="a tag of the card or a checkpoint; the card's by default"
    )
    parser.add_argument("--face", default="largest", metavar="WHICH", help="largest, whole, or a number from 0")
    parser.add_argument("--detector", default="auto", metavar="NAME", help="auto, cascade or yunet")
    parser.add_argument("--landmarks", metavar="FILE", help="5 or 68 lines of 'x y'; a folder holds one file a picture")
    parser.add_argument(
        "--size", type=int, metavar="PIXELS", help="side of the face crop; the one of training by default"
    )
    parser.add_argument("--device", default="auto", metavar="DEVICE", help="cpu, cuda, cuda:1; a GPU if there is one")
    parser.add_argument("--raw", action="store_true", help="also write layers.npz, in the units of the contract")
    return parser.parse_args(arguments)


def _writable(folder: Path) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / ".zoo"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise UserError(f"cannot write into {folder}: {error.strerror}; give another folder by -o.") from error
    return folder


def _device(wished: str) -> str:
    if wished != "auto":
        return wished
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def _folders(images: Iterable[Path], output: Path) -> list[tuple[Path, Path]]:
    """Each picture with a folder of its own, numbered where names repeat."""
    taken: dict[str, int] = {}
    places = []
    for image in dict.fromkeys(images):
        number = taken[image.stem] = taken.get(image.stem, 0) + 1
        places.append((image, output / (image.stem if number == 1 else f"{image.stem}-{number}")))
    return places


def _write(found: Prediction, folder: Path, *, raw: bool) -> Path:
    from zoo.imaging import contact_sheet, write_image

    pictures = found.pictures()
    for title, picture in pictures.items():
        write_image(folder / f"{title.replace(' ', '_')}.png", picture[0])
    if raw:
        import numpy as np

        from zoo.files import written_whole

        with written_whole(folder / "layers.npz") as part, part.open("wb") as file:
            arrays: dict[str, Any] = {key: value[0].numpy() for key, value in found.layers.items()}
            np.savez_compressed(file, **arrays)
    lines = math.ceil(len(pictures) / 5)
    side = max(next(iter(pictures.values())).shape[-2:])
    sheet = contact_sheet(
        [picture[0] for picture in pictures.values()],
        list(pictures),
        columns=math.ceil(len(pictures) / lines),
        tile=min(max(side, _SMALLEST_TILE), _LARGEST_TILE),
    )
    write_image(folder / "panel.png", sheet)
    return folder / "panel.png"
