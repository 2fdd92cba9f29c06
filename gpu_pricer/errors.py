"""What a job may end with besides success: each class carries its exit status.

A message is one line and says what must hold, what was found, where, and what to do.
"""


class InputError(Exception):
    """The user can mend it: bad data, bad configuration, a missing file or device."""

    exit_status = 2


class Refused(Exception):
    """A gate or an infeasible policy stopped the run, as the configuration asks."""

    exit_status = 3


def first_line(error: Exception) -> str:
    """Return the first line of an error's text, or the error's type where the text is empty.

    Libraries explain themselves over many lines; a message of ours has one.
    """
    return (str(error).splitlines() or [type(error).__name__])[0]
