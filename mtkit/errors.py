"""The exceptions whose text is written for the person at the keyboard."""


class InputError(Exception):
    """The call or its input is wrong; the message names the place and says what to do.

    The command line prints it as one line on stderr and exits with code 2.
    """


class WorkError(Exception):
    """The work failed, though call and input are in order; one line on stderr, exit code 1."""
