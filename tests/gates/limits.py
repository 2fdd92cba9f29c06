"""Gates for tests that are about one of them, or about none."""

from dataclasses import fields

from gpu_pricer.gates import Approval, Gates

OFF = Gates(**{field.name: None for field in fields(Gates)} | {"far": 0.3})
NOBODY = Approval(asks="none", moves_above=0.0, categories=[], off_shelf=False)
