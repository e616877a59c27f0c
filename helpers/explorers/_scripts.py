"""Show as code: the plain transformers scripts that do what the explorers show."""

from helpers._plumbing.checkpoints import checked_device
from helpers.models import KNOWN_MODELS

_LOAD = """\
from transformers import AutoModelFor{Kind}LM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained({name!r})
model = AutoModelFor{Kind}LM.from_pretrained({name!r}){to}
"""
_LOAD_OURS = """\
from helpers.models import load_{kind}_lm

lm = load_{kind}_lm({name!r}{there})
tokenizer, model = lm.tokenizer, lm.model
"""
_GENERATE = """
prompt = {prompt!r}
ids = tokenizer(prompt, return_tensors="pt").input_ids.to(model.device)  # [1, n_tokens]
torch.manual_seed({seed})
output = model.generate(
    ids,
    attention_mask=torch.ones_like(ids),
    pad_token_id=tokenizer.eos_token_id,
    max_new_tokens={n},
    do_sample=True,
    temperature={temperature},
    top_k={top_k},  # 0 would cut nothing
    top_p={top_p},  # 1.0 would cut nothing
)
print(tokenizer.decode(output[0], skip_special_tokens=True))
"""
_ASK = """\
inputs = tokenizer({text!r}, return_tensors="pt").to(model.device)
with torch.no_grad():
    logits = model(**inputs).logits[0]  # [n_tokens, vocab]
best = logits[{place}].flatten().softmax(-1).topk(5)
for share, token in zip(*best):
    print(f"{{share:6.1%}} {{tokenizer.decode(token)}}")
"""
_PIPELINE = """\
from transformers import pipeline

fill = pipeline("fill-mask", model={name!r}{there})
"""
_PIPELINE_OURS = """\
from transformers import pipeline
from helpers.models import load_masked_lm

lm = load_masked_lm({name!r}{there})
fill = pipeline("fill-mask", model=lm.model, tokenizer=lm.tokenizer{there})
"""
_FILL = """\
found = fill({text!r}, top_k={n}{targets})
for candidates in {found}:
    for candidate in candidates:
        print(repr(candidate["token_str"]), f"{{candidate['score']:.1%}}")
"""


def _loading(lm, from_hub=_LOAD, ours=_LOAD_OURS):
    known = KNOWN_MODELS.get(lm.name)
    template = from_hub if known and not known.is_bundled else ours
    names = {"name": lm.name, "kind": lm.kind, "Kind": lm.kind.title()}
    device, best = lm.model.device, checked_device(None)
    to = "" if device.type == "cpu" else f".to({str(device)!r})"  # transformers loads to the CPU
    there = "" if device.type == best.type else f", device={str(device)!r}"  # the rest to the best
    return template.format(**names, to=to, there=there)


def generation_script(lm, prompt, seed, n, temperature, top_k, top_p):
    """Write what *Write* writes: n tokens at most."""
    settings = {"prompt": prompt, "seed": seed, "n": n, "temperature": temperature}
    cuts = {"top_k": top_k or 0, "top_p": top_p or 1.0}
    return "import torch\n" + _loading(lm) + _GENERATE.format(**settings, **cuts)


def fill_script(lm, text, n, targets, several):
    """Print the n likeliest tokens of the blanks in a text, or those of some targets."""
    targets = f", targets={targets}" if targets else ""
    found = "found" if several else "[found]"
    return _loading(lm, _PIPELINE, _PIPELINE_OURS) + _FILL.format(
        text=text, n=n, targets=targets, found=found
    )


def reading_script(causal, left, masked, blanked):
    """Print the likeliest tokens of both models: after the left side, and for the blank."""
    blank = "inputs.input_ids[0] == tokenizer.mask_token_id"
    script = "import torch\n"
    for lm, text, place in ((causal, left, "-1"), (masked, blanked, blank)):
        script += _loading(lm) + _ASK.format(text=text, place=place) + "\n"
    return script
