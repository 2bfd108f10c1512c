"""``zoo export``: a model as a file that runs elsewhere."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from pathlib import Path

from zoo.commands.arguments import Arguments
from zoo.commands.overrides import read_overrides, split_overrides
from zoo.errors import UserError, ZooError
from zoo.files import human_bytes

__all__ = ["main"]


def main(arguments: Sequence[str]) -> int:
    """Export one model and print how near the file comes to it."""
    parser = Arguments(
        "export",
        "Write a model as ONNX or as a PyTorch program (pt2), with its pre- and post-processing, under the names of\n"
        "the contract; then run the file at two sizes and batches and compare it with the model.",
        "  python -m zoo export --model sfsnet --format onnx              sfsnet.onnx, any batch and size\n"
        "  python -m zoo export --model sfsnet --format pt2 -o net.pt2    torch.export.load('net.pt2').module()\n"
        "  python -m zoo export --model sfsnet --format onnx --weights runs/sfsnet/…/last.ckpt\n"
        "  python -m zoo export --model sfsnet --format onnx --check      compare the file there\n\n"
        "exit codes: 0 written and equal within the card's tolerance, 1 written but not equal or not exportable,\n"
        "2 the command cannot be used as given",
    )
    parser.add_argument("--model", required=True, metavar="MODEL", help="a name from python -m zoo list")
    parser.add_argument("--format", required=True, choices=("onnx", "pt2"), help="kind of file")
    parser.add_argument("-o", "--output", metavar="FILE", help="where to; MODEL.onnx or MODEL.pt2 here by default")
    parser.add_argument(
        "--weights", metavar="TAG|FILE", help="a tag of the card or a checkpoint; the card's by default"
    )
    parser.add_argument("--download", action="store_true", help="fetch the weights if they are not on this machine")
    parser.add_argument("--size", metavar="WIDTHxHEIGHT", help="take this size alone; any size by default")
    parser.add_argument("--check", action="store_true", help="compare the file that is there; write nothing")
    parser.add_argument("--model.NAME", dest="overrides", metavar="VALUE", help="an argument of the model, as in fit")
    given, rest = split_overrides("export", arguments)
    return _export(parser.parse_args(rest), given)


def _export(options: argparse.Namespace, given: Sequence[tuple[str, str]]) -> int:
    from zoo.cards import load_card

    card = load_card(options.model)
    overrides = read_overrides("export", card, given)
    size = _size(options.size) if options.size else None
    path = Path(options.output or f"{card.name}.{options.format}")
    if options.format not in card.export.formats:
        known = ", ".join(card.export.formats) or "nothing"
        raise UserError(f"{card.name} does not export to {options.format}; its card lists {known}.")
    from zoo import hub
    from zoo.export import check_export, export_model

    module = hub.load(card.name, weights=options.weights, download=options.download, **overrides)
    act = check_export if options.check else export_model
    parity = act(module, card, options.format, path, size=size)
    done = "checked" if options.check else "wrote"
    print(f"{done} {path} ({human_bytes(path.stat().st_size)}): {parity}")
    if not parity.passed:
        raise ZooError(
            f"{path} is not the model: {parity.error(parity.worst)} is more than the card's tolerance "
            f"{parity.tolerance:.0e}. The docstring of zoo/export.py tells what does not export."
        )
    return 0


def _size(text: str) -> tuple[int, int]:
    """Height and width from ``WIDTHxHEIGHT``."""
    sides = re.fullmatch(r"(\d+)x(\d+)", text.lower())
    if not sides:
        raise UserError(f"--size wants WIDTHxHEIGHT, such as 256x192, not '{text}'.")
    return int(sides[2]), int(sides[1])
