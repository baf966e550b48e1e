"""From a corpus to a trained network: updates, plan, checkpoints."""
