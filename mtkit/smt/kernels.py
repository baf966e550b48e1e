"""Compiled functions: arrays in, arrays out. numba compiles each once per machine and caches it.

    kernel   called from Python; calls only functions of the other two kinds
    inner    called only by kernels
    lean     like inner, for functions that create no array: inlined, without reference counting.
             Reference counting of array arguments took 70 % of the decoder's time, and passing a
             tuple of arrays costs more than a look-up in one of them

A first run waits for the compiler. Therefore an inner function is compiled for one set of types:
its integers are int64, whatever the caller passes (numba would compile it again for a literal 0, an
int32 and an int64). It has no wrapper for calls from Python.

With ``NUMBA_DISABLE_JIT=1`` all three are plain Python. Limits: numba's cache notices an edit of a
kernel's own file, but not of the functions that it calls; run ``make clean`` after such an edit.
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
KERNELS: list[Callable[..., Any]] = []  # the Python functions of all that are compiled
NOT_KEPT: list[Callable[..., Any]] = []  # those without a cache: every process compiles them

# Without this option LLVM turns the conditional move of a binary search into a branch. Every second
# branch is mispredicted, which takes half of the time of a language model look-up.
if platform.machine() in {"x86_64", "AMD64"}:
    llvm.set_option("", "-x86-cmov-converter=false")


class Inner(CPUDispatcher):
    """The dispatcher of ``inner`` and ``lean`` functions."""

    def __call__(self, *_: object) -> NoReturn:
        """Raise TypeError: without a wrapper, a call from Python would crash the process."""
        raise TypeError(f"{self.py_func.__name__} is for kernels; Python may call its py_func")

    def get_call_template(self, args: Any, kws: Any) -> Any:
        """Return numba's typing of a call from a kernel."""
        return super().get_call_template(tuple(map(_plain, args)), kws)


def _plain(argument: Any) -> Any:
    """Return int64 for a signed integer type, else the type without its literal value."""
    is_signed = isinstance(argument, types.Integer) and argument.signed  # type: ignore[attr-defined]
    return types.int64 if is_signed else types.unliteral(argument)


def compiled(**options: Any) -> Callable[[F], F]:
    """Return a decorator that compiles a function with numba's ``options``."""

    def decorate(function: F) -> F:
        if "inline" not in options:  # else it is compiled as a part of its callers
            KERNELS.append(function)
        try:
            return cast(F, njit(cache=True, nogil=True, **options)(function))
        except RuntimeError as error:
            if "cannot cache function" not in str(error):
                raise
            # numba can write neither beside the source nor in the home directory.
            settings = cast(Any, config)
            settings.CACHE_DIR = settings.CACHE_DIR or str(own_directory() or "")
            if not settings.CACHE_DIR:
                NOT_KEPT.append(function)
            return cast(F, njit(cache=bool(settings.CACHE_DIR), nogil=True, **options)(function))

    return decorate


def kernel(function: F) -> F:
    """Compile a function that Python calls."""
    return compiled()(function)


def inner(function: F) -> F:
    """Compile a function that only kernels call."""
    return _inner(function)


def lean(function: F) -> F:
    """Compile, for inlining, a function that only kernels call and that creates no array."""
    return _inner(function, _nrt=False, forceinline=True)


def _inner(function: F, **options: Any) -> F:
    dispatcher = compiled(no_cpython_wrapper=True, no_cfunc_wrapper=True, **options)(function)
    if isinstance(dispatcher, CPUDispatcher):  # a plain function if numba is switched off
        dispatcher.__class__ = Inner  # type: ignore[assignment]
    return dispatcher
