"""zoo predict: layers, panels and numbers of a picture; one bad picture among many."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from toy_models import Toy

from zoo.cards import load_card
from zoo.errors import UserError
from zoo.imaging import read_image, write_image
from zoo.inference import predict_image


@pytest.fixture
def weights(toy):
    """Weights of a toy, and two pictures beside them."""
    torch.manual_seed(0)
    for name, size in (("a.png", (20, 24)), ("b.png", (16, 16))):
        write_image(toy / name, torch.rand(3, *size))
    return str(Toy().save_pretrained(toy / "toy.safetensors"))


def test_layers_views_panel_and_numbers(toy, run, weights):
    code, out, err = run("predict", "--model", "toy", "a.png", "-o", "out", "--weights", weights, "--raw")
    assert (code, err) == (0, "")
    assert out == "a.png -> out/a/panel.png\n"
    names = {path.name for path in (toy / "out" / "a").iterdir()}
    assert names == {"image.png", "albedo.png", "half_light.png", "panel.png", "layers.npz"}
    layers = np.load(toy / "out" / "a" / "layers.npz")
    assert layers["albedo"].shape == (3, 20, 24)
    torch.testing.assert_close(torch.from_numpy(layers["image"]), read_image(toy / "a.png"))


def test_a_bad_picture_is_reported_and_the_others_are_done(toy, run, weights):
    (toy / "bad.png").write_bytes((toy / "a.png").read_bytes()[:60])
    images = ("a.png", "bad.png", "lost.png", "b.png")
    code, out, err = run("predict", "--model", "toy", *images, "-o", "out", "--weights", weights)
    assert code == 2
    assert out.splitlines() == ["a.png -> out/a/panel.png", "b.png -> out/b/panel.png"]
    assert "bad.png is damaged" in err
    assert "lost.png does not exist" in err
    assert "2 could not be used; the other 2 lie in out" in err


def test_pictures_of_one_name_do_not_overwrite_each_other(toy, run, weights):
    (toy / "more").mkdir()
    (toy / "more" / "a.png").write_bytes((toy / "b.png").read_bytes())
    assert run("predict", "--model", "toy", "a.png", "more", "-o", "out", "--weights", weights)[0] == 0
    assert read_image(toy / "out/a/image.png").shape[-1] == 24
    assert read_image(toy / "out/a-2/image.png").shape[-1] == 16


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("lost.png -o out", "lost.png does not exist"),
        ("a.png -o a.png", "cannot write into a.png"),
        ("a.png -o out --weights none.ckpt", "there is no file none.ckpt"),
        ("a.png", "-o/--output is missing"),
        ("a.png -o out --size big", "invalid int value: 'big'"),
        (
            "a.png b.png -o out --weights toy.safetensors --same-person",
            "toy sees each picture by itself and cannot join several of one person",
        ),
        ("a.png -o out --model.widht 4", "predict has no option --model.widht. Did you mean --model.width?"),
        ("a.png -o out --model.lr slow", "--model.lr takes a number, not 'slow'"),
        ("a.png -o out --model.lr", "--model.lr lacks its value"),
        ("a.png -o out --weights toy.safetensors --model.width 8", "do not fit toy"),
    ],
)
def test_mistakes_exit_with_2(toy, run, weights, arguments, said):
    code, out, err = run("predict", "--model", "toy", *arguments.split())
    assert (code, out) == (2, "")
    assert said in err


def test_a_picture_that_is_too_small_is_refused(toy, weights):
    with pytest.raises(UserError, match="is 20 x 4 pixels; toy needs at least 8 on each side"):
        predict_image(Toy().eval(), torch.rand(3, 4, 20))


def test_a_card_that_wants_faces_gets_a_crop(toy, monkeypatch):
    from dataclasses import replace

    card = replace(load_card("toy"), faces="crop")
    monkeypatch.setattr("zoo.inference.load_card", lambda name: card)
    found = predict_image(Toy().eval(), torch.rand(3, 40, 30), face="whole")
    assert found.layers["albedo"].shape == (1, 3, 16, 16)  # the card's size
    assert found.crop.side == 40
    with pytest.raises(UserError, match="no face found in the picture"):
        predict_image(Toy().eval(), torch.zeros(3, 40, 30))


def test_arguments_of_the_model_and_its_own_files(toy, run, weights):
    given = ("--model", "toy", "--model.pause", "1e-1", "a.png", "-o", "out", "--weights", weights)
    code, out, err = run("predict", *given)
    assert (code, err) == (0, "")
    assert out == "a.png -> out/a/panel.png and size.txt\n"
    assert (toy / "out/a/size.txt").read_text() == "20x24"


def test_pictures_of_one_person_are_joined(toy, run, weights, monkeypatch):
    def combine(self, outputs):
        mean = torch.stack([each["albedo"].mean() for each in outputs]).mean()
        return [{"albedo": torch.full_like(each["albedo"], mean)} for each in outputs]

    monkeypatch.setattr(Toy, "combine", combine)
    images = ("a.png", "lost.png", "b.png")
    code, out, err = run("predict", "--model", "toy", *images, "-o", "out", "--weights", weights, "--same-person")
    assert code == 2
    assert "lost.png does not exist" in err
    assert out.splitlines() == ["a.png -> out/a/panel.png", "b.png -> out/b/panel.png"]
    assert read_image(toy / "out/a/albedo.png").unique().numel() <= 1
    torch.testing.assert_close(
        read_image(toy / "out/a/albedo.png")[:, 0, 0], read_image(toy / "out/b/albedo.png")[:, 0, 0]
    )
    code, out, err = run("predict", "--model", "toy", "a.png", "-o", "out", "--weights", weights, "--same-person")
    assert (code, out) == (2, "")
    assert "name two or more" in err
