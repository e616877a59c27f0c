"""Explorers: a language model under sliders, alive in JupyterLab and Colab.

Core ipywidgets only, the same on versions 7.7.1 and 8: `sampling` for causal models, `fill_mask` for masked ones,
`reading` for both beside each other; `bars` is what they are made of.
"""

from helpers.explorers.bars import Bar, bars_html, labelled
from helpers.explorers.sampling import SamplingExplorer, sampling_picture

__all__ = ["Bar", "SamplingExplorer", "bars_html", "labelled", "sampling_picture"]
