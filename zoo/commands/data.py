"""``zoo data``: what data there is, making it ready, looking at it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.cards import read_yaml
from zoo.commands.arguments import Arguments
from zoo.errors import UserError
from zoo.meanings import key_meanings
from zoo.names import near_names
from zoo.recipes import find_data, list_data

if TYPE_CHECKING:
    from pytorch_lightning import LightningDataModule
    from torch import Tensor

__all__ = ["main"]

_HELP = """\
usage: python -m zoo data list | info NAME | prepare NAME | preview NAME [-o FILE.png]

What data there is, where it must lie, and what a batch of it looks like.

examples:
  python -m zoo data list                              all data, what it is and its terms
  python -m zoo data info celeba                       where to get it, and the layout that is expected
  python -m zoo data prepare faces                     make it now, in place of at the first fit
  python -m zoo data preview faces -o faces.png        one batch as a contact sheet, and its keys
  python -m zoo data preview folder --data.folder ~/portraits

Any argument of the data may follow: --data.size 64 --data.batch_size 8.
python -m zoo fit --model sfsnet --data NAME trains on it."""

_MASKED = ("albedo", "shading", "relit_shading", "reconstruction", "normal", "depth")
"""Keys that say nothing outside of the mask."""


def main(arguments: Sequence[str]) -> int:
    """Dispatch to list, info, prepare or preview."""
    verbs = {"list": _list, "info": _info, "prepare": _prepare, "preview": _preview}
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(_HELP)
        return 0
    verb, *rest = arguments
    if verb not in verbs:
        near = near_names(verb, verbs)
        guess = f" Did you mean {near[0]}?" if near else ""
        raise UserError(f"data has no verb '{verb}'.{guess} (python -m zoo data --help shows all)")
    if any(each in ("-h", "--help") for each in rest):
        print(_HELP)
        return 0
    return verbs[verb](rest)


def _list(arguments: Sequence[str]) -> int:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    Arguments("data list", "All data.", "  python -m zoo data list").parse_args(arguments)
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for column in ("data", "what", "made here"):
        table.add_column(column, no_wrap=column == "data")
    for name in list_data():
        about = _about(name)
        table.add_row(name, str(about.get("title", "")), "yes" if about.get("synthetic") else "no")
    console = Console(highlight=False)
    console.print(table)
    console.print("python -m zoo data info NAME tells its terms, where it comes from and how it must lie.")
    return 0


def _info(arguments: Sequence[str]) -> int:
    name = _name("info", arguments)
    Arguments("data info", "One kind of data.", "  python -m zoo data info celeba").parse_args(arguments[1:])
    about, content = _about(name), read_yaml(find_data(name))
    print(f"{name}: {about.get('title', '')}")
    for title, key in (("licence", "licence"), ("terms", "terms"), ("get it", "where")):
        if about.get(key):
            print(f"{title:<9}{' '.join(str(about[key]).split())}")
    if about.get("layout"):
        print("layout")
        print("\n".join(f"         {line}" for line in str(about["layout"]).rstrip().splitlines()))
    print("settings")
    for key, value in (content["data"].get("init_args") or {}).items():
        print(f"         --data.{key} {value}")
    print(f"use      python -m zoo fit --model MODEL --data {name}")
    return 0


def _prepare(arguments: Sequence[str]) -> int:
    name = _name("prepare", arguments)
    data = _ready(name, arguments[1:])
    for split in _splits(data):
        loader = getattr(data, f"{split}_dataloader")()
        print(f"{split:<6}{len(loader.dataset)} samples in {len(loader)} batches")
    print(f"{name} is ready: python -m zoo data preview {name} shows it")
    return 0


def _preview(arguments: Sequence[str]) -> int:
    name = _name("preview", arguments)
    output, split, rest = Path(f"{name}.png"), "", list(arguments[1:])
    for option in ("-o", "--output", "--split"):
        if option in rest:
            place = rest.index(option)
            if place + 1 == len(rest):
                raise UserError(f"data preview: {option} lacks its value.")
            value = rest[place + 1]
            del rest[place : place + 2]
            if option == "--split":
                split = value
            else:
                output = Path(value)
    if split not in ("", "train", "val", "test"):
        raise UserError(f"data preview: --split is train, val or test, not '{split}'.")
    data = _ready(name, rest, keep=False)
    batch = next(iter(getattr(data, f"{split or _splits(data)[0]}_dataloader")()))
    _draw(batch, output)
    _describe(batch)
    print(f"wrote {output}")
    return 0


def _splits(data: LightningDataModule) -> tuple[str, ...]:
    """The parts that there are to look at: data that is for evaluation has none for training."""
    return ("val", "test") if getattr(data, "evaluation_only", False) else ("train", "val", "test")


def _draw(batch: dict[str, Any], output: Path, rows: int = 6) -> None:
    from torch import Tensor

    from zoo.imaging import panel, write_image

    first = {key: value[:rows] for key, value in batch.items() if isinstance(value, Tensor) and key != "triangles"}
    columns: dict[str, Tensor] = {}
    for key, value in first.items():
        columns |= _columns(key, value, first)
    write_image(output, panel(columns))


def _columns(key: str, value: Tensor, batch: dict[str, Tensor]) -> dict[str, Tensor]:
    """The pictures of a key, by title; none of coefficients and the like."""
    from zoo.imaging import display, draw_judgements

    mask = batch.get("mask") if key in _MASKED else None
    if key == "judgements" and "image" in batch:
        return {key: draw_judgements(batch["image"], value)}
    if key in ("relit", "relit_shading"):
        meaning = "image" if key == "relit" else "shading"
        several = enumerate(value.unbind(1), 1)
        return {f"{key} {place}": display(meaning, each, mask) for place, each in several}
    try:
        return {key: display(key, value, mask)}
    except ValueError:
        return {}


def _describe(batch: dict[str, Any]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from torch import Tensor

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for column in ("key", "shape", "from", "to", "meaning"):
        table.add_column(column, no_wrap=column in ("key", "shape"))
    meanings = key_meanings()
    for key, value in batch.items():
        if isinstance(value, Tensor):
            low, high = f"{value.min().item():.3g}", f"{value.max().item():.3g}"
            table.add_row(key, str(tuple(value.shape)).replace(" ", ""), low, high, meanings.get(key, ("", ""))[1])
    Console(highlight=False).print(table)


def _name(verb: str, arguments: Sequence[str]) -> str:
    if not arguments or arguments[0].startswith("-"):
        raise UserError(f"data {verb}: which data? (python -m zoo data list shows all)")
    return find_data(arguments[0]).stem


def _about(name: str) -> dict[str, Any]:
    return dict(read_yaml(find_data(name)).get("about") or {})


def _ready(name: str, overrides: Sequence[str], keep: bool = True) -> LightningDataModule:
    """The data, made ready. Without ``keep``, what the zoo makes itself is made for one batch alone, not for all."""
    from zoo.training.data import make_data

    data = make_data(find_data(name), overrides)
    if not keep:
        for part in (data, *getattr(data, "parts", ())):
            if getattr(part, "cache", False):
                part.cache = False
    data.prepare_data()
    data.setup("fit")
    data.setup("test")
    return data
