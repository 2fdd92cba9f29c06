"""Gates for tests that are about one of them, or about none."""

from dataclasses import fields

from gpu_pricer.gates import Gates

OFF = Gates(**{field.name: None for field in fields(Gates)} | {"far": 0.3})
