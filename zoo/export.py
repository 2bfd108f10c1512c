"""Modules as files that run elsewhere: ONNX, and PyTorch's own ``.pt2``; each is compared with the module.

What is exported is ``forward``, with its pre- and post-processing: inputs and outputs are those on the card, under
the names of ``zoo.contract``. Batch, height and width stay free where the card's size allows it. The file is then run
at two sizes and batches that the export has not seen, and the largest absolute error of each output is reported.

For authors of modules. These export with free sizes: convolutions and transposed convolutions, normalisation layers,
spectral norm, pooling (``ceil_mode`` too), ``mean((2, 3))`` and ``adaptive_avg_pool2d(x, 1)``, padding to a multiple
and cropping back, ``interpolate`` (bilinear, bicubic, nearest) by a factor or to a size, ``F.normalize``, ``where`` and
powers (sRGB curves), ``flip``, ``stack`` of ``unbind``, ``einsum``, ``grid_sample``, ``pixel_shuffle``, ``cross``,
``sort``, ``quantile``, and plain attention as ``softmax(q @ k.mT) @ v``. These do not:

* An ``if`` on a size: one branch is frozen, and the comparison fails at other sizes. An ``if`` on data is refused. Use
  arithmetic on sizes and ``torch.where`` on data.
* ``linspace(-1, 1, h)``: the size is frozen. Use ``(arange(h) + 0.5) / h * 2 - 1``.
* ``ConvTranspose2d(output_size=...)``: crop or interpolate its output.
* ``adaptive_avg_pool2d(x, n)`` with n > 1, ``interpolate(mode="area")``, and ``antialias=True`` by a factor that does
  not divide the size: ONNX does something else. Pool by fixed kernels; give sizes instead of factors.
* A convolution grouped over the batch (StyleGAN2's usual trick). Scale the input and output of one convolution.
* ``linalg.inv``, ``svd``, ``median``, ``scaled_dot_product_attention``, ``fft``: pt2 has them, ONNX or its runtime not.
* Random numbers drawn in ``forward``: take noise as an argument or keep it in a buffer.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import logging
import math
import os
import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from zoo.cards import ModelCard
from zoo.contract import KEYS
from zoo.errors import UserError, ZooError
from zoo.files import written_whole

__all__ = ["FORMATS", "Format", "Parity", "check_export", "export_model"]

Format = Literal["onnx", "pt2"]
FORMATS: tuple[Format, ...] = ("onnx", "pt2")

_TRACED_BATCH = 2  # not 1, which the tracer takes for a constant
_CHECKED_BATCHES = (1, 3)

Run = Callable[[Mapping[str, Tensor]], dict[str, Tensor]]


@dataclass(frozen=True)
class Parity:
    """How near an exported file comes to its module.

    Args:
        path: The file.
        errors: For each output the largest absolute error; for whole numbers the share of values that differ.
        scales: For each output its own largest absolute value, or one if that is larger.
        cases: Where it was measured: (batch, height, width).
        tolerance: The card's limit, as a part of the scale: absolute for outputs up to one, relative above, where
            float32 has no more digits.
    """

    path: Path
    errors: dict[str, float]
    scales: dict[str, float]
    cases: tuple[tuple[int, int, int], ...]
    tolerance: float

    @property
    def worst(self) -> str:
        """The output that is farthest off for its scale."""
        return max(self.errors, key=lambda name: self.errors[name] / self.scales[name])

    @property
    def passed(self) -> bool:
        """Whether every output is within the tolerance."""
        return self.errors[self.worst] <= self.tolerance * self.scales[self.worst]

    def __str__(self) -> str:
        errors = ", ".join(self.error(name) for name in self.errors)
        cases = " and ".join(f"{width}x{height} batch {batch}" for batch, height, width in self.cases)
        return f"largest error against torch {errors} at {cases}"

    def error(self, name: str) -> str:
        """One output's error for a person, with the output's scale where that is large."""
        number = re.sub(r"e([+-])0", r"e\1", f"{self.errors[name]:.0e}")
        return f"{name} {number}" + (f" of {self.scales[name]:.0f}" if self.scales[name] >= 10 else "")


def export_model(
    module: nn.Module, card: ModelCard, kind: Format, path: str | Path, *, size: tuple[int, int] | None = None
) -> Parity:
    """Write a module as a file, and compare the file with the module.

    Args:
        module: On the CPU, in evaluation mode.
        card: Says what goes in and out, which sizes are possible, and the tolerance.
        kind: ``onnx`` or ``pt2``.
        path: The file to make; it appears whole or not at all.
        size: Height and width, where the file shall take these alone; by default they are free if the card allows it.

    Returns:
        The comparison. It is for the caller to refuse a file that has not passed.

    Raises:
        UserError: The format is not on the card, a package is missing, or the file cannot be written.
        ZooError: ``forward`` holds something that cannot be exported, or the file does not run.
    """
    if kind not in card.export.formats:
        known = ", ".join(card.export.formats) or "none"
        raise UserError(f"{card.name} does not export to {kind}; its card lists {known}.")
    if module.training or any(p.device.type != "cpu" for p in module.parameters()):
        raise UserError(f"export wants {card.name} on the CPU in evaluation mode: module.cpu().eval().")
    if kind == "onnx":
        _need_onnx()
    sizes = _Sizes.of(card, size)
    with _quiet():
        program = _trace(module, card, sizes, as_dict=kind == "pt2")
        content = _to_pt2(program) if kind == "pt2" else _to_onnx(program, card, sizes)
    with written_whole(path) as part:
        part.write_bytes(content)
    return check_export(module, card, kind, path, size=size)


def check_export(
    module: nn.Module, card: ModelCard, kind: Format, path: str | Path, *, size: tuple[int, int] | None = None
) -> Parity:
    """Compare an exported file with its module; arguments, results and errors are those of ``export_model``."""
    path = Path(path)
    if not path.exists():
        raise UserError(f"there is no file {path} to check; leave out --check to write it.")
    run = _onnx_runner(path, card) if kind == "onnx" else _pt2_runner(path)
    errors, scales = dict.fromkeys(card.outputs, 0.0), dict.fromkeys(card.outputs, 1.0)
    cases = tuple(_Sizes.of(card, size).checked)
    for batch, height, width in cases:
        inputs = _example_inputs(card, batch, height, width, seed=height)
        with torch.no_grad():
            expected = _ordered(module, card)(*inputs.values())
        try:
            with _quiet():
                found = run(inputs)
        except Exception as error:  # a runtime raises its own kinds
            raise ZooError(
                f"{path} was written, but does not run at {width}x{height} batch {batch}: {_first_line(error)}"
            ) from error
        for name in card.outputs:
            errors[name] = max(errors[name], _distance(found[name], expected[name]))
            scales[name] = max(scales[name], _scale(expected[name]))
    return Parity(path, errors, scales, cases, card.export.tolerance)


@dataclass(frozen=True)
class _Sizes:
    """Which sizes are traced and which compared, as (batch, height, width).

    They are odd where the card allows it, because rounding errors in sizes hide behind powers of two.
    """

    traced: tuple[int, int, int]
    checked: list[tuple[int, int, int]]
    fixed: bool
    smallest: int

    @classmethod
    def of(cls, card: ModelCard, size: tuple[int, int] | None) -> _Sizes:
        multiple = max(card.size.multiple, 1)

        def up(side: float) -> int:
            return math.ceil(side / multiple) * multiple

        smallest = up(card.size.min)
        given = [size] if size else [(int(height), int(width)) for height, width in card.export.sizes]
        for height, width in given:
            if min(height, width) < smallest or height % multiple or width % multiple:
                rule = f"at least {smallest}" + (f" and a multiple of {multiple}" if multiple > 1 else "")
                raise UserError(f"{card.name} cannot be exported at {width}x{height}: each side must be {rule}.")
        if len(given) == 1:
            checked = [(batch, *given[0]) for batch in _CHECKED_BATCHES]
            return cls((_TRACED_BATCH, *given[0]), checked, True, smallest)
        base = max(smallest, 64)
        train = max(up(card.size.train), smallest)
        sizes = given or [(train, train), (up(base + 35), up(base + 97))]
        checked = [(_CHECKED_BATCHES[i % 2], *each) for i, each in enumerate(sizes)]
        # Beyond the training size, where a U-Net's bottleneck can be one pixel, which the tracer takes for a constant.
        beyond = max(base, train)
        return cls((_TRACED_BATCH, up(beyond + 11), up(beyond + 37)), checked, False, smallest)


class _Ordered(nn.Module):
    """A module whose outputs are those on the card, in the card's order."""

    def __init__(self, module: nn.Module, card: ModelCard, as_dict: bool) -> None:
        super().__init__()
        self.module, self.names, self.as_dict = module, tuple(card.outputs), as_dict

    def forward(self, *inputs: Tensor) -> Any:
        outputs = self.module(*inputs)
        lost = [name for name in self.names if name not in outputs]
        if lost:
            raise ZooError(f"forward does not give {', '.join(lost)}, which the card lists among its outputs.")
        chosen = {name: outputs[name] for name in self.names}
        return chosen if self.as_dict else tuple(chosen.values())


def _ordered(module: nn.Module, card: ModelCard) -> nn.Module:
    return _Ordered(module, card, as_dict=True)


def _shape(card: ModelCard, name: str) -> tuple[str, ...]:
    """An input's shape in letters: the contract's, or the card's ``export.inputs`` where that leaves one open."""
    shape = card.export.inputs.get(name) or KEYS[name].shape
    letters = tuple(str(each).partition("|")[0] for each in shape)
    unknown = [each for each in letters if each not in ("B", "H", "W") and not each.isdigit()]
    if unknown:
        example = f"export.inputs: {{{name}: [B, 80]}}"
        raise UserError(f"{card.name}: to export, the card must give sizes for '{name}', as in {example}.")
    return letters


def _example_inputs(card: ModelCard, batch: int, height: int, width: int, *, seed: int) -> dict[str, Tensor]:
    """Noise in each input's range: it shows errors of resampling and padding that smooth pictures hide."""
    random = torch.Generator().manual_seed(seed)
    sizes = {"B": batch, "H": height, "W": width}
    inputs = {}
    for name in card.inputs:
        key = KEYS[name]
        shape = [sizes.get(letter) or int(letter) for letter in _shape(card, name)]
        if not key.dtype.is_floating_point:
            inputs[name] = torch.randint(0, 2, shape, generator=random, dtype=key.dtype)
        elif key.low is None and key.high is None:
            inputs[name] = torch.randn(shape, generator=random)
        else:
            low = key.low or 0.0
            inputs[name] = low + ((key.high or 1.0) - low) * torch.rand(shape, generator=random)
    return inputs


def _trace(module: nn.Module, card: ModelCard, sizes: _Sizes, *, as_dict: bool) -> torch.export.ExportedProgram:
    from torch.export import Dim

    inputs = tuple(_example_inputs(card, *sizes.traced, seed=0).values())
    side = Dim.DYNAMIC(min=sizes.smallest)
    free = {"B": Dim.DYNAMIC(min=1)} | ({} if sizes.fixed else {"H": side, "W": side})
    shapes = tuple({i: free[x] for i, x in enumerate(_shape(card, name)) if x in free} for name in card.inputs)
    try:
        with torch.no_grad():
            program = torch.export.export(
                _Ordered(module, card, as_dict),
                inputs,
                dynamic_shapes=(shapes,),
                strict=False,
                prefer_deferred_runtime_asserts_over_guards=True,
            )
    except ZooError:
        raise
    except Exception as error:  # the tracer raises dozens of kinds
        if os.environ.get("ZOO_DEBUG"):
            raise
        hint = "" if sizes.fixed else ", and --size WIDTHxHEIGHT fixes the size"
        raise ZooError(
            f"{card.name} cannot be traced: {_reason(error)}. The docstring of zoo/export.py lists what can{hint}."
        ) from error
    _drop_asserts(program)
    return program


def _drop_asserts(program: torch.export.ExportedProgram) -> None:
    """Take out the tracer's assertions about sizes.

    It asserts what held at the traced size, such as that padding was not zero, where the operations are right at every
    size. ONNX drops these assertions; without them pt2 takes the same sizes. The comparison at others guards both.
    """
    for module in program.graph_module.modules():  # loops and branches are modules inside
        if not isinstance(module, torch.fx.GraphModule):
            continue
        graph = module.graph
        for node in [node for node in graph.nodes if node.op == "call_function" and "assert" in str(node.target)]:
            graph.erase_node(node)
        graph.eliminate_dead_code()
        module.recompile()


def _to_pt2(program: torch.export.ExportedProgram) -> bytes:
    content = io.BytesIO()  # torch's own writer turns a full disk into an unreadable error
    torch.export.save(program, content)
    return content.getvalue()


def _to_onnx(program: torch.export.ExportedProgram, card: ModelCard, sizes: _Sizes) -> bytes:
    from zoo import __version__

    letters = {"B": "batch"} if sizes.fixed else {"B": "batch", "H": "height", "W": "width"}
    names = tuple({i: letters[x] for i, x in enumerate(_shape(card, n)) if x in letters} for n in card.inputs)
    try:
        converted = torch.onnx.export(
            program,
            input_names=list(card.inputs),
            output_names=list(card.outputs),
            dynamic_shapes=(names,),
            dynamo=True,
            verbose=False,
        )
    except Exception as error:  # the exporter raises its own kinds
        if os.environ.get("ZOO_DEBUG"):
            raise
        raise ZooError(
            f"{card.name} has no ONNX form: {_reason(error)}. The docstring of zoo/export.py lists what has one."
        ) from error
    assert converted is not None
    proto = converted.model_proto
    proto.doc_string = f"{card.name}: {card.summary} Exported by Prior Zoo {__version__}."
    for value in (*proto.graph.input, *proto.graph.output):
        value.doc_string = KEYS[value.name].meaning
    return bytes(proto.SerializeToString())


def _need_onnx() -> None:
    for package in ("onnx", "onnxscript", "onnxruntime"):
        try:
            importlib.import_module(package)
        except ImportError as error:
            raise UserError(f'ONNX needs the package {package}: pip install "prior-zoo[export]"') from error


def _onnx_runner(path: Path, card: ModelCard) -> Run:
    _need_onnx()
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's errors share no base class
        raise ZooError(f"{path} cannot be opened by onnxruntime: {_first_line(error)}") from error

    def run(inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        outputs = session.run(list(card.outputs), {name: value.numpy() for name, value in inputs.items()})
        return {name: torch.from_numpy(value) for name, value in zip(card.outputs, outputs, strict=True)}

    return run


def _pt2_runner(path: Path) -> Run:
    try:
        with _quiet():
            module = torch.export.load(str(path)).module()
    except Exception as error:  # whatever a damaged archive makes of it
        raise ZooError(f"{path} cannot be read back: {_first_line(error)}") from error

    def run(inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        with torch.no_grad():
            outputs: dict[str, Tensor] = module(*inputs.values())
        return outputs

    return run


def _distance(found: Tensor, expected: Tensor) -> float:
    """The largest absolute error, or the share of whole numbers that differ; infinite for another shape or NaN."""
    if found.shape != expected.shape:
        return math.inf
    if not expected.is_floating_point():
        return float((found != expected).double().mean())
    error = float((found.double() - expected.double()).abs().max()) if expected.numel() else 0.0
    return math.inf if math.isnan(error) else error


def _scale(values: Tensor) -> float:
    if not values.is_floating_point() or not values.numel():
        return 1.0
    return float(values.nan_to_num(0.0, 0.0, 0.0).abs().max())


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Exporters speak at length to the developers of exporters."""
    disabled = logging.root.manager.disable
    with (
        warnings.catch_warnings(),
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
    ):
        warnings.simplefilter("ignore")
        logging.disable(logging.ERROR)
        try:
            yield
        finally:
            logging.disable(disabled)


def _first_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0][:300].rstrip(".") if lines else type(error).__name__


def _reason(error: BaseException) -> str:
    """The one telling line of an exporter's page-long error."""
    text = "\n".join(str(each) for each in (error.__cause__, error) if each)
    telling = re.search(r"(Not all values of .*|You marked .*|Could not guard .*|No ONNX function found for .*)", text)
    if "is inconsistent" in text:
        return "a layer of its network takes one size only"
    line = telling[1] if telling else _first_line(error.__cause__ or error)
    return re.sub(r"\s+", " ", re.sub(r"\x1b\[[0-9;]*m", "", line))[:300].rstrip(". ")
