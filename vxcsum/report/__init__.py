"""Telling: text and JSON."""
