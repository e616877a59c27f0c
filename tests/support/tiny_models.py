"""Tiny models with random weights, each with the architecture and the kind of tokenizer of a real
one.

They say nothing sensible, but they say it through the same code. `save_tiny(family, folder)` writes
one the way the hub stores it; `tiny(family)` is one ready for use.
"""

import json
import tempfile
from functools import cache
from pathlib import Path

import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import (
    AlbertConfig,
    AlbertForMaskedLM,
    AlbertTokenizer,
    BertConfig,
    BertForMaskedLM,
    BertTokenizer,
    DistilBertConfig,
    DistilBertForMaskedLM,
    GPT2Config,
    GPT2LMHeadModel,
    GPT2Tokenizer,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
    RobertaConfig,
    RobertaForMaskedLM,
    RobertaTokenizer,
)

from helpers.models import LanguageModel, load_causal_lm, load_masked_lm

CAUSAL = ("gpt2", "llama", "pocket-gpt2")
MASKED = ("bert", "roberta", "distilbert", "albert", "pocket-bert")
WORDS = (
    "once upon a time in the small village there lived cat dog sat on mat "
    "and said that it was not old"
)
_SMALL = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
}
CORPUS = [
    WORDS,
    "The cat sat on the mat. Once upon a time, in a small village, there lived a dog.",
] * 20


@cache
def tiny(family):
    """A tiny model, built once and opened by the loader."""
    with tempfile.TemporaryDirectory() as folder:
        save_tiny(family, folder)
        lm = (load_causal_lm if family in CAUSAL else load_masked_lm)(folder)
    return LanguageModel(
        lm.model, lm.tokenizer, f"tiny-{family}"
    )  # its folder has another name in each process


def save_tiny(family, folder, seed=0):
    """Write a model and its tokenizer to a folder."""
    torch.manual_seed(seed)
    model, tokenizer = _BUILDERS[family]()
    for (
        name,
        parameter,
    ) in model.named_parameters():  # larger than usual: the distributions are far from flat
        if "norm" not in name.lower() and "ln_" not in name:
            torch.nn.init.normal_(parameter, std=0.3)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return Path(folder)


def _byte_level_bpe(special_tokens):
    """The vocabulary and merges of a small byte-level BPE."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=400, special_tokens=special_tokens, initial_alphabet=alphabet
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    bpe = json.loads(tokenizer.to_str())["model"]
    return bpe["vocab"], [tuple(merge) for merge in bpe["merges"]]


def _gpt2():
    vocab, merges = _byte_level_bpe(["<|endoftext|>"])
    tokenizer = GPT2Tokenizer(vocab=vocab, merges=merges)
    end = vocab["<|endoftext|>"]
    config = GPT2Config(
        vocab_size=len(vocab),
        n_positions=64,
        n_embd=32,
        n_layer=2,
        n_head=2,
        bos_token_id=end,
        eos_token_id=end,
    )
    return GPT2LMHeadModel(config), tokenizer


def _llama():
    """A tokenizer with "▁" for spaces, which drops the space at the start when it decodes."""
    pieces = ["<unk>", "<s>", "</s>", "▁", *sorted(set("".join(CORPUS)))]
    pieces += [f"▁{word}" for word in WORDS.split()]
    vocab = {piece: n for n, piece in enumerate(dict.fromkeys(pieces))}
    tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=[], ignore_merges=True, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A", special_tokens=[("<s>", 1)]
    )
    config = LlamaConfig(
        vocab_size=len(vocab), max_position_embeddings=64, bos_token_id=1, eos_token_id=2, **_SMALL
    )
    return LlamaForCausalLM(config), PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", unk_token="<unk>"
    )


def _word_pieces():
    pieces = [
        "[PAD]",
        "[UNK]",
        "[CLS]",
        "[SEP]",
        "[MASK]",
        *",.()'",
        *WORDS.split(),
        "##s",
        "##ing",
        "##ed",
    ]
    letters = "bcdefghijklmnopqrstuvwxyz0123456789"
    pieces += [*letters, *(f"##{c}" for c in letters)]
    return {piece: n for n, piece in enumerate(dict.fromkeys(pieces))}


def _bert():
    vocab = _word_pieces()
    config = BertConfig(vocab_size=len(vocab), max_position_embeddings=64, **_SMALL)
    return BertForMaskedLM(config), BertTokenizer(vocab=vocab)


def _distilbert():
    vocab = _word_pieces()
    config = DistilBertConfig(
        vocab_size=len(vocab),
        max_position_embeddings=64,
        dim=32,
        n_layers=2,
        n_heads=2,
        hidden_dim=64,
    )
    tokenizer = BertTokenizer(vocab=vocab, model_input_names=["input_ids", "attention_mask"])
    return DistilBertForMaskedLM(config), tokenizer


def _roberta():
    vocab, merges = _byte_level_bpe(["<s>", "<pad>", "</s>", "<unk>", "<mask>"])
    tokenizer = RobertaTokenizer(
        vocab=vocab,
        merges=merges,
        mask_token=AddedToken("<mask>", lstrip=True),
        model_max_length=62,
    )
    config = RobertaConfig(
        vocab_size=len(vocab), max_position_embeddings=64, type_vocab_size=1, **_SMALL
    )
    return RobertaForMaskedLM(config), tokenizer


def _albert():
    pieces = ["<pad>", "<unk>", "[CLS]", "[SEP]", "[MASK]", "▁", *"abcdefghijklmnopqrstuvwxyz.,'"]
    pieces += [f"▁{word}" for word in WORDS.split()]
    vocab = [
        (piece, -1.0 if len(piece) > 1 else -9.0) for piece in dict.fromkeys(pieces)
    ]  # words first
    config = AlbertConfig(
        vocab_size=len(vocab), embedding_size=16, max_position_embeddings=64, **_SMALL
    )
    return AlbertForMaskedLM(config), AlbertTokenizer(vocab=vocab)


def _pocket(objective):
    """The bundled models' own architecture and tokenizer, one layer small."""
    from helpers.lab.architecture import build_model, build_tokenizer

    tokenizer = build_tokenizer()
    return build_model(objective, tokenizer, n_layer=1, d_model=16, n_head=2), tokenizer


_BUILDERS = {
    "gpt2": _gpt2,
    "llama": _llama,
    "bert": _bert,
    "roberta": _roberta,
    "distilbert": _distilbert,
    "albert": _albert,
    "pocket-gpt2": lambda: _pocket("causal"),
    "pocket-bert": lambda: _pocket("masked"),
}
