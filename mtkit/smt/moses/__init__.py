"""Moses models, read and written."""
