"""Where the zoo keeps what it makes and fetches."""

from __future__ import annotations

import os
from pathlib import Path

from platformdirs import user_cache_path


def zoo_home() -> Path:
    """The one folder of weights, generated data and compiled face models: ``ZOO_HOME``, or the user's cache folder.

    The folder need not exist yet; whoever writes into it makes it.
    """
    home = os.environ.get("ZOO_HOME")
    return Path(home).expanduser() if home else user_cache_path("prior-zoo")
