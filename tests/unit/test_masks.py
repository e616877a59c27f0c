"""Two models under two attention masks: equal to networks that are computed by hand, and the view
that switches between them.
"""

import copy
import itertools
import math

import pytest
import torch
from transformers import BertLMHeadModel

from helpers.explorers import MaskExplorer
from helpers.lab import pocketweb, tables
from helpers.lab.evaluation import model_log_probs, unseen
from helpers.lab.masks import MASKS, above_the_floor, every_nth, log_probs_under
from helpers.models import load_causal_lm, load_masked_lm
from tests.support.page import Page, rows
from tests.tools.make_data import masks as maker

CAUSAL, NONE = MASKS
TEXT = "The cat sat on the mat."


@pytest.fixture(scope="module")
def gpt():
    return load_causal_lm("pocket-gpt2", device="cpu")


@pytest.fixture(scope="module")
def bert():
    return load_masked_lm("pocket-bert", device="cpu")


@pytest.fixture(scope="module")
def documents():
    return pocketweb.language().sample(6, seed=5)


@pytest.fixture(scope="module")
def explorer(gpt, bert):
    return MaskExplorer(gpt, bert, TEXT, n_texts=6)


def everywhere(document):
    return list(range(len(document.tokens)))


def gpt2_by_hand(model, ids, causal):
    """The log-probabilities [n_tokens, vocab] of a GPT-2, written out layer by layer."""
    body, n = model.transformer, len(ids)
    x = body.wte.weight[ids] + body.wpe.weight[:n]  # [n, width]
    for layer in body.h:
        heads = layer.attn.c_attn(layer.ln_1(x)).view(n, 3, layer.attn.num_heads, -1)
        query, key, value = heads.permute(1, 2, 0, 3)  # [heads, n, head width] each
        scores = query @ key.transpose(1, 2) / math.sqrt(key.shape[-1])
        if causal:
            later = torch.arange(n)[None, :] > torch.arange(n)[:, None]
            scores = scores.masked_fill(later, -math.inf)
        mixed = (scores.softmax(-1) @ value).transpose(0, 1).reshape(n, -1)
        x = x + layer.attn.c_proj(mixed)
        x = x + layer.mlp(layer.ln_2(x))
    return (body.ln_f(x) @ body.wte.weight.T).log_softmax(-1)


# ---- both masks, against networks made in another way


@pytest.mark.parametrize("mask", MASKS)
def test_gpt_is_the_network_written_out_by_hand(gpt, documents, mask):
    for document in documents:
        ids = torch.tensor(gpt.tokenizer(document.text + pocketweb.END).input_ids)
        with torch.no_grad():
            log_p = gpt2_by_hand(gpt.model, ids, causal=mask == CAUSAL)
        places = everywhere(document)
        expected = [log_p[place, ids[place + 1]].item() for place in places]
        assert log_probs_under(gpt, mask, document, places) == pytest.approx(expected, abs=1e-3)


def test_bert_under_a_causal_mask_is_a_decoder_with_its_weights(bert, documents):
    """transformers builds the causal mask itself for `is_decoder=True`."""
    config = copy.deepcopy(bert.model.config)
    config.is_decoder = True
    decoder = BertLMHeadModel(config).eval()
    assert not decoder.load_state_dict(bert.model.state_dict(), strict=False).missing_keys
    for document in documents[:3]:
        found = log_probs_under(bert, CAUSAL, document, everywhere(document))
        for place in everywhere(document):
            left = "".join(document.tokens[:place])
            ids = [*bert.tokenizer(left).input_ids, bert.tokenizer.mask_token_id]
            with torch.no_grad():
                log_p = decoder(torch.tensor([ids])).logits[0, -1].log_softmax(-1)
            right = bert.tokenizer(document.tokens[place], add_special_tokens=False).input_ids
            assert found[place] == pytest.approx(log_p[right[0]].item(), abs=1e-3)


@pytest.mark.parametrize("kind", ["causal", "masked"])
def test_the_own_mask_of_a_model_changes_nothing(gpt, bert, kind):
    lm, mask = (gpt, CAUSAL) if kind == "causal" else (bert, NONE)
    exam = unseen(kind, n_documents=5, share=1.0)
    for document, expected in zip(exam.documents, model_log_probs(lm, exam), strict=True):
        places = everywhere(document)
        found = log_probs_under(lm, mask, document, places)
        assert found == pytest.approx(expected[: len(places)], abs=1e-3)


# ---- the ruler


@pytest.mark.parametrize("mask", MASKS)
def test_above_the_floor_is_a_mean_over_tokens(gpt, documents, mask):
    differences = []
    for document in documents:
        said = log_probs_under(gpt, mask, document, everywhere(document))
        for place, log_p in enumerate(said):
            truth = pocketweb.next_token("".join(document.tokens[:place]))
            differences.append(math.log(truth[document.tokens[place]]) - log_p)
    found = above_the_floor(gpt, mask, every_nth(documents, 1))
    assert found.nats == pytest.approx(sum(differences) / len(differences))
    assert 0 < found.standard_error < 1


def test_every_second_token_is_asked(documents):
    exam = every_nth(documents, 2)
    for document, places, truth in zip(documents, exam.positions, exam.truth, strict=True):
        n = len(document.tokens)
        assert places in (list(range(0, n, 2)), list(range(1, n, 2)))
        exact = pocketweb.language().log_probs("causal", document)
        assert truth == [exact[place] for place in places]
    assert {places[0] for places in exam.positions} == {0, 1}


# ---- the view


def test_the_switch_shows_what_both_models_say_of_each_token(explorer, gpt, bert):
    document = (
        pocketweb.language().sample(1, seed=0)[0]._replace(tokens=tuple(pocketweb.tokenize(TEXT)))
    )
    for mask in MASKS:
        explorer.mask.value = mask
        shown = [row for row in rows(explorer.view) if "token" not in row["cells"][0]]
        said = []
        for lm in (gpt, bert):
            said += log_probs_under(lm, mask, document, everywhere(document))
        truth = 2 * pocketweb.language().log_probs("causal", document, everywhere(document))
        assert len(shown) == len(said) == 14
        for row, p, exact in zip(shown, said, truth, strict=True):
            assert float(row["cells"][2].replace("<", "")) == pytest.approx(
                100 * math.exp(p), abs=0.1
            )
            assert float(row["cells"][3].removesuffix("pocket-bert")) == pytest.approx(
                100 * math.exp(exact), abs=0.1
            )


def test_the_sentence_has_the_means_of_the_drawn_texts(explorer):
    for mask in MASKS:
        explorer.mask.value = mask
        for name in ("pocket-gpt2", "pocket-bert"):
            nats, error = explorer.above[name, mask]
            assert f"{name} {nats:.2f} ± {error:.2f}" in Page(explorer.view.value).text
    assert explorer.above["pocket-gpt2", NONE].nats > 1 > explorer.above["pocket-bert", CAUSAL].nats
    assert explorer.above["pocket-bert", NONE].nats < 0


def test_the_switch_runs_no_model(explorer, gpt, bert, passes_of):
    passes = passes_of(gpt, bert)
    for mask in (*MASKS, *MASKS):
        explorer.mask.value = mask
    assert not passes


def test_a_text_outside_pocketweb_is_refused(gpt, bert):
    with pytest.raises(ValueError, match="PocketWeb has no text that begins with 'Colourless"):
        MaskExplorer(gpt, bert, "Colourless green ideas.", n_texts=1)


def test_its_still_has_both_masks(explorer, words_shown):
    words = words_shown(explorer)
    assert "A switch for the attention mask" in words
    assert all(f"{mask}: pocket-gpt2" in words for mask in MASKS)


# ---- the stored table


def test_the_stored_genres_are_the_measured_ones():
    stored = tables.read("masks")
    assert set(stored.genre) == set(pocketweb.language().genres)
    assert len(stored) == len(pocketweb.language().genres) * 4
    assert stored.n_tokens.min() >= 300
    assert tables.made_by("masks") == "python -m tests.tools.make_data masks"
    again = itertools.islice(maker.rows(["work"]), 2)
    kept = stored[stored.genre == "work"].to_dict("records")
    for row, same in zip(again, kept, strict=False):
        numbers = "nats_above_causal_floor", "standard_error", "n_tokens"
        assert [row[one] for one in numbers] == pytest.approx(
            [same[one] for one in numbers], rel=1e-3
        )
        assert (row["model"], row["mask"]) == (same["model"], same["mask"])


def test_one_genre_is_below_the_floor_by_nearly_three_standard_errors():
    """As notebook 01 says of GPT without its mask."""
    rows_of = tables.read("masks").query("model == 'pocket-gpt2' and mask == 'no mask'")
    ratio = (rows_of.nats_above_causal_floor / rows_of.standard_error).set_axis(rows_of.genre)
    assert -3 < ratio["examples"] < -2.5
    assert ratio.drop("examples").min() > 5
