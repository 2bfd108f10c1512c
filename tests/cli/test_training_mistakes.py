"""What a wrong option, value or file is answered with: one sentence, exit code 2, and nothing left behind."""

from __future__ import annotations

import errno

import pytest
import torch
import yaml

from zoo.runs import Run


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
        ("--trainer.max_epochs five", "--trainer.max_epochs takes a whole number, not 'five'."),
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


@pytest.mark.parametrize("verb", ["fit", "test"])
def test_a_checkpoint_that_lacks_tensors_is_refused(toy, run, verb):
    content = {"pytorch-lightning_version": "2.6", "state_dict": {"net.0.bias": torch.zeros(4)}}
    torch.save({**content, "hyper_parameters": {"_class_path": "toy_models.Toy"}}, "thin.ckpt")
    code, _, err = run(verb, "--model", "toy", "--logger", "csv", "--ckpt_path", "thin.ckpt")
    assert code == 2
    assert "the tensors of thin.ckpt do not fit toy: 3 missing" in err
    assert len(err.splitlines()) == 1


def test_a_full_disk_at_the_start_leaves_nothing(toy, run, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Run, "write_command", full)
    code, _, err = run("fit", "--model", "toy")
    assert code == 2
    assert "no space left on the disk" in err
    assert not list((toy / "runs").rglob("*.yaml"))


@pytest.mark.parametrize(
    ("trouble", "expected"), [(OSError(errno.ENOSPC, "No space left on device"), 2), (KeyboardInterrupt(), 130)]
)
def test_an_end_after_the_training_says_how_to_go_on(toy, run, monkeypatch, trouble, expected):
    def ended(*_):
        raise trouble

    monkeypatch.setattr("zoo.training.cli.test_metrics", ended)
    code, _, err = run("fit", "--model", "toy", "--logger", "csv", "--run", "mine")
    assert code == expected
    assert "go on with: python -m zoo fit --resume mine" in err
    assert (toy / "mine" / "checkpoints" / "last.ckpt").is_file()


def test_data_without_a_setting_that_the_recipe_takes_over(toy, run):
    recipe = {"model": {"class_path": "toy_models.Toy", "init_args": {"width": "${data.init_args.size}"}}}
    (toy / "own.yaml").write_text(yaml.safe_dump(recipe))
    code, _, err = run("fit", "--model", "toy", "--config", "own.yaml")
    assert code == 2
    assert "the recipe takes over --data.size, which this data does not have" in err
