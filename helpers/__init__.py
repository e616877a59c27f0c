"""Language Models, Measured: what the notebooks take off the shelf.

`models` loads a language model, `generation` writes with it, `fill_mask` fills blanks with it,
`explorers` puts sliders on it, `charts` and `quiz` serve the page, and `lab` is the laboratory
behind the experiments; `_plumbing` checks arguments and fetches files. No library is imported here,
so that `import helpers` costs nothing. It sets two things for the whole process: how often Python
looks for garbage, and how wide progress bars are.
"""

import gc
import os

# The libraries make a million objects that stay. Python looks through them for garbage after every
# few hundred new ones, and that takes longer than an exact answer does (tests/benchmarks/
# test_start.py).
gc.set_threshold(100_000)

# Progress bars as wide as the page, where it is narrow too. Libraries make their own.
os.environ.setdefault("TQDM_DYNAMIC_NCOLS", "1")
