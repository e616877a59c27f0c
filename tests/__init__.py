"""The tests of Language Models, Measured, and the commands of its maintainers.

`pytest` runs unit tests, doctests, every notebook with what must hold in it, and a real browser
where there is one, in two processes; `pytest -n 0` stays in one. Left out, unless they are asked
for: `pytest tests/benchmarks`, `pytest -m slow_browser` for all notebooks in a browser, and `pytest
-m real_models` for what is known of the real models.

The commands, each with `--help`:

`python -m tests.tools.store_outputs notebooks/05_*.ipynb` runs a notebook and stores its outputs.
`python -m tests.tools.make_data floors`, `sweep`, `record` and others make `helpers/data`.
`python -m tests.tools.address OWNER/REPO` writes the repository's address everywhere it stands.
`python -m tests.tools.colab_like 05_generate_text_with_gpt2` runs a notebook as Google Colab would.
`python -m tests.tools.full_size` runs notebooks on random models as large as the real ones.
`python -m tests.tools.measure_notebooks` measures time and memory, `...minutes` counts minutes.
`python -m tests.tools.lines_in_view` counts the lines of code in view that are for the reader.
`python -m tests.tools.pictures` draws the README's pictures.
"""
