"""Why each system said what it said."""
