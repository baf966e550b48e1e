"""Compiled functions: arrays in, arrays out, compiled by numba once a machine, then cached.

    kernel   called from Python; whatever it calls is one of the other two
    inner    called by kernels alone
    lean     the same, for functions that make no array, and inlined. Counting the references to the
             arrays they are given, which numba then leaves out, took 70 % of the decoder's time,
             and handing over a tuple of arrays costs more than a look-up in one of them

To compile is what a first run waits for. An inner function is therefore compiled for one set of
types, its integers int64 whatever the caller has (numba compiles a caller's literal 0, an int32 and
an int64 each anew), and without the wrapper through which Python could call it.

With ``NUMBA_DISABLE_JIT=1`` all three are plain Python. Limits: numba's cache sees an edit of the
file in which a kernel stands, not of those that it calls; after one, ``make clean``.
"""

from __future__ import annotations

import platform
from collections.abc import Callable
from typing import Any, NoReturn, TypeVar, cast

from llvmlite import binding as llvm
from numba import config, njit, types
from numba.core.registry import CPUDispatcher

from mtkit.platforms import own_directory

F = TypeVar("F", bound=Callable[..., Any])
KERNELS: list[Callable[..., Any]] = []  # all that are compiled, as Python
NOT_KEPT: list[Callable[..., Any]] = []  # those that every process compiles anew

# Else LLVM makes a branch of the conditional move in a binary search, and every second one is
# predicted wrong: half of the time that a look-up in the language model takes.
if platform.machine() in {"x86_64", "AMD64"}:
    llvm.set_option("", "-x86-cmov-converter=false")


class Inner(CPUDispatcher):
    """What ``inner`` and ``lean`` make of a function."""

    def __call__(self, *_: object) -> NoReturn:
        """Without a wrapper Python would crash here."""
        raise TypeError(f"{self.py_func.__name__} is for kernels; Python may call its py_func")

    def get_call_template(self, args: Any, kws: Any) -> Any:
        """How a call from a kernel is typed."""
        return super().get_call_template(tuple(map(_plain, args)), kws)


def _plain(argument: Any) -> Any:
    """int64 for all signed integers; no literals."""
    is_signed = isinstance(argument, types.Integer) and argument.signed  # type: ignore[attr-defined]
    return types.int64 if is_signed else types.unliteral(argument)


def compiled(**options: Any) -> Callable[[F], F]:
    """A kernel with options of numba's."""

    def decorate(function: F) -> F:
        if "inline" not in options:  # else it is a part of its callers
            KERNELS.append(function)
        try:
            return cast(F, njit(cache=True, nogil=True, **options)(function))
        except RuntimeError as error:
            if "cannot cache function" not in str(error):
                raise
            # Neither beside the source nor in a home may numba write.
            settings = cast(Any, config)
            settings.CACHE_DIR = settings.CACHE_DIR or str(own_directory() or "")
            if not settings.CACHE_DIR:
                NOT_KEPT.append(function)
            return cast(F, njit(cache=bool(settings.CACHE_DIR), nogil=True, **options)(function))

    return decorate


def kernel(function: F) -> F:
    """A function that Python calls."""
    return compiled()(function)


def inner(function: F) -> F:
    """A function that kernels call."""
    return _inner(function)


def lean(function: F) -> F:
    """A function that kernels call and that makes no array."""
    return _inner(function, _nrt=False, forceinline=True)


def _inner(function: F, **options: Any) -> F:
    dispatcher = compiled(no_cpython_wrapper=True, no_cfunc_wrapper=True, **options)(function)
    if isinstance(dispatcher, CPUDispatcher):  # not where numba is switched off
        dispatcher.__class__ = Inner  # type: ignore[assignment]
    return dispatcher
