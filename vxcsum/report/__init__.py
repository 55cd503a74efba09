"""Telling: text, JSON, HTML, pictures."""
