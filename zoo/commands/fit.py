"""``zoo fit``, ``zoo validate``, ``zoo test``: LightningCLI behind names a person remembers."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from zoo.errors import UserError
from zoo.recipes import Stage
from zoo.request import Request, read_request
from zoo.runs import VARIABLE, Run, find_run, is_main_process, new_run, newest_checkpoint
from zoo.stages import check_stage_options, stage_arguments

__all__ = ["fit", "test", "validate"]

_OPTIONS = """\
names:
  --model NAME          a model from python -m zoo list; stands for its recipe's YAML file
  --recipe NAME         quick (data made here, minutes on a CPU) unless given; paper: the paper's own
  --data NAME           other data, from python -m zoo data list
  --config FILE.yaml    your own settings on top; several may be given, the last one wins

overrides (any argument of model, data and trainer):
  --model.lr 1e-4  --data.batch_size 16  --trainer.max_steps 50  --seed_everything 7
  --model NAME --model.help     all arguments of the model
  --help-all                    all arguments of everything
  --print_config                the whole configuration as YAML, to copy and change

where it goes:
  --logger wandb|csv|none       W&B (offline unless you are logged in) and CSV; CSV alone; neither
  --run FOLDER                  in place of runs/<model>/<time>
"""

_FIT = f"""\
usage: python -m zoo fit --model NAME [options]

Train a model, test its best checkpoint, and show it beside a trivial baseline.

examples:
  python -m zoo fit --model sfsnet                             minutes on two CPU cores
  python -m zoo fit --model sfsnet --model.lr 1e-4 --trainer.max_epochs 20
  python -m zoo fit --model sfsnet --recipe paper              the paper's recipe, all stages
  python -m zoo fit --resume runs/sfsnet/2026-01-31_12-00-00   go on after Ctrl-C or a crash
  python -m zoo fit --model sfsnet --resume last               go on with the newest run
  python -m zoo fit --model sfsnet --weights runs/…/best.ckpt  start from trained weights
  python -m zoo fit --model sfsnet --trainer.strategy ddp --trainer.devices 8

{_OPTIONS}
A run's folder holds config.yaml, checkpoints/best.ckpt and last.ckpt, metrics.csv, panels/*.png and test.json."""

_EVALUATE = """\
usage: python -m zoo {verb} --model NAME [--ckpt_path FILE | --weights TAG] [options]

Run trained weights on the {what} data and print the metrics.

examples:
  python -m zoo {verb} --model sfsnet                                      the shipped weights
  python -m zoo {verb} --model sfsnet --ckpt_path runs/…/checkpoints/best.ckpt
  python -m zoo {verb} --model sfsnet --ckpt_path best                     the newest run's best
  python -m zoo {verb} --model sfsnet --data.batch_size 1

{options}"""


def fit(arguments: Sequence[str]) -> int:
    """Train."""
    if _wants_help(arguments):
        print(_FIT)
        return 0
    request = read_request("fit", arguments)
    if _only_asks(request):
        return _answer(request)
    if request.card is not None:
        request.card.require_trainable()
    if request.resume is not None:
        return _resume(request, find_run(request.model, request.resume))
    run = new_run(request.model, request.run)
    try:
        run.write_command(arguments)
        return _start(request, run)
    finally:
        run.remove_if_unused()


def validate(arguments: Sequence[str]) -> int:
    """Run weights on the validation data."""
    return _evaluate("validate", "validation", arguments)


def test(arguments: Sequence[str]) -> int:
    """Run weights on the test data."""
    return _evaluate("test", "test", arguments)


def _evaluate(verb: str, what: str, arguments: Sequence[str]) -> int:
    if _wants_help(arguments):
        print(_EVALUATE.format(verb=verb, what=what, options=_OPTIONS))
        return 0
    request = read_request(verb, arguments)
    if _only_asks(request):
        return _answer(request)
    weights = None
    named = any(each.startswith(("--ckpt_path", "--weights")) for each in request.rest)
    if not named and (request.card is None or request.card.trainable):
        if request.card is None or request.card.default_weights is None:
            raise UserError(
                f"{verb}: which weights? --ckpt_path runs/…/checkpoints/best.ckpt, or best for the newest run's."
            )
        weights = request.card.default_weights.tag
    run = new_run(request.model, request.run, suffix=f"-{verb}")
    try:
        return _run(request, request.lightning_arguments(), run, start_from=weights)
    finally:
        run.remove_if_unused()


def _start(request: Request, run: Run) -> int:
    os.environ[VARIABLE] = str(run.folder.resolve())
    if request.recipe is not None and request.recipe.staged:
        return _fit_stages(request, run)
    return _run(request, request.lightning_arguments(), run)


def _resume(request: Request, run: Run) -> int:
    """Go on with a run: a recipe of stages at its stage, anything else at its last checkpoint."""
    begun = read_request("fit", [*run.read_command(), *request.rest])
    begun = replace(begun, logger=request.logger or begun.logger)
    staged = begun.recipe is not None and begun.recipe.staged
    if staged or not run.last.is_file():
        if not staged:
            print("there is no checkpoint yet, so training starts from the beginning")
        return _start(begun, run)
    os.environ[VARIABLE] = str(run.folder.resolve())
    arguments = ["fit", "--config", str(run.config), *request.rest, "--ckpt_path", str(run.last)]
    return _run(begun, arguments, run)


def _fit_stages(request: Request, run: Run) -> int:
    """Run the stages that have not ended; each fit begins with the weights of the one before it."""
    assert request.recipe is not None
    stages = request.recipe.stages
    check_stage_options(request)
    pending = [stage for stage in stages if not run.stage(stage.name).done]
    if not pending:
        raise UserError(f"all stages of {run.folder} have ended; there is nothing to go on with.")
    for stage in pending:  # a mistake in the last stage is told now, not after days of training
        _check(request, stage, run)
    for stage in pending:
        number = stages.index(stage)
        here = run.stage(stage.name)
        here.folder.mkdir(parents=True, exist_ok=True)
        if is_main_process():
            print(f"stage {number + 1} of {len(stages)}: {stage.name}")
        arguments = stage_arguments(request, stage)
        if stage.verb == "fit" and here.last.is_file():
            arguments += ["--ckpt_path", str(here.last)]
        trained = [run.stage(each.name).trained for each in stages[:number] if each.verb == "fit"]
        final = stage == request.recipe.last_fit
        code = _run(request, arguments, here, start_from=trained[-1] if trained else None, report=final, whole=run)
        if code:
            return code
        here.mark_done()
    return 0


def _run(
    request: Request,
    arguments: Sequence[str],
    run: Run,
    *,
    start_from: str | Path | None = None,
    report: bool = True,
    whole: Run | None = None,
) -> int:
    arguments = _with_named_checkpoint(arguments, request.model)
    logger = request.logger or ("wandb" if arguments[0] == "fit" else "csv")
    from pytorch_lightning.utilities.exceptions import SIGTERMException

    from zoo.training.cli import Interrupted, ZooCLI
    from zoo.training.loggers import finish_wandb

    try:
        ZooCLI(arguments, run, request.model, logger=logger, start_from=start_from, report=report)
    except (Interrupted, SIGTERMException) as ended:
        if is_main_process():
            print(f"Saved. Go on with: python -m zoo fit --resume {(whole or run).folder}", file=sys.stderr)
        return 130 if isinstance(ended, Interrupted) else 143
    except (UserError, OSError, KeyboardInterrupt, SystemExit):
        # A full disk in the middle, or Ctrl-C in the test after training: what was saved before is not lost.
        if arguments[0] == "fit" and run.last.is_file() and is_main_process():
            print(f"What was saved can go on with: python -m zoo fit --resume {(whole or run).folder}", file=sys.stderr)
        raise
    finally:
        finish_wandb()
    return 0


def _check(request: Request, stage: Stage, run: Run) -> None:
    from zoo.training.cli import ZooCLI

    try:
        ZooCLI(stage_arguments(request, stage), run, request.model, only_parse=True)
    except UserError as error:
        raise UserError(f"stage {stage.name}: {error}") from error


def _with_named_checkpoint(arguments: Sequence[str], model: str) -> list[str]:
    """``--ckpt_path last`` and ``best`` mean those of the newest run of the model here."""
    named = list(arguments)
    for place, each in enumerate(named):
        option, _, joined = each.partition("=")
        if option == "--ckpt_path" and joined in ("last", "best"):
            named[place] = f"{option}={newest_checkpoint(model, joined)}"
        elif place and named[place - 1] == "--ckpt_path" and each in ("last", "best"):
            named[place] = str(newest_checkpoint(model, each))
    return named


def _wants_help(arguments: Sequence[str]) -> bool:
    return any(each in ("-h", "--help") for each in arguments)


def _only_asks(request: Request) -> bool:
    asks = ("--print_config", "--help-all")
    return any(each.partition("=")[0] in asks or each.endswith(".help") for each in request.rest)


def _answer(request: Request) -> int:
    """Let LightningCLI print its configuration or help; it ends the process itself."""
    from zoo.training.cli import ZooCLI

    arguments = ["--help" if each == "--help-all" else each for each in request.lightning_arguments()]
    ZooCLI(arguments, Run(Path("runs")), request.model, logger="none")
    return 0
