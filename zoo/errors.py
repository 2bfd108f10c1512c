"""The two kinds of trouble a person meets, and the exit codes they end in."""

from __future__ import annotations


class ZooError(Exception):
    """Something failed that the user's command was right about: exit code 1.

    The message is one or two sentences for a person, the second saying what to do.
    """

    exit_code = 1


class UserError(ZooError):
    """The command or its input cannot be used as given: exit code 2.

    The message is one or two sentences for a person, the second saying what to type or to mend.
    """

    exit_code = 2
