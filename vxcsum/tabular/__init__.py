"""Tables of NumPy columns for people and for other libraries: Arrow, files, text, HTML."""
