"""``zoo convert``: the authors' checkpoint as ours."""

from __future__ import annotations

from collections.abc import Sequence

from zoo.commands.arguments import Arguments
from zoo.commands.overrides import read_overrides, split_overrides
from zoo.files import human_bytes

__all__ = ["main"]


def main(arguments: Sequence[str]) -> int:
    """Convert one file of weights."""
    parser = Arguments(
        "convert",
        "Turn the authors' checkpoint, or one of Lightning, into safetensors that name the model. No code runs.",
        "  python -m zoo convert --model sfsnet --from SfSNet.caffemodel.h5 -o sfsnet.safetensors\n"
        "  python -m zoo predict --model sfsnet --weights sfsnet.safetensors photo.jpg -o out\n"
        "  python -m zoo convert --model deep3dface --from epoch_20.pth --model.morphable bfm:PATH -o ours.safetensors",
    )
    parser.add_argument("--model", required=True, metavar="MODEL", help="a name from python -m zoo list")
    parser.add_argument("--from", dest="source", required=True, metavar="FILE", help=".pth, .ckpt, .safetensors or .h5")
    parser.add_argument("-o", "--output", required=True, metavar="FILE", help="the safetensors file to make")
    parser.add_argument("--half", action="store_true", help="store float16: half the size, slightly rounded")
    parser.add_argument("--model.NAME", dest="overrides", metavar="VALUE", help="an argument of the model, as in fit")
    given, rest = split_overrides("convert", arguments)
    options = parser.parse_args(rest)
    from zoo.cards import load_card

    card = load_card(options.model)
    from zoo import hub

    overrides = read_overrides("convert", card, given)
    path = hub.convert_file(card.name, options.source, options.output, half=options.half, **overrides)
    print(f"wrote {path} ({human_bytes(path.stat().st_size)}); use it with --weights {path}")
    return 0
