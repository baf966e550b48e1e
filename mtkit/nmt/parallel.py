"""What computes: this process's device, and several processes at one training.

Processes are started by ``torchrun``, which tells each by environment variables who it is. All
build the same batches from the same seeds and take every n-th sentence; gradients are summed.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import TypeVar, get_args

import torch
from torch import Tensor, distributed, nn

from mtkit.console import console, note
from mtkit.errors import InputError, WorkError
from mtkit.nmt.recipe import Device, Precision

WORLD = int(os.environ.get("WORLD_SIZE", "1"))
RANK = int(os.environ["RANK"]) if WORLD > 1 else 0  # others, too, name a variable RANK
LOCAL = int(os.environ.get("LOCAL_RANK", "0"))  # which of this machine's processes, of how many
LOCAL_WORLD = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
RESTARTS = int(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0"))
_choice: Device = "auto"  # that of ``processes``, while it lasts
Job = TypeVar("Job")
Result = TypeVar("Result")


@contextmanager
def processes(choice: Device = "auto", cores: int = 0) -> Iterator[None]:
    """Compute where ``choice`` says, and meet the other processes, if there are any; only the first
    speaks. cores: of this machine, which its processes share; 0 = as many as torch takes. Gradients
    travel by nccl from GPU to GPU, else by gloo. Raises InputError for ``cuda`` without a GPU.
    """
    global _choice
    if choice == "cuda" and not torch.cuda.is_available():
        raise InputError("--device cuda: PyTorch finds no GPU; remove the option")
    _choice = choice
    if cores:
        set_threads(max(1, cores // LOCAL_WORLD))
    gpu = device().type == "cuda"
    told = {"GOMP_SPINCOUNT", "OMP_WAIT_POLICY"} & os.environ.keys()
    if sys.platform == "linux" and not gpu and not told:
        note(
            "torch was imported before mtkit, so its threads busy-wait, which is slow while other "
            "programs run; import mtkit first or set GOMP_SPINCOUNT=2000"
        )
    if WORLD > 1:
        console.quiet |= RANK > 0
        if gpu:
            torch.cuda.set_device(LOCAL)
        distributed.init_process_group("nccl" if gpu else "gloo")
    try:
        yield
    finally:
        _choice = "auto"
        if WORLD > 1:
            distributed.destroy_process_group()


def device() -> torch.device:
    """This process's GPU where there is one and it may be used, else the CPU."""
    gpu = _choice != "cpu" and torch.cuda.is_available()
    return torch.device("cuda", LOCAL) if gpu else torch.device("cpu")


def resolved(precision: Precision) -> Precision:
    """What ``auto`` is on this machine. Raises ValueError for what is no ``Precision``, InputError
    for bf16 where this processor has no such LSTM.
    """
    if precision not in get_args(Precision):
        raise ValueError(f"{precision}: not one of {', '.join(get_args(Precision))}")
    if precision == "bf16" and device().type == "cpu" and not _has_bf16():
        raise InputError("--precision bf16: this processor lacks AVX-512; use --precision fp32")
    if precision != "auto":
        return precision
    if device().type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported() else "fp32"
    if not hasattr(torch.cpu, "get_capabilities"):  # torch before 2.6 does not say
        return "fp32"
    can = torch.cpu.get_capabilities()
    return "bf16" if can.get("avx512_bf16") or can.get("amx_bf16") else "fp32"


def _has_bf16() -> bool:
    """Of this CPU; tried, for torch has no public question for it. No random number is taken."""
    try:
        with torch.random.fork_rng(devices=[]), torch.autocast("cpu", torch.bfloat16):
            nn.LSTM(8, 8)(torch.zeros(1, 1, 8))
    except RuntimeError:
        return False
    return True


def set_threads(threads: int) -> None:
    """Let torch compute in so many threads."""
    torch.set_num_threads(threads)


def at_once() -> int:
    """How many batches are best computed beside each other: on a CPU one a thread of torch's."""
    return torch.get_num_threads() if device().type == "cpu" else 1


def in_threads(run: Callable[[Job], Result], jobs: Iterable[Job], threads: int) -> Iterator[Result]:
    """``run`` of each job, in their order; each thread computes by itself. One is the caller's."""
    if threads == 1:
        own = torch.get_num_threads()
        set_threads(1)
        try:
            yield from map(run, jobs)
        finally:
            set_threads(own)
        return
    with ThreadPoolExecutor(threads, initializer=partial(set_threads, 1)) as pool:
        yield from pool.map(run, jobs)


@contextmanager
def _together() -> Iterator[None]:
    """Say in words that the processes have lost one another."""
    try:
        yield
    except RuntimeError as error:
        raise WorkError(
            "lost the other processes of this training; torchrun --max-restarts N resumes from "
            f"the last saved state ({str(error).splitlines()[0]:.100})"
        ) from None


def total(x: Tensor) -> Tensor:
    """Make ``x`` its sum over all processes, in place. Raises WorkError where one has ended."""
    if WORLD > 1:
        with _together():
            distributed.all_reduce(x)
    return x


def agreed(x: float) -> float:
    """What the first process thinks, to all of them. Raises WorkError where one has ended."""
    if WORLD == 1:
        return x
    value = torch.tensor(x, dtype=torch.float64, device=device())
    with _together():
        distributed.broadcast(value, 0)
    return float(value)


def wait() -> None:
    """Until all have come here. Raises WorkError where one has ended."""
    if WORLD > 1:
        with _together():
            distributed.barrier()


@contextmanager
def first_alone() -> Iterator[None]:
    """Do a block in the first process, and in the others when that is done."""
    if RANK > 0:
        wait()
    yield
    if RANK == 0:
        wait()


def restarted() -> bool:
    """Whether ``torchrun`` has started the processes before, on this machine or on another."""
    return total(torch.tensor(float(RESTARTS), device=device())).item() > 0


def add_gradients(parameters: Sequence[nn.Parameter]) -> None:
    """Let every gradient be its sum over all processes, exchanged in one piece; a process that had
    no sentence has none, which counts as 0.
    """
    if WORLD == 1:
        return
    for p in parameters:
        if p.grad is None:
            p.grad = torch.zeros_like(p)
    gradients = [p.grad for p in parameters if p.grad is not None]
    joined, at = total(torch.cat([g.flatten() for g in gradients])), 0
    for g in gradients:
        g.copy_(joined[at : at + g.numel()].view_as(g))
        at += g.numel()
