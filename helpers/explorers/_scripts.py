"""Show as code: the plain transformers scripts that do what the explorers show.

Their words are in `helpers/data/scripts.toml`.
"""

import tomllib

from helpers._plumbing.checkpoints import checked_device
from helpers._plumbing.files import DATA
from helpers.models import KNOWN_MODELS

SCRIPTS = tomllib.loads((DATA / "scripts.toml").read_text(encoding="utf-8"))


def _loading(lm, what="load"):
    known = KNOWN_MODELS.get(lm.name)
    template = SCRIPTS[what if known and not known.is_bundled else f"{what}_ours"]
    names = {"name": lm.name, "kind": lm.kind, "Kind": lm.kind.title()}
    device, best = lm.model.device, checked_device(None)
    to = "" if device.type == "cpu" else f".to({str(device)!r})"  # transformers loads to the CPU
    there = "" if device.type == best.type else f", device={str(device)!r}"  # the rest to the best
    return template.format(**names, to=to, there=there)


def generation_script(lm, prompt, seed, n, temperature, top_k, top_p):
    """Write what *Write* writes: n tokens at most."""
    settings = {"prompt": prompt, "seed": seed, "n": n, "temperature": temperature}
    cuts = {"top_k": top_k or 0, "top_p": top_p or 1.0}
    return "import torch\n" + _loading(lm) + SCRIPTS["generate"].format(**settings, **cuts)


def fill_script(lm, text, n, targets, several):
    """Print the n likeliest tokens of the blanks in a text, or those of some targets."""
    targets = f", targets={targets}" if targets else ""
    found = "found" if several else "[found]"
    asked = SCRIPTS["fill"].format(text=text, n=n, targets=targets, found=found)
    return _loading(lm, "pipeline") + asked


def reading_script(causal, left, masked, blanked):
    """Print the likeliest tokens of both models: after the left side, and for the blank."""
    blank = "inputs.input_ids[0] == tokenizer.mask_token_id"
    script = "import torch\n"
    for lm, text, place in ((causal, left, "-1"), (masked, blanked, blank)):
        script += _loading(lm) + SCRIPTS["ask"].format(text=text, place=place) + "\n"
    return script
