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
from zoo.commands.overrides import read_overrides, split_overrides
from zoo.errors import UserError

if TYPE_CHECKING:
    from lightning_modules.base import ZooModule
    from zoo.inference import Prediction

__all__ = ["main"]

_SMALLEST_TILE, _LARGEST_TILE = 192, 512


def main(arguments: Sequence[str]) -> int:
    """Take pictures apart; 2 when one of them could not be used."""
    given, rest = split_overrides("predict", arguments)
    options = _options(rest)
    card = load_card(options.model)
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

    overrides = read_overrides("predict", card, given)
    model = hub.load(options.model, weights=options.weights, device=_device(options.device), **overrides)
    detector = f"landmarks:{options.landmarks}" if options.landmarks else options.detector
    if options.same_person:
        _require_combining(model, len(images))
    found: list[tuple[Path, Path, Prediction]] = []
    done = 0
    for image, folder in _folders(images, output):
        try:
            prediction = predict_image(model, image, face=options.face, detector=detector, size=options.size)
            if options.same_person:  # what lies in one picture depends on all
                found.append((image, folder, prediction))
            else:
                _tell(image, _write(model, prediction, folder, raw=options.raw))
                done += 1
        except UserError as error:
            troubles.append(str(error))
    if found:
        done += _write_same_person(model, found, raw=options.raw)
    for trouble in troubles:
        print(f"zoo: {trouble}", file=sys.stderr)
    if troubles and done:
        print(f"zoo: {len(troubles)} could not be used; the other {done} lie in {output}", file=sys.stderr)
    return UserError.exit_code if troubles else 0


def _require_combining(model: ZooModule, pictures: int) -> None:
    """Say before any work that this model sees each picture by itself, or that one picture is too few."""
    from lightning_modules.base import ZooModule

    if type(model).combine is ZooModule.combine:
        model.combine(())
    if pictures < 2:
        raise UserError("--same-person joins several pictures of one person; name two or more, or leave it out.")


def _write_same_person(model: ZooModule, found: Sequence[tuple[Path, Path, Prediction]], *, raw: bool) -> int:
    """Write pictures of one person as they look together; how many."""
    from zoo.inference import same_person

    joined = same_person(model, [prediction for _, _, prediction in found])
    for (image, folder, _), prediction in zip(found, joined, strict=True):
        _tell(image, _write(model, prediction, folder, raw=raw))
    return len(found)


def _tell(image: Path, files: Sequence[Path]) -> None:
    print(f"{image} -> {files[0]}" + (f" and {', '.join(file.name for file in files[1:])}" if files[1:] else ""))


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
        "  python -m zoo predict --model sfsnet photo.jpg -o out --raw           the numbers too (layers.npz)\n"
        "  python -m zoo predict --model deep3dface photo.jpg -o out             meshes, points, a turntable too\n"
        "  python -m zoo predict --model deep3dface a.jpg b.jpg -o out --same-person   one face from several photos\n"
        "  python -m zoo predict --model deep3dface photo.jpg -o out --model.morphable ict:PATH --weights ict",
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
    parser.add_argument(
        "--same-person", action="store_true", help="all pictures show one person: join what is seen in them"
    )
    parser.add_argument("--model.NAME", dest="overrides", metavar="VALUE", help="an argument of the model, as in fit")
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


def _write(model: ZooModule, found: Prediction, folder: Path, *, raw: bool) -> list[Path]:
    """Everything of one picture into its folder: the panel first, then what the model adds."""
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
    side = max(max(picture.shape[-2:]) for picture in pictures.values())
    sheet = contact_sheet(
        [picture[0] for picture in pictures.values()],
        list(pictures),
        columns=math.ceil(len(pictures) / lines),
        tile=min(max(side, _SMALLEST_TILE), _LARGEST_TILE),
    )
    write_image(folder / "panel.png", sheet)
    return [folder / "panel.png", *model.write(found, folder)]
