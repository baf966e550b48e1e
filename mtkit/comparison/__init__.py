"""`mtkit compare`: what is computed of systems side by side, and how it is shown."""
