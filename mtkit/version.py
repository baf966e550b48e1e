"""The version, in a file of its own that other modules and pyproject.toml read."""

__version__ = "1.0.0"
