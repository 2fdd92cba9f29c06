"""Refusals: what every command owes its user when the input is wrong."""

import hashlib

import pytest


@pytest.fixture
def refused(gpu_pricer, tmp_path):
    """refused(*arguments) is the one line that a command ends with; it has status 2 and changes no file."""

    def command(*arguments: str) -> str:
        before = snapshot(tmp_path)
        ended = gpu_pricer(*arguments)

        assert ended.status == 2, ended
        assert ended.out == ""
        assert len(ended.said) == 1, ended.said
        assert snapshot(tmp_path) == before
        prefix = f"gpu-pricer {arguments[0]}: "
        assert ended.said[0].startswith(prefix)
        return ended.said[0].removeprefix(prefix)

    return command


def snapshot(folder):
    """Every path below a folder, with what the files hold."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None
        for path in folder.rglob("*")
    }
