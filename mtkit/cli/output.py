"""Output of commands that report: JSON or tables on stdout, and a page if one is wanted."""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from typer import Option

from mtkit.console import note

if TYPE_CHECKING:
    from rich.console import Console

AsJson = Annotated[bool, Option("--json", help="Print one JSON object.")]
Html = Annotated[
    Path | None, Option(metavar="FILE", help="Also write the report as a self-contained page.")
]


def publish(
    html: Path | None, page: Callable[[], str], as_json: bool, data: Callable[[], Any],
    show: Callable[[Console], None], paged: bool = False,
) -> None:  # fmt: skip
    """Write the page to ``html``, if given, and print ``data`` as JSON or the tables of ``show``.

    paged: on a terminal, show the tables in the user's pager. Infinite numbers and NaN, which JSON
    does not have, become null.
    """
    from rich.console import Console

    from mtkit.page.tables import write_page

    if html is not None:
        write_page(page(), html)
    if as_json:
        print(json.dumps(finite(data()), ensure_ascii=False, indent=2, allow_nan=False))
    else:
        console = Console(highlight=False)
        with _pager(console) if paged and sys.stdout.isatty() else nullcontext():
            show(console)
    if html is not None:
        note(f"report: {html.resolve()}")


def _pager(console: Console) -> AbstractContextManager[object]:
    os.environ.setdefault("LESS", "FRX")  # as git does: colours, and no pager for a single screen
    return console.pager(styles=True)


def finite(value: Any) -> Any:
    """Return the same data with None for infinite numbers and NaN."""
    if isinstance(value, dict):
        return {key: finite(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
