"""Explorers: language models under sliders, alive in JupyterLab and Colab.

One module each, core ipywidgets only, the same on versions 7.7.1 and 8: `sampling` for causal
models, `fill_mask` and `hidden_word` for masked ones, `reading` and `masks` for both beside each
other, `page_filler` for a masked one that writes, `real_model` for one that is downloaded only when
asked for, `training` for models at saved steps, `surprise` for a text token by token, `frontier`
for settings side by side, `rulers` for answers that are stored, `power` for answers of several
tokens, `surgery` for a model of which parts are cut out, `training_cost` for a budget. What they
share begins with an underscore.
"""

from helpers.explorers._bars import Bar, bars_html
from helpers.explorers.fill_mask import FillMaskExplorer
from helpers.explorers.frontier import FrontierExplorer
from helpers.explorers.hidden_word import HiddenWordExplorer
from helpers.explorers.masks import MaskExplorer
from helpers.explorers.page_filler import PageFiller
from helpers.explorers.power import PowerExplorer
from helpers.explorers.reading import ReadingExplorer, reading_picture
from helpers.explorers.real_model import RealModel
from helpers.explorers.rulers import RulerExplorer, ruler_picture
from helpers.explorers.sampling import SamplingExplorer
from helpers.explorers.surgery import SurgeryExplorer
from helpers.explorers.surprise import SurpriseExplorer
from helpers.explorers.training import TrainingExplorer
from helpers.explorers.training_cost import TrainingCostExplorer
