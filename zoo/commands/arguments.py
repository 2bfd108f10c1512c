"""The argument parser of the small verbs: help that teaches, and mistakes in one sentence."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from typing import Any, NoReturn

from zoo.errors import UserError
from zoo.names import near_names

__all__ = ["Arguments"]


class Arguments(argparse.ArgumentParser):
    """An ``ArgumentParser`` that raises ``UserError`` with a near-miss instead of printing its usage.

    Args:
        verb: The verb that it parses for, such as ``"info"`` or ``"data preview"``.
        summary: One sentence.
        examples: Commands to copy, one a line, each with what it does.
    """

    def __init__(self, verb: str, summary: str, examples: str) -> None:
        super().__init__(
            prog=f"python -m zoo {verb}",
            description=summary,
            epilog=f"examples:\n{examples}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        self.verb = verb

    def error(self, message: str) -> NoReturn:
        """Raise the parser's message with the next command to type."""
        missing = re.fullmatch(r"the following arguments are required: (.*)", message)
        if missing:
            message = f"{missing[1]} {'are' if ', ' in missing[1] else 'is'} missing"
        raise UserError(f"{self.verb}: {message}. ({self.prog} --help shows the options)")

    def parse_args(self, args: Sequence[str] | None = None, namespace: Any = None) -> argparse.Namespace:  # type: ignore[override]
        """Parse, and say the nearest option's name where one is not known."""
        given = list(args or [])
        known = sorted(self._option_string_actions)
        for each in given:
            if each == "--":
                break
            name = each.partition("=")[0]
            if name.startswith("--") and name not in known:
                near = near_names(name.lstrip("-"), [option.lstrip("-") for option in known])
                guess = f" Did you mean --{near[0]}?" if near else ""
                raise UserError(f"{self.verb} has no option {name}.{guess} ({self.prog} --help shows all)")
        values, rest = self.parse_known_args(given, namespace)
        if rest:
            self.error(f"'{rest[0]}' is one argument too many")
        return values
