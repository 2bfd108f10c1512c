"""``zoo info MODEL``: a card as a page to read."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from zoo.cards import ModelCard, Weights, load_card
from zoo.commands.arguments import Arguments
from zoo.meanings import key_meanings
from zoo.recipes import list_recipes

if TYPE_CHECKING:
    from rich.console import RenderableType

__all__ = ["main"]


def main(arguments: Sequence[str]) -> int:
    """Print one card."""
    parser = Arguments(
        "info",
        "One model: its paper, what goes in and comes out, results, weights and licences.",
        "  python -m zoo info sfsnet\n  python -m zoo info sfsnet --json   the same for a script",
    )
    parser.add_argument("model", metavar="MODEL", help="a name from python -m zoo list")
    parser.add_argument("--json", action="store_true", help="the card's fields as JSON")
    options = parser.parse_args(arguments)
    card = load_card(options.model)
    if options.json:
        import dataclasses

        print(json.dumps(dataclasses.asdict(card), indent=2, default=str))
        return 0
    from rich.console import Console

    console = Console(highlight=False)
    for part in _page(card):
        console.print(part)
    return 0


def _page(card: ModelCard) -> Iterator[RenderableType]:
    from rich.text import Text

    yield Text.assemble((card.name, "bold"), f"  {card.family}, status: {card.status}")
    yield Text(card.summary)
    yield ""
    yield Text.assemble(("paper    ", "bold"), f"{card.paper.title}. {card.paper.venue} {card.paper.year}")
    for line in (card.paper.authors, card.paper.url):
        if line:
            yield Text(f"         {line}")
    if card.code:
        yield Text.assemble(("code     ", "bold"), f"{card.code.repository} (licence: {card.code.licence})")
    yield ""
    yield _keys(card)
    yield _results(card) if card.results else ""
    yield from _weights(card)
    yield ""
    for note in card.notes:
        yield Text(f"- {' '.join(note.split())}")
    yield ""
    yield from _commands(card)


def _keys(card: ModelCard) -> RenderableType:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column()
    meanings = key_meanings()
    for title, keys in (("in", card.inputs), ("out", card.outputs)):
        for number, key in enumerate(keys):
            shape, meaning = meanings.get(key, ("", "see the module"))
            table.add_row("" if number else title, key, shape, meaning)
    size = f"sides of {card.size.min} pixels and more" + (
        f", multiples of {card.size.multiple}" if card.size.multiple > 1 else ""
    )
    crop = "; faces are found and cut out by predict" if card.faces == "crop" else ""
    table.add_row("size", "", "", f"trained at {card.size.train}; {size}{crop}")
    return table


def _results(card: ModelCard) -> RenderableType:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for column in ("data", "metric", "paper", "ours", "evidence for the paper's value"):
        table.add_column(column, justify="right" if column in ("paper", "ours") else "left")
    for row in card.results:
        arrow = "↓" if row.better == "lower" else "↑"
        unit = f" ({row.unit})" if row.unit else ""
        values = ["-" if value is None else f"{value:g}" for value in (row.paper, row.ours)]
        table.add_row(row.dataset, f"{row.metric}{unit} {arrow}", *values, row.evidence)
    return table


def _weights(card: ModelCard) -> Iterator[RenderableType]:
    from rich.text import Text

    if not card.weights:
        yield Text.assemble(("weights  ", "bold"), f"none yet; python -m zoo fit --model {card.name} trains some")
    for each in card.weights:
        default = " (default)" if each == card.default_weights else ""
        place = "shipped" if each.file else "to be downloaded"
        yield Text.assemble(
            ("weights  ", "bold"), f"{each.tag}{default}: {_size(each)}, {place}, licence: {each.licence}"
        )
        yield Text(f"         trained on {each.trained_on}" + (f" by {each.command}" if each.command else ""))
        if each.metrics:
            yield Text("         " + ", ".join(f"{name} {value:g}" for name, value in each.metrics.items()))


def _size(weights: Weights) -> str:
    return f"{weights.bytes / 1e6:.1f} MB"


def _commands(card: ModelCard) -> Iterator[RenderableType]:
    from rich.text import Text

    for recipe in list_recipes(card.name):
        option = "" if recipe == "quick" else f" --recipe {recipe}"
        yield Text(f"python -m zoo fit --model {card.name}{option}")
    yield Text(f"python -m zoo predict --model {card.name} photo.jpg -o out")
    if card.export.formats:
        yield Text(f"python -m zoo export --model {card.name} --format {card.export.formats[0]}")
