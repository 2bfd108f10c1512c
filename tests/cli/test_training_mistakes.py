"""What a wrong option, value or file is answered with: one sentence, exit code 2, and nothing left behind."""

from __future__ import annotations

import pytest
import torch


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("--model.widht 5", "fit has no option --model.widht. Did you mean --model.width?"),
        ("--data.batchsize 5", "fit has no option --data.batchsize. Did you mean --data.batch_size?"),
        ("--trainer.max_stepz 5", "fit has no option --trainer.max_stepz. Did you mean --trainer.max_steps?"),
        ("--max_steps 5", "fit has no option --max_steps. Did you mean --trainer.max_steps?"),
        ("--lr 5", "fit has no option --lr. Did you mean --model.lr?"),
        ("--qqq 5", "fit has no option --qqq. (python -m zoo fit --help-all shows all)"),
        ("--model.width five", "--model.width takes a whole number, not 'five'."),
        ("--trainer.max_steps five", "--trainer.max_steps takes a whole number, not 'five'."),
        ("--trainer.max_steps", "--trainer.max_steps lacks its value."),
        ("--trainer.accelerator gpuu", "invalid accelerator name"),
        ("extra", "'extra' is one argument too many."),
        ("--config none.yaml", "there is no file"),
        ("--ckpt_path none.ckpt", "there is no file none.ckpt"),
        ("--ckpt_path cut.ckpt", "cut.ckpt is cut short or damaged"),
        ("--ckpt_path last", "there is no last.ckpt under runs/toy"),
        ("--resume none", "there is no run at none"),
        ("--resume last", "there is no run of toy under runs/toy"),
        ("--recipe paper --data noise", "--data cannot replace it"),
        (
            "--recipe paper --data.lables x",
            "option --data.lables. Did you mean --data.labels?",
        ),
        ("--recipe paper --data.train x", "stage 1-fit-teacher: --data.train takes a whole number, not 'x'."),
    ],
)
def test_one_sentence_and_nothing_left(toy, run, arguments, said):
    (toy / "cut.ckpt").write_bytes(b"PK\x03\x04 and no more")
    before = set(toy.rglob("*"))
    code, out, err = run("fit", "--model", "toy", "--logger", "csv", *arguments.split())
    assert (code, out) == (2, "")
    assert said in err
    assert len(err.splitlines()) == 1
    assert {path for path in toy.rglob("*") if path.is_file()} <= before


def test_data_must_be_named_with_a_class_path(run):
    assert "which data? --data NAME" in run("fit", "--model", "toy_models.Toy")[2]


def test_a_class_that_is_not_there(run):
    code, _, err = run("fit", "--model", "toy_models.Nope", "--data", "toy_models.ToyData")
    assert code == 2
    assert "toy_models.Nope" in err


def test_a_checkpoint_of_another_class_is_refused(toy, run):
    content = {"pytorch-lightning_version": "2.6", "state_dict": {"a": torch.zeros(1)}}
    torch.save({**content, "hyper_parameters": {"_class_path": "elsewhere.Other"}}, "other.ckpt")
    code, _, err = run("fit", "--model", "toy", "--ckpt_path", "other.ckpt")
    assert code == 2
    assert "other.ckpt holds weights of elsewhere.Other, not of toy_models.Toy" in err


def test_testing_random_weights_is_refused(run):
    code, _, err = run("test", "--model", "toy")
    assert code == 2
    assert "test: which weights?" in err


def test_an_unwritable_place_is_told(toy, run):
    (toy / "runs").write_text("a file where the folder should be")
    code, _, err = run("fit", "--model", "toy")
    assert code == 2
    assert "cannot make the run's folder" in err


def test_an_own_file_with_a_wrong_option(toy, run):
    (toy / "own.yaml").write_text("model:\n  init_args: {widht: 3}\n")
    code, _, err = run("fit", "--model", "toy", "--config", "own.yaml")
    assert code == 2
    assert "Did you mean --model.width?" in err
