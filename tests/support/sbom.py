"""Software bill of materials of mtkit's dependencies: ``python -m tests.support.sbom``.

CycloneDX lists all installed packages; those only for tests, checks and builds are left out.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from mtkit.version import __version__
from tests.support.pins import PINS, ROOT, needed, normal


def bill_of_materials() -> dict[str, Any]:
    """Return CycloneDX's JSON as a dictionary."""
    call = [sys.executable, "-m", "cyclonedx_py", "environment", "--output-reproducible"]
    call += ["--no-validate", "--pyproject", str(ROOT / "pyproject.toml"), sys.executable]
    done = subprocess.run(call, check=True, capture_output=True)
    bom: dict[str, Any] = json.loads(done.stdout)
    bom["metadata"]["component"]["version"] = __version__  # pyproject.toml lacks it
    others = set(PINS) - needed("run") | {"pip"}
    bom["components"] = [c for c in bom["components"] if normal(c["name"]) not in others]
    known = {"root-component", *(c["bom-ref"] for c in bom["components"])}
    bom["dependencies"] = [d for d in bom["dependencies"] if d["ref"] in known]
    for dependency in bom["dependencies"]:
        dependency["dependsOn"] = [r for r in dependency.get("dependsOn", ()) if r in known]
    return bom


if __name__ == "__main__":
    print(json.dumps(bill_of_materials(), indent=2))
