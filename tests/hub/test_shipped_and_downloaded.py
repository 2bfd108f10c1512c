"""Weights that a card lists: verified before use, fetched only when asked for, never half there."""

from __future__ import annotations

import errno
import hashlib
from pathlib import Path

import pytest
import torch

import zoo
from zoo.errors import UserError, ZooError
from zoo.files import written_whole
from zoo.home import zoo_home
from zoo.hub import download, load, save_weights


def list_on_card(root: Path, entry: dict[str, object]) -> None:
    card = root / "blur" / "card.yaml"
    text = card.read_text().partition("weights:")[0]
    values = {"licence": "CC-BY-4.0", "trained_on": "noise", "tag": "small", **entry}
    card.write_text(text + "weights:\n  - {" + ", ".join(f"{key}: '{value}'" for key, value in values.items()) + "}\n")
    card.write_text(card.read_text().replace(f"bytes: '{values['bytes']}'", f"bytes: {values['bytes']}"))
    zoo.cards._read_card.cache_clear()


@pytest.fixture
def weights(tiny_zoo: Path, tmp_path: Path) -> Path:
    return save_weights(zoo.create("blur"), tmp_path / "elsewhere" / "w.safetensors")


def facts(path: Path) -> dict[str, object]:
    return {"sha256": hashlib.sha256(path.read_bytes()).hexdigest(), "bytes": path.stat().st_size}


def test_shipped_weights_load_by_default_and_by_tag(tiny_zoo: Path, weights: Path) -> None:
    (tiny_zoo / "blur" / "w.safetensors").write_bytes(weights.read_bytes())
    list_on_card(tiny_zoo, {"file": "w.safetensors", **facts(weights)})
    for module in (load("blur"), load("blur.small"), load("blur", weights="small")):
        assert not module.training


def test_shipped_weights_with_another_hash_are_refused(tiny_zoo: Path, weights: Path) -> None:
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    (tiny_zoo / "blur" / "w.safetensors").write_bytes(content)
    list_on_card(tiny_zoo, {"file": "w.safetensors", **facts(weights)})
    with pytest.raises(UserError, match=r"not the file that the card promises .*install the package again"):
        load("blur")


def test_nothing_is_fetched_unless_asked(tiny_zoo: Path, weights: Path) -> None:
    list_on_card(tiny_zoo, {"url": weights.as_uri(), **facts(weights)})
    with pytest.raises(
        UserError, match=r"licence: CC-BY-4\.0.*not on this machine; fetch them with: .*zoo\.hub\.download"
    ):
        load("blur")
    assert not zoo_home().exists()


def test_download_shows_the_licence_verifies_and_stays(
    tiny_zoo: Path, weights: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mirrors = f"{(weights.parent / 'gone.safetensors').as_uri()} {weights.as_uri()}"
    list_on_card(tiny_zoo, {"url": mirrors, **facts(weights)})
    path = download("blur", "small")
    assert "CC-BY-4.0" in capsys.readouterr().err
    assert path.is_relative_to(zoo_home() / "weights")
    assert path.read_bytes() == weights.read_bytes()
    weights.unlink()  # from here on there is no network
    assert download("blur") == path
    assert not load("blur").training
    path.write_bytes(b"rotten")
    with pytest.raises(UserError, match="delete it and download again"):
        load("blur")


@pytest.mark.parametrize(
    ("spoil", "words"), [(b"", "sent another file"), (b"more", "sent more"), (None, "sent 7 bytes")]
)
def test_wrong_download_leaves_nothing(tiny_zoo: Path, weights: Path, spoil: bytes | None, words: str) -> None:
    entry = {"url": weights.as_uri(), **facts(weights)}
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(b"no file" if spoil is None else bytes(content) + spoil)
    list_on_card(tiny_zoo, entry)
    with pytest.raises(ZooError, match=words) as caught:
        download("blur")
    assert not isinstance(caught.value, UserError)
    assert "fetch it where there is a network and put it at" in str(caught.value)
    assert [path for path in zoo_home().rglob("*") if path.is_file()] == []


def test_unreachable_place_is_one_sentence(tiny_zoo: Path, weights: Path) -> None:
    list_on_card(tiny_zoo, {"url": "http://127.0.0.1:9/w.safetensors", **facts(weights)})
    with pytest.raises(
        ZooError, match=r"could not be fetched \(http://127.0.0.1:9/w.safetensors: Connection refused\)"
    ):
        load("blur", download=True)


def test_full_disk_keeps_the_old_file(tiny_zoo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save_weights(zoo.create("blur"), tmp_path / "w.safetensors")
    before = path.read_bytes()

    def full(self: Path, content: bytes) -> int:
        with self.open("wb") as file:
            file.write(content[:100])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(UserError, match=r"no space left for .*; nothing was changed"):
        save_weights(zoo.create("blur"), path)
    monkeypatch.undo()
    assert path.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir() if each.suffix == ".safetensors"] == ["w.safetensors"]


def test_unwritable_place(tiny_zoo: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"cannot write .*Nothing was changed"):
        save_weights(zoo.create("blur"), tmp_path / "file" / "w.safetensors")
    with pytest.raises(UserError, match="is a folder"):
        save_weights(zoo.create("blur"), tmp_path)


def test_interrupted_writing_leaves_nothing(tmp_path: Path) -> None:
    def die() -> None:
        with written_whole(tmp_path / "a.bin") as part:
            part.write_bytes(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        die()
    assert list(tmp_path.iterdir()) == []


def test_weights_that_cannot_be_described(tiny_zoo: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="which model it is"):
        save_weights(torch.nn.Linear(1, 1), tmp_path / "w.safetensors")
    module = zoo.create("blur")
    module.hparams["width"] = object()
    with pytest.raises(UserError, match="not plain values"):
        save_weights(module, tmp_path / "w.safetensors")
