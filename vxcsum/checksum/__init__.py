"""Judgement: ones-complement algebra and the status of every checksum."""
