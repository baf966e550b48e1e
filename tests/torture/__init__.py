"""What mtkit has to survive, tried by the thousand; `make torture`."""
