"""Fixtures of the authors' networks: weights by rule, inputs, outputs. Tests skip where they are missing."""

from __future__ import annotations

import importlib.util
import json
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True)
class Golden:
    meta: dict[str, Any]
    arrays: dict[str, np.ndarray]
    rule: ModuleType

    def state(self) -> dict[str, Tensor]:
        """The artificial weights under the authors' names, checked against the figures of the fixture."""
        meta = self.meta
        state = self.rule.golden_state(meta["state_dict"], meta["seed"], meta["keep"], meta["overrides"])
        check = meta["golden_state_check"]
        assert len(state) == check["keys_generated"]
        total = sum(float(v.astype(np.float64).sum()) for v in state.values())
        assert abs(total - check["sum"]) < 1e-6 * check["abs_sum"]
        return {k: torch.from_numpy(np.asarray(v)) for k, v in state.items()}

    def input(self, shape: tuple[int, ...], name: str = "input") -> Tensor:
        return torch.from_numpy(self.rule.golden_input(shape, self.meta["seed"], name))

    def assert_close(self, name: str, value: Tensor | np.ndarray) -> None:
        """Equal up to the order of summation: 1e-4 of the output's standard deviation."""
        atol = 1e-4 * self.meta["outputs"][name]["std"]
        np.testing.assert_allclose(np.asarray(value), self.arrays[f"out.{name}"], rtol=1e-4, atol=atol, err_msg=name)


def load_golden(shared: Path, name: str) -> Golden:
    folder = shared / "golden"
    spec = importlib.util.spec_from_file_location("golden_rule", folder / "rule.py")
    assert spec is not None
    assert spec.loader is not None
    rule = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(rule)
    arrays = dict(np.load(folder / f"{name}.npz"))
    return Golden(json.loads((folder / f"{name}.json").read_text()), arrays, rule)
