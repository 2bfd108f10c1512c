"""What each key of ``zoo.contract`` means, for screens that must not wait for PyTorch to be imported."""

from __future__ import annotations

import ast
from pathlib import Path

__all__ = ["key_meanings"]


def key_meanings() -> dict[str, tuple[str, str]]:
    """Shape and meaning of every key, read from the source of ``zoo/contract.py`` without running it.

    Example:
        >>> key_meanings()["mask"]
        ('(B,1,H,W)', '1 where the sample is valid')
    """
    source = Path(__file__).with_name("contract.py").read_text(encoding="utf-8")
    for node in ast.parse(source).body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.target.id == "KEYS":
            assert isinstance(node.value, ast.Dict)
            return {_text(key): _entry(value) for key, value in zip(node.value.keys, node.value.values, strict=True)}
    raise AssertionError("zoo/contract.py no longer defines KEYS as a literal")


def _entry(call: ast.expr) -> tuple[str, str]:
    assert isinstance(call, ast.Call)
    shape = ",".join(ast.literal_eval(call.args[0]))
    return f"({shape})", _text(call.args[1])


def _text(node: ast.expr | None) -> str:
    assert isinstance(node, ast.Constant)
    return str(node.value)
