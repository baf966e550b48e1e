"""The version, in a file of its own, so that any other may ask for it."""

__version__ = "0.1.0"
