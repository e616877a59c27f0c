"""The laboratory: a language whose every probability is known, and what is measured in it."""
