"""How Sphinx builds the site (``make docs``): pages in Markdown, in the order of index.md."""

from __future__ import annotations

import re
from typing import Any

from docutils.nodes import SkipNode
from latex2mathml.converter import convert
from sphinx.util.logging import getLogger

project = "mtkit"
extensions = ["myst_parser"]
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 4
nitpicky = True
smartquotes = False  # --option is no dash
html_theme = "furo"
html_title = "mtkit"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_math_renderer = "mathml"  # equations need neither scripts nor fonts
html_copy_source = False
html_show_sphinx = False

logger = getLogger(__name__)
SECTION = re.compile(r"^## (.+)\n((?:.*\n(?!#))*)", re.MULTILINE)
PAGE = re.compile(r"\]\(([\w-]+)\.md\)")


def _math(display: str) -> Any:
    """What writes an equation as MathML, in its line or by itself."""

    def visit(writer: Any, node: Any) -> None:
        equation = convert(node.astext(), display=display)
        if "\\" in equation:
            logger.warning("no such command in %s", node.astext(), location=node)
        writer.body.append(equation)
        raise SkipNode

    return visit, None


def _order(app: Any, name: str, source: list[str]) -> None:
    """Give the index, which a forge shows as it is, the tables of contents that Sphinx needs."""
    if name == "index":
        for section in SECTION.finditer(source[0]):
            pages = "\n".join(dict.fromkeys(PAGE.findall(section[2])))
            source[0] += f"\n```{{toctree}}\n:hidden:\n:caption: {section[1]}\n\n{pages}\n```\n"


def setup(app: Any) -> dict[str, bool]:
    """Sphinx calls this."""
    app.add_html_math_renderer("mathml", _math("inline"), _math("block"))
    app.connect("source-read", _order)
    return {"parallel_read_safe": True}
