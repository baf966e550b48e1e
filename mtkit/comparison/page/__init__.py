"""The comparison shown: who is better, where, why, and from how much text on."""
