"""The catalogue: one file for each rule, with its page, its law or count, and its sentence."""
