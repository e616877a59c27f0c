"""The echo game: its texts are what they say, and attention is counted as by hand."""

import pytest
import torch

from helpers.lab import echo
from helpers.lab.echo import games, look, moment, smoothed, train_echo


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
