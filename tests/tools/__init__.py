"""The commands of the maintainers; `tests/__init__.py` lists them."""
