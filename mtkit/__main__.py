"""The entry point of the command line: signals, error messages and exit codes."""

from __future__ import annotations

import contextlib
import gc
import io
import os
import signal
import sys
from _thread import interrupt_main
from threading import Timer

ITIMER_REAL = 0  # signal's, which Windows lacks


def main() -> None:
    """Run a command. Exit code 0: done; 1: the work failed; 2: the call or its input was wrong.

    Typer itself ends quietly when the reader of a pipe has gone, and with 130 on Ctrl-C. SIGTERM
    and SIGHUP count as Ctrl-C.
    """
    # A corpus is millions of small objects, none of them garbage: collect rarely.
    gc.set_threshold(1_000_000)
    try:
        _handle_signals()
        _run()
    except KeyboardInterrupt:  # before Typer handles it
        sys.exit(130)


def _run() -> None:
    """Run the command; print an error as one line.

    Modules are imported here, where the caller handles Ctrl-C.
    """
    from mtkit.cli import app, complete
    from mtkit.console import print_error
    from mtkit.errors import InputError, WorkError

    try:
        _set_up_streams()
        try:
            app(complete(sys.argv[1:]), prog_name="mtkit")
        finally:
            sys.stdout.flush()
    except (InputError, WorkError) as error:
        print_error(str(error))
        sys.exit(2 if isinstance(error, InputError) else 1)
    except OSError as error:
        prefix = f"{error.filename}: " if error.filename else ""
        with contextlib.suppress(OSError):  # stderr may be on the same full disk
            print_error(f"{prefix}{error.strerror or error}")
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except OSError:  # else Python tries again at exit and prints an error
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        sys.exit(1)


def _handle_signals() -> None:
    """Treat SIGTERM and SIGHUP as Ctrl-C, and lose no Ctrl-C.

    Python drops an exception that is raised while it cleans up, as it does after each of a thousand
    imports. A dropped KeyboardInterrupt is therefore sent again.
    """
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)  # Windows has no SIGHUP
        if number and signal.getsignal(number) is signal.SIG_DFL:  # else nohup's SIG_IGN stays
            signal.signal(number, signal.default_int_handler)
    if hasattr(signal, "SIGALRM"):
        signal.signal(signal.SIGALRM, signal.default_int_handler)

    def dropped(what: sys.UnraisableHookArgs) -> None:
        if what.exc_type is KeyboardInterrupt:
            _resend_interrupt()
        else:
            sys.__unraisablehook__(what)

    sys.unraisablehook = dropped


def _resend_interrupt() -> None:
    """Send Ctrl-C again in 10 ms, by an alarm, or by a thread on Windows, which has no alarms.

    An interrupt from a thread waits for Python's next instruction; an alarm also ends a wait.
    """
    if hasattr(signal, "setitimer"):
        signal.setitimer(ITIMER_REAL, 0.01)
    else:
        Timer(0.01, interrupt_main).start()


def _set_up_streams() -> None:
    r"""Write UTF-8 with ``\n`` on every system, as in files of translations.

    A terminal keeps its encoding and shows characters that it lacks as ``\uXXXX``. Raises
    InputError if the caller has closed stdin or stdout.
    """
    from mtkit.errors import InputError

    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115
    for name, stream in (("input", sys.stdin), ("output", sys.stdout)):
        if stream is None:
            raise InputError(
                f"standard {name} is closed; redirect it, for instance to {os.devnull}"
            )
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            encoding = stream.encoding if stream.isatty() else "utf-8"
            stream.reconfigure(encoding=encoding, errors="backslashreplace", newline="\n")


if __name__ == "__main__":
    main()
