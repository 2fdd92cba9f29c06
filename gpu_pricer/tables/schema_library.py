"""Dataframely, imported without SQLAlchemy, for which it can write schemas too."""

import importlib
import sys

UNUSED = "sqlalchemy"


def import_dataframely() -> None:
    """Import Dataframely as if SQLAlchemy were not there, unless that is imported already.

    Where both are installed, as beside Optuna, Dataframely imports SQLAlchemy: a quarter of all import time of every
    command (1.4 core-seconds, 2026-11). Who needs SQLAlchemy itself imports it as ever.
    """
    is_hidden = UNUSED not in sys.modules
    if is_hidden:
        sys.modules[UNUSED] = None  # type: ignore[assignment]  # which makes its import an ImportError
    try:
        importlib.import_module("dataframely")
    finally:
        if is_hidden:
            del sys.modules[UNUSED]
