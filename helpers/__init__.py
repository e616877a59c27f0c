"""Language Models, Measured: what the notebooks take off the shelf.

`models` loads a language model, `generation` writes with it, `fill_mask` fills blanks with it,
`explorers` puts sliders on it, `charts` and `quiz` serve the page, and `lab` is the laboratory
behind the experiments; `_plumbing` checks arguments and fetches files. Nothing is imported here, so
that `import helpers` costs nothing.
"""
