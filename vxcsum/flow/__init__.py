"""Connections: what the frames of a capture say of those who wait for an answer."""
