"""What must answer at once imports no PyTorch; and the exit codes, as a person sees them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROBE = """
import sys
from zoo.cli import main
code = main(sys.argv[1:])
heavy = sorted({"torch", "pytorch_lightning", "numpy", "timm", "kornia", "jsonargparse"} & set(sys.modules))
sys.exit(f"imported {heavy}" if heavy else code)
"""


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ([], 0, "usage: python -m zoo VERB"),
        (["--help"], 0, "start here:"),
        (["list"], 0, "sfsnet"),
        (["list", "--names"], 0, "sfsnet\n"),
        (["info", "SfSNet"], 0, "CVPR 2018"),
        (["info", "sfnset"], 2, "no model named 'sfnset'. Did you mean sfsnet? (python -m zoo list shows all)"),
        (["fit", "--help"], 0, "examples:"),
        (["test", "--help"], 0, "examples:"),
        (["predict", "--help"], 0, "examples:"),
        (["export", "--help"], 0, "examples:"),
        (["doctor", "--help"], 0, "examples:"),
        (["data", "--help"], 0, "examples:"),
        (["data", "list"], 0, "CelebA"),
        (["data", "info", "faces"], 0, "Procedural faces"),
        (["data", "info", "facess"], 2, "no data named 'facess'. Did you mean faces?"),
        (["fti"], 2, "no verb named 'fti'. Did you mean fit? (python -m zoo --help shows all)"),
        (["fit"], 2, "fit: which model?"),
        (["fit", "--model", "sfnset"], 2, "Did you mean sfsnet?"),
        (["fit", "--model", "sfsnet", "--data", "celba"], 2, "Did you mean celeba?"),
        (["fit", "--model", "sfsnet", "--recipe", "papr"], 2, "Did you mean paper?"),
        (["test", "--model", "sfnset"], 2, "Did you mean sfsnet?"),
        (["predict", "--model", "sfnset", "a.jpg", "-o", "out"], 2, "Did you mean sfsnet?"),
        (["predict", "--modle", "sfsnet"], 2, "predict has no option --modle. Did you mean --model?"),
        (["list", "--task", "cooking"], 2, "no model has 'cooking' in its task"),
        (["info"], 2, "info: MODEL is missing"),
        (["info", "sfsnet", "jiep"], 2, "'jiep' is one argument too many"),
    ],
)
def test_answers_without_pytorch(tmp_path, arguments, code, said):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "200"}
    done = subprocess.run(
        [sys.executable, "-c", PROBE, *arguments],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code, done.stderr
    assert said in (done.stderr if code else done.stdout)
    if code:
        assert done.stdout == ""
        assert len(done.stderr.splitlines()) == 1
        assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_the_facade_imports_no_pytorch():
    probe = "import sys, zoo; zoo.list_models(); zoo.info('sfsnet'); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", probe], cwd=ROOT, check=False).returncode == 0
