"""Captures with a known truth."""
