"""Whether W&B may send anything, found out without asking."""

from __future__ import annotations

import importlib.util
import netrc
import os
from pathlib import Path

__all__ = ["wandb_mode"]


def wandb_mode() -> str:
    """``online`` where somebody is logged in, else ``offline``; ``WANDB_MODE`` decides before that; ``missing``."""
    if importlib.util.find_spec("wandb") is None:
        return "missing"
    wished = os.environ.get("WANDB_MODE")
    if wished in ("online", "offline", "disabled"):
        return wished
    return "online" if os.environ.get("WANDB_API_KEY") or _netrc_login() else "offline"


def _netrc_login() -> bool:
    host = os.environ.get("WANDB_BASE_URL", "https://api.wandb.ai").partition("://")[2].partition("/")[0]
    path = Path(os.environ.get("NETRC", "~/.netrc")).expanduser()
    try:
        return netrc.netrc(path).authenticators(host) is not None
    except (OSError, netrc.NetrcParseError):
        return False
