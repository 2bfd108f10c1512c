"""The command line: finds the verb's file, and turns every mistake into a sentence and an exit code."""

from __future__ import annotations

import errno
import importlib
import os
import sys
from collections.abc import Sequence

from zoo.errors import UserError, ZooError
from zoo.names import near_names

__all__ = ["VERBS", "main"]

VERBS: dict[str, tuple[str, str]] = {
    "list": ("zoo.commands.list_:main", "all models, their papers and what they are for"),
    "info": ("zoo.commands.info:main", "one model: what goes in and out, results, weights, licences"),
    "fit": ("zoo.commands.fit:fit", "train a model, then test it and show what it does"),
    "validate": ("zoo.commands.fit:validate", "run a checkpoint on the validation data"),
    "test": ("zoo.commands.fit:test", "run a checkpoint on the test data"),
    "predict": ("zoo.commands.predict:main", "take pictures apart"),
    "export": ("zoo.commands.export:main", "write a model as ONNX or PyTorch program, and check it"),
    "convert": ("zoo.commands.convert:main", "turn the authors' checkpoint into ours"),
    "data": ("zoo.commands.data:main", "what data there is, where it must lie, what a batch looks like"),
    "doctor": ("zoo.commands.doctor:main", "what is installed, what is missing, what to do about it"),
}
"""Verb: (module:function that takes the arguments and returns the exit code, what it does). Imported when called."""

EXAMPLES = """\
start here:
  python -m zoo fit --model sfsnet                       train on data made on this machine, a few minutes
  python -m zoo predict --model sfsnet photo.jpg -o out  normals, albedo, shading, relit pictures
  python -m zoo info sfsnet                              what the model is, and how good

python -m zoo VERB --help shows a verb's options and examples."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: What follows the program's name; by default ``sys.argv``.

    Returns:
        0 when it worked, 2 when the command cannot be used as given, 1 when something else failed, 130 after Ctrl-C.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        return _dispatch(given)
    except ZooError as error:
        if os.environ.get("ZOO_DEBUG"):
            raise
        print(f"zoo: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("zoo: stopped.", file=sys.stderr)
        return 130
    except SystemExit as ended:  # Lightning turns Ctrl-C into this, rich a reader that has seen enough
        if isinstance(ended.__context__, KeyboardInterrupt):
            print("zoo: stopped.", file=sys.stderr)
            return 130
        if isinstance(ended.__context__, BrokenPipeError):
            return 0
        raise
    except BrokenPipeError:  # the reader of a pipe, such as head, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        if os.environ.get("ZOO_DEBUG"):
            raise
        place = f": {error.filename}" if error.filename else ""
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            print(f"zoo: no space left on the disk{place}. Make room, or give another place.", file=sys.stderr)
            return UserError.exit_code
        print(f"zoo: {(error.strerror or str(error)).lower()}{place} (ZOO_DEBUG=1 shows where)", file=sys.stderr)
        return 1
    except Exception as error:
        if os.environ.get("ZOO_DEBUG"):
            raise
        print(f"zoo: {type(error).__name__}: {_first_line(error)} (ZOO_DEBUG=1 shows where)", file=sys.stderr)
        return 1


def _dispatch(given: list[str]) -> int:
    if not given or given[0] in ("-h", "--help", "help"):
        print(_help())
        return 0
    if given[0] in ("-V", "--version"):
        from zoo import __version__

        print(__version__)
        return 0
    verb = given[0]
    if verb not in VERBS:
        near = near_names(verb, VERBS)
        guess = f" Did you mean {near[0]}?" if near else ""
        raise UserError(f"no verb named '{verb}'.{guess} (python -m zoo --help shows all)")
    module, _, function = VERBS[verb][0].partition(":")
    return int(getattr(importlib.import_module(module), function)(given[1:]))


def _help() -> str:
    verbs = "\n".join(f"  {verb:<10}{text}" for verb, (_, text) in VERBS.items())
    return f"usage: python -m zoo VERB ...   (or: zoo VERB ...)\n\nverbs:\n{verbs}\n\n{EXAMPLES}"


def _first_line(error: Exception) -> str:
    return (str(error).strip() or "no message").splitlines()[0]
