"""The errors that end a job; each class carries the exit status of the process.

A message is one line that says what must hold, what was found, where, and what to do.
"""


class InputError(Exception):
    """The user can remove the cause: bad data, a bad configuration, a missing file or device."""

    exit_status = 2


class Refused(Exception):
    """A gate or an infeasible policy stopped the job, as the configuration demands."""

    exit_status = 3


def first_line(error: Exception) -> str:
    """Return the first line of an error's text, or the error's type where the text is empty.

    Errors of libraries may span many lines; a message of ours is one line.
    """
    return (str(error).splitlines() or [type(error).__name__])[0]
