"""What list, info and doctor print."""

from __future__ import annotations

import json
import subprocess
import sys

import zoo.wandb_mode


def test_list_filters_by_task(run):
    assert {"toy", "jumble_net"} <= set(run("list", "--names")[1].split())
    assert run("list", "--names", "--task", "JUMBL")[1] == "jumble_net\n"
    assert "| `toy` |" in run("list", "--markdown")[1]


def test_info_has_what_a_reader_wants(run):
    out = run("info", "toy")[1]
    for said in ("NOWHERE 2026", "licence: MIT", "(B,3,H,W)", "sRGB-encoded", "0.1", "0.2", "It is a toy."):
        assert said in out
    assert "python -m zoo fit --model toy --recipe paper" in out
    assert json.loads(run("info", "toy", "--json")[1])["paper"]["year"] == 2026


def test_doctor_names_each_part(run):
    code, out, _ = run("doctor")
    assert code == 0
    for said in ("torch", "device", "renderer", "cache", "W&B", "export"):
        assert said in out


def test_doctor_says_what_to_do_about_what_is_missing(run, monkeypatch):
    from zoo.commands import doctor

    monkeypatch.setattr(doctor, "_version", lambda name: None)
    code, out, _ = run("doctor")
    assert code == 1
    assert "pip install torch" in out
    assert "pip install 'prior-zoo[export]'" in out


def test_weights_and_biases_is_online_only_where_somebody_is_logged_in(tmp_path, monkeypatch):
    for name in ("WANDB_MODE", "WANDB_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    assert zoo.wandb_mode.wandb_mode() == "offline"
    (tmp_path / "netrc").write_text("machine api.wandb.ai login user password secret")
    assert zoo.wandb_mode.wandb_mode() == "online"
    (tmp_path / "netrc").unlink()
    monkeypatch.setenv("WANDB_API_KEY", "secret")
    assert zoo.wandb_mode.wandb_mode() == "online"
    monkeypatch.setenv("WANDB_MODE", "disabled")
    assert zoo.wandb_mode.wandb_mode() == "disabled"


def test_a_reader_that_leaves_is_no_failure():
    command = f"{sys.executable} -m zoo info sfsnet | head -1"
    done = subprocess.run(["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert done.stderr == ""
