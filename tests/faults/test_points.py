"""The calls in strace's log that change the folder of a job, and those that do not."""

from pathlib import Path

import pytest

from tests.faults.points import Point, injected, is_change_in, points_of

FIELD = Path("/tmp/field")


@pytest.mark.parametrize(
    ("call", "words", "expected"),
    [
        ("rename", '"work/a.part", "work/a") = 0', True),
        ("rename", '"/tmp/field/work/a.part", "/tmp/field/work/a") = 0', True),
        ("rename", '"/root/.cache/a.part", "/root/.cache/a") = 0', False),
        ("write", '3</tmp/field/work/a>, "text", 4) = 4', True),
        ("write", '2</tmp/said>, "work/a", 6) = 6', False),
        ("openat", 'AT_FDCWD</tmp/field>, "work/a", O_WRONLY|O_CREAT, 0666) = 3</tmp/field/work/a>', True),
        ("openat", 'AT_FDCWD</tmp/field>, "work/a", O_RDONLY) = 3</tmp/field/work/a>', False),
        ("openat", 'AT_FDCWD</tmp/field>, "/usr/lib/a.so", O_RDWR) = 3</usr/lib/a.so>', False),
        ("unlinkat", '3</tmp/field/work/data.old>, "a.parquet", 0) = 0', True),
    ],
)
def test_call_counts_if_it_changes_the_folder(call, words, expected):
    assert is_change_in(FIELD, call, words) is expected


def test_points_are_numbered_by_thread_and_call(tmp_path):
    log = tmp_path / "trace"
    log.write_text(
        '7 write(2</tmp/said>, "x", 1) = 1\n'
        '7 write(3</tmp/field/a>, "x", 1) = 1\n'
        '8 write(3</tmp/field/b>, "x", 1 <unfinished ...>\n'
        "8 <... write resumed>) = 1\n"
        "7 fsync(3</tmp/field/a>) = 0\n"
        "7 +++ exited with 0 +++\n"
    )

    found = points_of(log, FIELD)

    assert [(point.call, point.number, point.is_alone) for point in found[:2]] == [
        ("write", 2, True),
        ("write", 1, False),
    ]
    assert found[2:] == [Point("fsync", 1, "3<a>) = 0", True)]


@pytest.mark.parametrize(("about", "expected"), [("/tmp/field/a", 1), ("/tmp/said", -1)])
def test_fault_that_struck_something_else_is_told_apart(tmp_path, about, expected):
    log = tmp_path / "trace"
    log.write_text(f'7 write(2</tmp/said>, "x", 1) = 1\n7 write(3<{about}>, "x", 1) = -1 EIO (error) (INJECTED)\n')

    assert injected(log, FIELD) == expected
