"""``python -m mtkit``, which is what ``torchrun -m mtkit`` starts."""

from mtkit.cli import main

if __name__ == "__main__":
    main()
