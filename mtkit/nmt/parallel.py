"""Devices, threads, and several processes that share one training.

Processes are started by ``torchrun``, which sets each one's rank in environment variables. All
build the same batches from the same seeds; each takes every n-th sentence. Gradients are summed.
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
RANK = int(os.environ["RANK"]) if WORLD > 1 else 0  # without WORLD_SIZE, RANK is another program's
LOCAL_RANK = int(os.environ.get("LOCAL_RANK", "0"))  # rank among this machine's processes
LOCAL_WORLD = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
RESTARTS = int(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0"))
_choice: Device = "auto"  # set by ``processes`` during its block
Job = TypeVar("Job")
Result = TypeVar("Result")


@contextmanager
def processes(choice: Device = "auto", cores: int = 0) -> Iterator[None]:
    """Select the device and join the other processes, if any, for the length of the block.

    cores: of this machine, shared by its processes; 0 = torch's default. Only the first process
    writes messages. Gradients are exchanged by nccl between GPUs, otherwise by gloo. Raises
    InputError for ``cuda`` without a GPU.
    """
    global _choice
    if choice == "cuda" and not torch.cuda.is_available():
        raise InputError("--device cuda: PyTorch finds no GPU; remove the option")
    _choice = choice
    if cores:
        set_threads(max(1, cores // LOCAL_WORLD))
    gpu = device().type == "cuda"
    spin_settings = {"GOMP_SPINCOUNT", "OMP_WAIT_POLICY"} & os.environ.keys()
    if sys.platform == "linux" and not gpu and not spin_settings:
        note(
            "torch was imported before mtkit, so its threads busy-wait, which is slow while other "
            "programs run; import mtkit first or set GOMP_SPINCOUNT=2000"
        )
    if WORLD > 1:
        console.quiet |= RANK > 0
        if gpu:
            torch.cuda.set_device(LOCAL_RANK)
        distributed.init_process_group("nccl" if gpu else "gloo")
    try:
        yield
    finally:
        _choice = "auto"
        if WORLD > 1:
            distributed.destroy_process_group()


def device() -> torch.device:
    """Return this process's GPU if there is one and ``choice`` allows it, else the CPU."""
    gpu = _choice != "cpu" and torch.cuda.is_available()
    return torch.device("cuda", LOCAL_RANK) if gpu else torch.device("cpu")


def resolved(precision: Precision, on: str = "") -> Precision:
    """Return ``precision`` with ``auto`` replaced by what suits this machine.

    on: "cpu" or "cuda"; "" for that of ``device``.

    Raises ValueError for an unknown name, InputError for bf16 if this processor cannot run an LSTM
    in bfloat16.
    """
    if precision not in get_args(Precision):
        raise ValueError(f"{precision}: not one of {', '.join(get_args(Precision))}")
    on = on or device().type
    if precision == "bf16" and on == "cpu" and not _has_bf16():
        raise InputError("--precision bf16: this processor lacks AVX-512; use --precision fp32")
    if precision != "auto":
        return precision
    if on == "cuda":  # older GPUs emulate bf16, slowly
        return "bf16" if torch.cuda.get_device_capability()[0] >= 8 else "fp32"
    if not hasattr(torch.cpu, "get_capabilities"):  # torch before 2.6
        return "fp32"
    capabilities = torch.cpu.get_capabilities()
    return "bf16" if capabilities.get("avx512_bf16") or capabilities.get("amx_bf16") else "fp32"


def _has_bf16() -> bool:
    """Try whether this CPU runs an LSTM in bfloat16, as torch has no public query for that.

    The state of the random generator is unchanged.
    """
    try:
        with torch.random.fork_rng(devices=[]), torch.autocast("cpu", torch.bfloat16):
            nn.LSTM(8, 8)(torch.zeros(1, 1, 8))
    except RuntimeError:
        return False
    return True


def set_threads(threads: int) -> None:
    """Set the number of threads in which torch computes."""
    torch.set_num_threads(threads)


def concurrent_batches() -> int:
    """Return how many batches to compute in parallel: on a CPU one per torch thread, else 1."""
    return torch.get_num_threads() if device().type == "cpu" else 1


def in_threads(run: Callable[[Job], Result], jobs: Iterable[Job], threads: int) -> Iterator[Result]:
    """Yield ``run(job)`` for each job, in order; each thread computes single-threaded.

    With one thread, everything runs in the caller's thread.
    """
    if threads == 1:
        previous = torch.get_num_threads()
        set_threads(1)
        try:
            yield from map(run, jobs)
        finally:
            set_threads(previous)
        return
    with ThreadPoolExecutor(threads, initializer=partial(set_threads, 1)) as pool:
        yield from pool.map(run, jobs)


@contextmanager
def _convert_errors() -> Iterator[None]:
    """Turn torch's error about a lost process into a WorkError that says what to do."""
    try:
        yield
    except RuntimeError as error:
        raise WorkError(
            "lost the other processes of this training; torchrun --max-restarts N resumes from "
            f"the last saved state ({str(error).splitlines()[0]:.100})"
        ) from None


def total(x: Tensor) -> Tensor:
    """Replace ``x`` by its sum over all processes, in place, and return it.

    Raises WorkError if a process has ended.
    """
    if WORLD > 1:
        with _convert_errors():
            distributed.all_reduce(x)
    return x


def from_first_process(x: float) -> float:
    """Return the first process's ``x`` in all processes. Raises WorkError if one has ended."""
    if WORLD == 1:
        return x
    value = torch.tensor(x, dtype=torch.float64, device=device())
    with _convert_errors():
        distributed.broadcast(value, 0)
    return float(value)


def wait() -> None:
    """Wait until all processes have called this. Raises WorkError if one has ended."""
    if WORLD > 1:
        with _convert_errors():
            distributed.barrier()


@contextmanager
def first_alone() -> Iterator[None]:
    """Run a block in the first process, and only then in the others."""
    if RANK > 0:
        wait()
    yield
    if RANK == 0:
        wait()


def restarted() -> bool:
    """Whether ``torchrun`` has restarted the processes, on this machine or on another."""
    return total(torch.tensor(float(RESTARTS), device=device())).item() > 0


def add_gradients(parameters: Sequence[nn.Parameter]) -> None:
    """Replace every gradient by its sum over all processes, exchanged as one tensor.

    A process without a sentence has no gradients; they count as 0.
    """
    if WORLD == 1:
        return
    for p in parameters:
        if p.grad is None:
            p.grad = torch.zeros_like(p)
    gradients = [p.grad for p in parameters if p.grad is not None]
    flat, begin = total(torch.cat([g.flatten() for g in gradients])), 0
    for g in gradients:
        g.copy_(flat[begin : begin + g.numel()].view_as(g))
        begin += g.numel()
