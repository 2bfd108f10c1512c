"""How fast a card's ``forward`` is beside its ONNX export, and beside any other network such as the authors'.

    python tests/benchmarks/network_speed.py sfsnet
    python tests/benchmarks/network_speed.py sfsnet --beside path/to/file.py:make --size 128 --batch 8
    python tests/benchmarks/network_speed.py cgintrinsics --beside path/to/file.py:make --size 384x256

``--beside`` names a Python file and a function in it that takes nothing and returns a callable ``image -> anything``,
for instance the authors' module after ``eval()``; the file is run, so give only what you trust. All are timed in turn
in every round, so that a busy machine slows all alike; what counts is the median of the rounds' ratios.
"""

from __future__ import annotations

import argparse
import importlib.util
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

import zoo
from zoo.cards import load_card

Call = Callable[[Tensor], object]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--weights", help="a tag or file; random weights by default, which are as fast")
    parser.add_argument("--beside", metavar="FILE.py:FUNCTION", help="makes a network to be timed beside ours")
    parser.add_argument("--size", help="SIDE or WIDTHxHEIGHT; the card's training size by default")
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    card = load_card(options.model)
    module = zoo.load(card.name, options.weights) if options.weights else zoo.create(card.name).eval()
    sides = [int(side) for side in (options.size or str(card.size.train)).split("x")]
    width, height = sides[0], sides[-1]
    image = torch.rand(options.batch, 3, height, width)
    calls: dict[str, Call] = {f"{card.name} (eager)": module}
    if "onnx" in card.export.formats:
        calls[f"{card.name} (ONNX Runtime)"] = onnx_call(module, card.name, options.threads)
    if options.beside:
        calls[options.beside] = made_by(options.beside)
    parameters = sum(p.numel() for p in module.parameters())
    print(
        f"{card.name}, {parameters:,} parameters, {options.batch} x 3 x {height} x {width}, {options.threads} threads, "
        f"torch {torch.__version__}"
    )
    report(times(calls, image, options.rounds))


def onnx_call(module: torch.nn.Module, name: str, threads: int) -> Call:
    import onnxruntime

    from zoo.export import export_model

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{name}.onnx"
        print(f"ONNX: {export_model(module, load_card(name), 'onnx', path)}")
        settings = onnxruntime.SessionOptions()
        settings.intra_op_num_threads = threads
        session = onnxruntime.InferenceSession(path.read_bytes(), settings, providers=["CPUExecutionProvider"])
    return lambda image: session.run(None, {"image": image.numpy()})


def made_by(where: str) -> Call:
    file, _, function = where.rpartition(":")
    spec = importlib.util.spec_from_file_location("beside", file)
    if spec is None or spec.loader is None:
        raise SystemExit(f"{file} is no Python file")
    python = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(python)
    made: Call = getattr(python, function)()
    return made


def times(calls: dict[str, Call], image: Tensor, rounds: int) -> dict[str, list[float]]:
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    with torch.inference_mode():
        for number in range(rounds + 2):  # two to warm up
            for name, call in calls.items():
                start = time.perf_counter()
                call(image)
                if number >= 2:
                    seconds[name].append(time.perf_counter() - start)
    return seconds


def report(seconds: dict[str, list[float]]) -> None:
    first = next(iter(seconds))
    width = max(map(len, seconds))
    print(f"{'':{width}}  median ms   time / {first}, median of rounds (10 % .. 90 %)")
    for name, values in seconds.items():
        ratios = sorted(value / own for value, own in zip(values, seconds[first], strict=True))
        low, high = ratios[len(ratios) // 10], ratios[-1 - len(ratios) // 10]
        spread = f"{statistics.median(ratios):.3f} ({low:.3f} .. {high:.3f})"
        print(f"{name:{width}}  {1000 * statistics.median(values):9.1f}   {spread}")


if __name__ == "__main__":
    main()
