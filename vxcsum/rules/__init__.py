"""Meaning: one file per rule, and the evidence they look at."""
