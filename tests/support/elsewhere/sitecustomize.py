"""Remove what macOS or Windows lack: ``PYTHONPATH=tests/support/elsewhere python …``.

Python imports a module of this name when it starts, and so do its child processes:
``PYTHONPATH=$PWD/tests/support/elsewhere .venv/bin/pytest tests/cli`` tests all commands.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from typing import Any

# Packages that use these modules, except on Windows, are imported before the removal.
with contextlib.suppress(ImportError):
    import portalocker  # noqa: F401

NAMES = {
    os: ["sched_getaffinity", "O_DIRECTORY", "O_NOFOLLOW", "fchmod", "geteuid", "killpg"],
    signal: ["SIGHUP", "SIGALRM", "setitimer", "ITIMER_REAL"],
}
if "PYTEST_CURRENT_TEST" in os.environ:  # a command started by a test; pytest itself needs getuid
    NAMES[os].append("getuid")
    os.environ.setdefault("USERNAME", "somebody")  # always set on Windows; torch reads it
for module, names in NAMES.items():
    for name in names:
        if hasattr(module, name):
            delattr(module, name)
for name in ("fcntl", "resource"):
    sys.modules[name] = None  # type: ignore[assignment]


class OldTorch(MetaPathFinder):
    """Removes from torch, when it is imported, what its older versions lack."""

    def find_spec(self, name: str, path: Any, target: Any = None) -> ModuleSpec | None:
        """Return the spec of ``torch.cpu`` with a loader that removes ``get_capabilities``."""
        spec = PathFinder.find_spec(name, path) if name == "torch.cpu" else None
        if spec is not None and spec.loader is not None:
            load = spec.loader.exec_module

            def exec_module(module: Any) -> None:
                load(module)
                vars(module).pop("get_capabilities", None)

            spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec


sys.meta_path.insert(0, OldTorch())
