"""LightningCLI with the zoo's manners: short errors, a run folder, safe checkpoints, a table at the end."""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import re
import tempfile
import warnings
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, NoReturn

import jsonargparse
import torch
import yaml
from omegaconf.errors import InterpolationKeyError
from pytorch_lightning import LightningDataModule, LightningModule, Trainer
from pytorch_lightning.callbacks import Callback, ModelCheckpoint, ProgressBar
from pytorch_lightning.cli import LightningArgumentParser, LightningCLI
from pytorch_lightning.utilities.exceptions import MisconfigurationException

from zoo.cards import list_cards
from zoo.checkpoints import read_checkpoint
from zoo.errors import UserError
from zoo.files import written_whole
from zoo.runs import Run
from zoo.training.checkpointing import LastCheckpoint, WholeFiles
from zoo.training.interruption import Interrupted, StopOnInterrupt
from zoo.training.loggers import make_loggers
from zoo.training.messages import plain_complaint
from zoo.training.pictures import PanelWriter
from zoo.training.progress import Progress
from zoo.training.report import (
    baselines_metrics,
    directions,
    print_metrics,
    print_places,
    test_metrics,
    write_metrics,
)

__all__ = ["Interrupted", "ZooCLI", "parse_with_sentences"]

# ${model.init_args.size} in a YAML file means the root of that file, also below a subcommand.
jsonargparse.set_parsing_settings(omegaconf_absolute_to_relative_paths=True)

_NOISE = (
    ".*does not have many workers.*",
    ".*GPU available but not used.*",
    ".*exists and is not empty.*",
    ".*The number of training batches.*is smaller than the logging interval.*",
    ".*in eval mode at the start of training.*",
    ".*treespec, LeafSpec.*",
    ".*Using `DistributedSampler` with the dataloaders.*",
    ".*callbacks used to create the checkpoint need to be provided.*",
    ".*Checkpoint directory.*",
    ".*The dirpath has changed.*",
    ".*resuming from a checkpoint that ended before the epoch ended.*",
    ".*compute.. method of metric .* was called before the .*update.*",
    ".*ModelCheckpoint.*could not find the monitored key.*",
)
"""Warnings that nobody who trains a model here can act on."""


class _Refused(SystemExit):
    """A complaint on its way out: jsonargparse collects ordinary exceptions into a longer text, but not this."""


class _Parsed(Exception):
    """The arguments are good, and that was all that was asked."""


class _Parser(LightningArgumentParser):
    """Leaves with one sentence in place of printing the whole usage."""

    classes: dict[str, str] = {}  # noqa: RUF012 - of the process: the sub-parsers are made by Lightning
    given: tuple[str, ...] = ()

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        options = [option for action in self._actions for option in action.option_strings]
        raise _Refused(plain_complaint(message, self.given, options, self.classes)) from ex


def parse_with_sentences(build: Callable[[LightningArgumentParser], None], arguments: Sequence[str]) -> Any:
    """Parse arguments outside of training and make the objects that they name, with the same short complaints.

    Args:
        build: Adds arguments to the parser.
        arguments: The verb, for messages, and the arguments.

    Raises:
        UserError: An argument cannot be used.
    """
    _quieten()
    _Parser.given, _Parser.classes = tuple(arguments), _classes(arguments)
    parser = _Parser(parser_mode="omegaconf+")
    parser.add_argument("--config", action=jsonargparse.ActionConfigFile)
    build(parser)
    try:
        return parser.instantiate_classes(parser.parse_args(list(arguments[1:])))
    except _Refused as refused:
        raise UserError(str(refused.code)) from None


class ZooCLI(LightningCLI):
    """Runs fit, validate, test or predict for any module and data, from arguments in Lightning's own form.

    Args:
        arguments: The verb and its arguments.
        run: The run's folder.
        model_name: The model's name, for loggers and messages.
        logger: ``wandb``, ``csv`` or ``none``.
        start_from: A checkpoint whose weights ``fit`` starts from, or which another verb uses; ``weights`` in the
            arguments goes before it.
        report: Whether ``fit`` ends with the test and its table.
        only_parse: Stop when the arguments have been found good.

    Raises:
        UserError: The arguments cannot be used.
        Interrupted: Training was stopped, and can be resumed.
    """

    def __init__(
        self,
        arguments: Sequence[str],
        run: Run,
        model_name: str,
        *,
        logger: str = "wandb",
        start_from: str | Path | None = None,
        report: bool = True,
        only_parse: bool = False,
    ) -> None:
        self.run, self.model_name = run, model_name
        self.wished_logger, self.start_from, self.report, self.only_parse = logger, start_from, report, only_parse
        _quieten()
        with tempfile.TemporaryDirectory() as folder, contextlib.suppress(_Parsed):
            self._parse_and_go(_with_constructor_arguments(list(arguments), Path(folder)))

    def _parse_and_go(self, arguments: list[str]) -> None:
        _Parser.given, _Parser.classes = tuple(arguments), _classes(arguments)
        super().__init__(
            LightningModule,
            LightningDataModule,
            save_config_callback=None,
            seed_everything_default=0,
            trainer_defaults={"enable_model_summary": False, "log_every_n_steps": 10},
            parser_class=_Parser,
            parser_kwargs={"parser_mode": "omegaconf+"},
            subclass_mode_model=True,
            subclass_mode_data=True,
            args=arguments,
            auto_configure_optimizers=False,
        )

    # Arguments

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Beside Lightning's: what describes data to people, and weights to start from."""
        parser.add_argument("--about", type=dict[str, Any] | None, default=None, help=argparse.SUPPRESS)
        parser.add_argument(
            "--weights",
            type=str | None,
            default=None,
            help="A tag on the card or a file to start from; 'none' for none.",
        )

    def parse_arguments(self, parser: LightningArgumentParser, args: Any) -> None:
        """Parse what we were given; Lightning's own version warns that ``sys.argv`` says something else."""
        try:
            self.config = parser.parse_args(args)
        except _Refused as refused:
            raise UserError(str(refused.code)) from None
        except InterpolationKeyError as error:  # other data than the recipe was written for
            raise UserError(_lost_reference(str(error))) from error
        if self.only_parse:
            self._check_folder()
            raise _Parsed

    def _check_folder(self) -> None:
        """A person's folder that is not there is told at once, not when a later stage comes to it."""
        data = self.config[self.config["subcommand"]].get("data") or {}
        folder = (data.get("init_args") or {}).get("folder")
        if not isinstance(folder, str | os.PathLike):
            return
        path = Path(folder).expanduser()
        if not path.is_dir() and not path.resolve().is_relative_to(self.run.folder.resolve()):
            raise UserError(f"there is no folder {folder}; --data.folder FOLDER names it.")

    def _parse_ckpt_path(self) -> None:
        """Nothing: the checkpoint's constructor arguments were put before the person's flags, which win."""

    @property
    def options(self) -> Any:
        """The parsed options of the verb."""
        return self.config[self.subcommand]

    # Objects

    def instantiate_classes(self) -> None:
        """Make model, data and trainer; what their constructors refuse is the person's to mend."""
        try:
            super().instantiate_classes()
        except (MisconfigurationException, ValueError, TypeError) as error:
            raise UserError(_own_words(error) or " ".join(str(error).split())) from error
        self._check_checkpoint()
        self._load_weights()

    def instantiate_trainer(self, **kwargs: Any) -> Trainer:
        """A trainer with the zoo's callbacks, loggers and checkpoint files."""
        self.last = LastCheckpoint(self.run)
        self.stop = StopOnInterrupt(self.last)
        self.pictures = PanelWriter(self.run)
        settings = self.options["trainer"]
        if settings.get("logger") in (None, True):
            kwargs["logger"] = make_loggers(self.wished_logger, self.run, self.model_name)
        given = self._get(self.config_init, "trainer")
        callbacks = _as_list(given.get("callbacks"))
        own: list[Callback] = [self.pictures]
        if settings.get("enable_progress_bar") is not False and not any(isinstance(c, ProgressBar) for c in callbacks):
            own.append(Progress())
        if self.subcommand == "fit":
            own += [_Announcer(self), self.stop]
            if settings.get("enable_checkpointing") is not False:
                if not any(isinstance(each, ModelCheckpoint) for each in callbacks):
                    own.append(self._best())
                own.append(self.last)
        kwargs["callbacks"] = [*callbacks, *own]
        kwargs["plugins"] = [*_as_list(given.get("plugins")), WholeFiles()]
        return super().instantiate_trainer(**kwargs)

    def _best(self) -> ModelCheckpoint:
        monitor, mode = getattr(self.model, "monitor", ("val/loss", "min"))
        return ModelCheckpoint(
            self.run.checkpoints, "best", monitor=monitor, mode=mode, save_last=False, enable_version_counter=False
        )

    def _check_checkpoint(self) -> None:
        """Say in one sentence that the tensors of ``--ckpt_path`` are not this model's; Lightning has a page for it."""
        path = self.options.get("ckpt_path")
        if path is not None:
            from zoo.hub import load_weights

            load_weights(self.model, read_checkpoint(path).state, source=str(path), name=self.model_name)

    def _load_weights(self) -> None:
        wished = self.options.get("weights")
        if wished == "none":
            return
        path = wished or self.start_from
        if path is None:
            return
        from zoo.hub import load, load_weights

        card = _card_of(self.model)
        if card is not None:
            here = {name: self.model.hparams[name] for name in self.model.machine_arguments}
            source = load(card.name, weights=path, **here)
            if self.subcommand != "fit":
                self.model = source
                return
            state = self.model.starting_weights(source.state_dict())
        else:
            state = read_checkpoint(path).state
        load_weights(self.model, state, source=str(path), name=self.model_name)

    def _prepare_subcommand_kwargs(self, subcommand: str) -> dict[str, Any]:
        kwargs = super()._prepare_subcommand_kwargs(subcommand)
        if kwargs.get("ckpt_path"):
            kwargs["weights_only"] = True  # a checkpoint holds tensors and plain types, and runs no code
        if subcommand in ("validate", "test"):
            kwargs["verbose"] = False
        return kwargs

    # Before and after

    def announce(self) -> None:
        """Write the configuration down, and say what is about to happen; called when the data is there."""
        if not self.trainer.is_global_zero:
            return
        self._write_config()
        count = sum(each.numel() for each in self.model.parameters() if each.requires_grad)
        data = type(self.datamodule).__name__
        where = self.trainer.strategy.root_device.type
        print(f"{self.model_name}: {count / 1e6:.2f} M parameters on {where}, data {data}, run {self.run.folder}")

    def after_fit(self) -> None:
        """Test the best checkpoint, set it beside the baselines, and say where everything lies."""
        best = getattr(self.trainer.checkpoint_callback, "best_model_path", "")
        used = Path(best) if best and Path(best).is_file() else self.run.trained
        places: dict[str, object] = {}
        if self.report and not getattr(self.trainer, "fast_dev_run", False) and _has_test(self.datamodule):
            if used is not None:
                self.model.load_state_dict(torch.load(used, map_location="cpu", weights_only=True)["state_dict"])
            ours = test_metrics(self.trainer, self.model, self.datamodule)
            baselines = baselines_metrics(self.model, self.datamodule)
            if self.trainer.is_global_zero:
                write_metrics(self.run, ours, baselines)
                for name, theirs in baselines.items():
                    for each in self.trainer.loggers:
                        each.log_metrics({f"baseline/{name}/{key}": value for key, value in theirs.items()})
                print_metrics(f"{self.model_name} on the test data", ours, baselines, directions(self.model))
        if not self.trainer.is_global_zero:
            return
        if self.pictures.latest:
            places["panel"] = self.pictures.latest
        if used is not None:
            places["checkpoint"] = used = _from_here(used)
            if self.report and _card_of(self.model) is not None:
                places["use it"] = f"python -m zoo predict --model {self.model_name} --weights {used} photo.jpg -o out"
        if places:
            print_places(places)

    def after_validate(self) -> None:
        """Print the metrics."""
        self._after_evaluation("validation")

    def after_test(self) -> None:
        """Print the metrics."""
        self._after_evaluation("test")

    def _after_evaluation(self, what: str) -> None:
        if not self.trainer.is_global_zero:
            return
        values = {key.partition("/")[2]: float(value) for key, value in self.trainer.callback_metrics.items()}
        card = _card_of(self.model)
        # What is trained is set beside its baselines when training ends; what is not has only this moment.
        alone = what != "test" or card is None or card.trainable
        baselines = {} if alone else baselines_metrics(self.model, self.datamodule)
        print_metrics(f"{self.model_name} on the {what} data", values, baselines, directions(self.model))
        if self.pictures.latest:
            print_places({"panel": self.pictures.latest})

    def _write_config(self) -> None:
        text = self._parser(self.subcommand).dump(self.options, skip_none=False, skip_link_targets=False)
        values = yaml.safe_load(text)
        for key in ("about", "ckpt_path", "weights", "config"):
            values.pop(key, None)
        with written_whole(self.run.config) as part:
            part.write_text(yaml.safe_dump(values, sort_keys=False), encoding="utf-8")
        for logger in self.trainer.loggers:
            logger.log_hyperparams({"model_name": self.model_name, **values})


class _Announcer(Callback):
    """Speaks when the data is ready: before that, a missing data set may still end the run."""

    def __init__(self, cli: ZooCLI) -> None:
        self.cli = cli

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Announce a training run, once."""
        if stage == "fit":
            self.cli.announce()


def _lost_reference(message: str) -> str:
    """What a ``${...}`` of a recipe wanted to know, as the option that the chosen data lacks."""
    found = re.search(r"Interpolation key '\.*([\w.]+)' not found", message)
    lost = f"--{found[1].replace('.init_args', '')}" if found else "a setting"
    return (
        f"the recipe takes over {lost}, which this data does not have; "
        "give the value by hand, such as --model.size 128 for --data.size. (--model.help shows all)"
    )


def _own_words(error: BaseException) -> str | None:
    """The sentence of a ``UserError`` inside: jsonargparse wraps what a constructor raises in pages of its own."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, UserError):
            return str(seen)
        seen = seen.__cause__ or seen.__context__
    return None


def _quieten() -> None:
    """Keep the screen for what a person can act on."""
    if os.environ.get("ZOO_DEBUG"):
        return
    for name in ("pytorch_lightning", "lightning_fabric", "lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    for pattern in _NOISE:
        warnings.filterwarnings("ignore", pattern)
    warnings.filterwarnings("ignore", category=FutureWarning)
    warnings.filterwarnings("ignore", category=DeprecationWarning)


def _with_constructor_arguments(arguments: list[str], folder: Path) -> list[str]:
    """Put the constructor arguments that a checkpoint was trained with before the person's flags, which win."""
    path = _value_of("--ckpt_path", arguments)
    if path is None:
        return arguments
    checkpoint = read_checkpoint(path)
    if Path(path).suffix != ".ckpt":
        raise UserError(f"{path} holds weights alone, nothing to go on training from; start from them by --weights.")
    wanted = _classes(arguments).get("model")
    if wanted and checkpoint.class_path and _same_class(wanted, checkpoint.class_path) is False:
        raise UserError(f"{path} holds weights of {checkpoint.class_path}, not of {wanted}.")
    if not checkpoint.hparams or not (checkpoint.class_path or wanted):
        return arguments
    model = {"class_path": checkpoint.class_path or wanted, "init_args": checkpoint.hparams}
    place = 1
    while place + 1 < len(arguments) and arguments[place] == "--config":
        place += 2
    file = folder / "from_checkpoint.yaml"
    file.write_text(yaml.safe_dump({"model": model}), encoding="utf-8")
    return [*arguments[:place], "--config", str(file), *arguments[place:]]


def _same_class(one: str, other: str) -> bool:
    return one.rpartition(".")[2] == other.rpartition(".")[2]


def _value_of(option: str, arguments: Sequence[str]) -> str | None:
    value = None
    for each, following in pairwise([*arguments, ""]):
        name, equals, joined = each.partition("=")
        if name == option:
            value = joined if equals else following
    return value


def _classes(arguments: Sequence[str]) -> dict[str, str]:
    """The class paths of model and data, as the last file or flag gives them."""
    classes: dict[str, str] = {}
    for each, following in pairwise([*arguments, ""]):
        name, equals, joined = each.partition("=")
        value = joined if equals else following
        if name in ("--model", "--data"):
            classes[name[2:]] = value
        elif name in ("--config", "-c") and Path(value).is_file():
            try:
                content = yaml.safe_load(Path(value).read_text(encoding="utf-8"))
            except yaml.YAMLError:
                continue
            for group in ("model", "data"):
                entry = content.get(group) if isinstance(content, dict) else None
                if isinstance(entry, dict) and "class_path" in entry:
                    classes[group] = entry["class_path"]
    return classes


def _card_of(model: LightningModule) -> Any:
    name = getattr(model, "card_name", None)
    return next((card for card in list_cards() if card.name == name), None)


def _from_here(path: Path) -> Path:
    """The path as a person would type it here."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def _has_test(data: LightningDataModule | None) -> bool:
    return data is not None and type(data).test_dataloader is not LightningDataModule.test_dataloader


def _as_list(value: Any) -> list[Any]:
    return [] if value is None else list(value) if isinstance(value, (list, tuple)) else [value]
