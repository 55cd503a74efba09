"""Evidence: accumulators of what laws are scored on."""
