"""How fast vxcsum is, and beside what: ``python -m benchmarks.report``."""
