"""The echo game: its texts are what they say, and attention is counted as by hand."""

import itertools

import nbformat
import pandas as pd
import pytest
import torch

from helpers.explorers import SurgeryExplorer
from helpers.lab import echo, tables
from helpers.lab.echo import LOOKS, games, look, moment, smoothed, surgery, train_echo
from tests.support.notebook_plugin import ROOT
from tests.tools.make_data import surgery as maker


def test_a_game_repeats_a_phrase_of_different_words():
    ids, certain = games(200, seed=3)
    lengths = set()
    for words, sure in zip(ids.tolist(), certain.tolist(), strict=True):
        length = sure.index(True)
        phrase = words[:length]
        lengths.add(length)
        assert len(set(phrase)) == length
        assert words == (phrase * 20)[:64]
        assert sure == [place >= length for place in range(63)]
        assert min(words) >= 1
        assert max(words) <= echo.N_WORDS
    assert lengths == set(range(echo.SHORTEST, echo.LONGEST + 1))


def test_looking_up_what_followed_gives_every_certain_word():
    ids, certain = games(50, seed=1)
    for words, sure in zip(ids.tolist(), certain.tolist(), strict=True):
        for place in range(63):
            earlier = [j for j in range(place) if words[j] == words[place]]
            assert bool(earlier) == sure[place]
            assert {words[j + 1] for j in earlier} <= {words[place + 1]}


def test_the_same_seed_trains_the_same_model():
    one, two, other = (train_echo(1, steps=3, seed=seed)[1] for seed in (0, 0, 1))
    assert one == two != other


def test_attention_is_counted_as_by_hand():
    model, _ = train_echo(2, steps=0)
    seen, (ids, certain) = look(model, n=3, seed=5), games(3, seed=-6)
    weights = echo.attention(model, ids)
    assert weights.shape == (2, 3, 64, 64)
    assert torch.allclose(weights.sum(-1), torch.ones(2, 3, 64), atol=1e-5)
    back, induction, by_chance = [], [], []
    for game, words in enumerate(ids.tolist()):
        for place in range(63):
            if certain[game, place]:
                after = [j + 1 for j in range(place) if words[j] == words[place]]
                back.append(weights[:, game, place, place - 1])
                induction.append(sum(weights[:, game, place, j] for j in after))
                by_chance.append(len(after) / (place + 1))
    assert seen.back == pytest.approx(torch.stack(back).mean(0).tolist(), abs=1e-6)
    assert seen.induction == pytest.approx(torch.stack(induction).mean(0).tolist(), abs=1e-6)
    assert seen.induction_chance == pytest.approx(sum(by_chance) / len(by_chance))


def test_the_moment_is_where_the_mean_passes():
    history = [{"accuracy": value} for value in [0.0] * 30 + [1.0] * 30]
    assert smoothed(history, over=1) == [report["accuracy"] for report in history]
    assert moment(history) == 39
    assert moment(history[:35]) is None


# ---- surgery

CUTS = [cut for n in range(5) for cut in itertools.combinations(LOOKS, n)]


@pytest.fixture(scope="module")
def trained():
    return train_echo(2, steps=60, seed=1)[0]


def by_hand(model, ids, cut):
    """GPT-2 written out again in float64: logits [places, words] for one game [places], and the
    attention of both layers [places, places] before anything is cut.
    """
    state = {name: weight.double() for name, weight in model.state_dict().items()}

    def part(name, x):
        return x @ state[f"{name}.weight"] + state[f"{name}.bias"]

    def norm(name, x):
        x = (x - x.mean(-1, keepdim=True)) / (x.var(-1, correction=0, keepdim=True) + 1e-5).sqrt()
        return x * state[f"{name}.weight"] + state[f"{name}.bias"]

    n, seen = len(ids), []
    x = state["transformer.wte.weight"][ids] + state["transformer.wpe.weight"][:n]
    for layer in (0, 1):
        block = f"transformer.h.{layer}"
        query, key, value = part(f"{block}.attn.c_attn", norm(f"{block}.ln_1", x)).chunk(3, -1)
        rows, carried = torch.zeros(n, n, dtype=torch.float64), torch.zeros_like(x)
        for i in range(n):
            rows[i, : i + 1] = (key[: i + 1] @ query[i] / echo.WIDTH**0.5).softmax(-1)
            for j in range(i + 1):
                after_same = j > 0 and ids[j - 1] == ids[i] and j - 1 < i
                aimed = after_same if layer else j == i - 1
                if LOOKS[2 * layer + (not aimed)] not in cut:
                    carried[i] += rows[i, j] * value[j]
        seen.append(rows)
        x = x + part(f"{block}.attn.c_proj", carried)
        inner = part(f"{block}.mlp.c_fc", norm(f"{block}.ln_2", x))
        inner = torch.nn.functional.gelu(inner, approximate="tanh")
        x = x + part(f"{block}.mlp.c_proj", inner)
    return norm("transformer.ln_f", x) @ state["transformer.wte.weight"].T, seen


@pytest.mark.parametrize("cut", CUTS[::3], ids=[f"cut{n}" for n in range(len(CUTS[::3]))])
def test_surgery_is_an_attention_written_by_hand(trained, cut):
    ids, certain = games(2, seed=-8)
    right, losses, looks = [], [], {look: [] for look in LOOKS}
    for game, sure in zip(ids, certain, strict=True):
        logits, seen = by_hand(trained, game, cut)
        for i in sure.nonzero()[:, 0].tolist():
            right.append(logits[i].argmax() == game[i + 1])
            losses.append(-logits[i].log_softmax(-1)[game[i + 1]])
            for j in range(i + 1):
                after_same = j > 0 and game[j - 1] == game[i] and j - 1 < i
                looks[LOOKS[0 if j == i - 1 else 1]].append(seen[0][i, j])
                looks[LOOKS[2 if after_same else 3]].append(seen[1][i, j])
    left = surgery(trained, cut, n=2, seed=7)
    assert left.accuracy == pytest.approx(torch.stack(right).double().mean().item(), abs=1e-6)
    assert left.loss == pytest.approx(torch.stack(losses).mean().item(), abs=1e-4)
    for look_at, weights in looks.items():
        share = torch.stack(weights).sum().item() / len(right)
        assert left.looks[look_at] == pytest.approx(share, abs=1e-5)


def test_surgery_that_cuts_nothing_is_the_model_and_leaves_it_as_it_was(trained):
    ids, certain = games(50, seed=-1)
    with torch.no_grad():
        logits = trained(ids).logits
    right = (logits[:, :-1].argmax(-1) == ids[:, 1:])[certain].float().mean().item()
    surgery(trained, LOOKS)
    assert surgery(trained, n=50).accuracy == pytest.approx(right, abs=1e-3)
    with torch.no_grad():
        assert torch.equal(trained(ids).logits, logits)


def test_an_unknown_look_is_refused(trained):
    with pytest.raises(ValueError, match=r"layer 1, at the word before; .* not 'layer 3'"):
        surgery(trained, ["layer 3"])


def test_each_tick_runs_the_model_once_and_says_what_is_left(trained, monkeypatch):
    explorer, runs = SurgeryExplorer(trained), []
    trained.register_forward_hook(lambda *_: runs.append(1))
    whole = explorer.view.value
    for n, look_at in enumerate(LOOKS, start=1):
        explorer.looks[look_at].value = False
        assert len(runs) == n
        assert look_at in explorer.status.value
    left = surgery(trained, LOOKS)
    assert (
        f"{left.accuracy:.0%} of the certain words, loss {left.loss:.2f}" in explorer.status.value
    )
    assert explorer.view.value.count("cut ") == 2
    for box in explorer.looks.values():
        box.value = True
    assert explorer.view.value == whole
    assert "Cut: nothing." in explorer.status.value


def test_the_still_shows_three_settings(trained, words_shown):
    words = words_shown(SurgeryExplorer(trained))
    assert words.count("Cut: ") == 3


# ---- what is stored


def test_the_stored_tables_are_made_by_their_command(tmp_path):
    maker.make_tables(tmp_path, seeds=[0], steps=2)
    for name in ("echo", "surgery"):
        assert tables.made_by(name) == "python -m tests.tools.make_data surgery"
        made = pd.read_csv(tmp_path / f"{name}.csv", comment="#")
        assert list(made) == list(tables.read(name))
        assert set(tables.read(name).seed) == set(maker.SEEDS)


def test_layer_ones_look_carries_the_ability_in_four_seeds_of_five():
    right = tables.read("surgery").pivot(index="seed", columns="cut", values="right")
    assert (right["nothing"] > 0.95).all()
    carries = right["layer 1, at the word before"] < 0.1
    assert carries.sum() == 4
    alone = right[["layer 1, at all else", "both, at all else"]]
    assert (alone[carries] > 0.95).all(axis=None)
    assert (alone[~carries] < 0.1).all(axis=None)
    assert right["layer 1, at the word before"][3] > 0.5
    assert carries[0]  # the one that the notebook trains


def test_the_stored_tables_have_the_settings_of_the_notebook():
    path = ROOT / "notebooks" / "04_emergent_abilities.ipynb"
    settings = {}
    cells = nbformat.read(path, as_version=4).cells
    exec(next(cell.source for cell in cells if cell.id == "echo-settings"), settings)
    assert (settings["steps"], settings["rate"]) == (maker.STEPS, maker.RATE)
    assert maker.TOO_HIGH == 10 * maker.RATE
