"""``zoo list``: all models."""

from __future__ import annotations

from collections.abc import Sequence

from zoo.cards import ModelCard, list_cards, models_table
from zoo.commands.arguments import Arguments
from zoo.errors import UserError

__all__ = ["main"]


def main(arguments: Sequence[str]) -> int:
    """Print the table of models."""
    parser = Arguments(
        "list",
        "All models, their papers and what they are for.",
        "  python -m zoo list                    everything\n"
        "  python -m zoo list --task intrinsic   only what has 'intrinsic' in its task or family\n"
        "  python -m zoo list --names            names alone, for scripts\n"
        "  python -m zoo list --markdown         the table of the README",
    )
    parser.add_argument("--task", default="", help="part of a task or family")
    parser.add_argument("--names", action="store_true", help="names alone, one a line")
    parser.add_argument("--markdown", action="store_true", help="as a Markdown table")
    options = parser.parse_args(arguments)
    if options.markdown:
        print(models_table(), end="")
        return 0
    cards = list_cards()
    wanted = options.task.lower()
    chosen = [card for card in cards if wanted in card.task.lower() or wanted in card.family.lower()]
    if not chosen:
        tasks = sorted({card.task for card in cards})
        raise UserError(f"no model has '{options.task}' in its task. The tasks are: {', '.join(tasks)}.")
    if options.names:
        print("\n".join(card.name for card in chosen))
    else:
        _print_table(chosen)
    return 0


def _print_table(cards: list[ModelCard]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for column in ("model", "task", "paper", "weights", "status"):
        table.add_column(column, overflow="fold", no_wrap=True)
    for card in cards:
        # a title would break every line of 80 columns; zoo info has it
        paper = f"{card.paper.venue} {card.paper.year}" if card.paper else "the zoo's own"
        table.add_row(card.name, card.task, paper, "\n".join(card.tags), card.status)
    console = Console()
    console.print(table)
    last = cards[-1]
    verb = f"fit --model {last.name} trains it" if last.trainable else f"test --model {last.name} measures it"
    console.print(
        f"python -m zoo info {last.name} tells more; python -m zoo {verb}.",
        highlight=False,
        soft_wrap=True,
    )
