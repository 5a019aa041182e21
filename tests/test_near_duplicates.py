"""Near-duplicates: what MinHash finds is what comparing all pairs finds, and the same each time."""

from __future__ import annotations

from random import Random

from flowc.near_duplicates import _shingles, near_duplicates, similarity

WORDS = [f"word{i}" for i in range(400)]


def texts(count: int, seed: int) -> list[str]:
    """Random texts of 60 words, each third one an earlier one with a few words changed."""
    rng = Random(seed)
    out: list[str] = []
    for i in range(count):
        words = rng.choice(out).split() if out and i % 3 == 0 else rng.choices(WORDS, k=60)
        for _ in range(rng.randrange(6) if i % 3 == 0 else 0):
            words[rng.randrange(60)] = rng.choice(WORDS)
        out.append(" ".join(words))
    return out


def compared_one_by_one(every: list[str], threshold: float) -> dict[int, int]:
    sets = [_shingles(t) for t in every]
    found: dict[int, int] = {}
    for i in range(len(every)):
        first = next((j for j in range(i) if j not in found and similarity(sets[i], sets[j]) >= threshold), None)
        if first is not None:
            found[i] = first
    return found


def test_it_finds_the_pairs_that_comparing_all_would_find() -> None:
    every = texts(300, 1)
    found = near_duplicates(every, 0.8)
    assert found == compared_one_by_one(every, 0.8)
    assert 30 < len(found) < 100


def test_the_first_of_several_stays_and_the_others_name_it() -> None:
    one = "I would like to fly to Rome with my two children in May"
    other = "You can pay by credit card or by bank transfer within two weeks"
    assert near_duplicates([one, other, one, one + ".", other], 1.0) == {2: 0, 3: 0, 4: 1}


def test_case_and_punctuation_do_not_count_and_short_texts_are_compared_whole() -> None:
    assert near_duplicates(["Hello!", "hello", "Hello you", ""], 1.0) == {1: 0}


def test_one_word_in_the_middle_changes_three_runs() -> None:
    one = _shingles("a b c d e f g h i j")
    assert similarity(one, _shingles("a b c d x f g h i j")) == 5 / 11


def test_a_higher_threshold_takes_fewer() -> None:
    every = texts(200, 2)
    counts = [len(near_duplicates(every, t)) for t in (0.5, 0.7, 0.9, 1.0)]
    assert counts == sorted(counts, reverse=True)
    assert counts[0] > counts[-1] > 0
