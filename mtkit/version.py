"""The version, in a file of its own, so that any other may ask for it; pyproject.toml does, too."""

__version__ = "1.0.0"
