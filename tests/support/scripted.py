"""A model that writes the tokens it was given, whatever it reads."""

from types import SimpleNamespace

import torch

from helpers.models import LanguageModel


class Scripted:
    """Stands in for a model: writes the tokens it was given, whatever it reads."""

    device, base_model = torch.device("cpu"), None

    def __init__(self, tokens, vocab_size):
        self.tokens, self.read = tokens, 0
        self.config = SimpleNamespace(max_position_embeddings=64, vocab_size=vocab_size)
        self.generation_config = SimpleNamespace(eos_token_id=None)

    def eval(self):
        pass

    def can_generate(self):
        return True

    def forward(self, ids, cache=None, use_cache=True):
        position, self.read = cache or 0, self.read + 1
        logits = (
            torch.nn.functional.one_hot(
                torch.tensor([[self.tokens[position]]]), self.config.vocab_size
            )
            * 99.0
        )
        return SimpleNamespace(logits=logits, cache=position + 1)

    __call__ = forward


def scripted(lm, text):
    tokens = lm.tokenizer(text).input_ids
    return LanguageModel(Scripted(tokens, len(lm.tokenizer)), lm.tokenizer, "scripted"), tokens
