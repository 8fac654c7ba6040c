"""A stream goes on where another one stood, bit for bit, or says why it cannot."""

import json
import os
import signal
import subprocess
import sys

import numpy as np
import pytest

from support.streams import CASES, same, stream
from volaug import Compose, RandomFlip


def state_after(count, **options):
    """The state of a stream as a file of JSON would give it back, and the batches after it."""
    with stream(**options) as made:
        for _ in range(count):
            next(made)
        state = json.loads(json.dumps(made.state_dict()))
        return state, [next(made) for _ in range(4)]


@pytest.mark.parametrize("count", [0, 1, 5])
def test_a_stream_goes_on_where_another_one_stood(count):
    state, expected = state_after(count)
    with stream(threads=3, prefetch=4) as other:
        other.load_state_dict(state)
        assert other.batches == count
        for batch in expected:
            same(batch, next(other))


def test_a_stream_goes_back_to_where_it_stood():
    with stream(prefetch=3) as made:
        next(made)
        state = made.state_dict()
        expected = [next(made) for _ in range(3)]
        made.load_state_dict(state)
        for batch in expected:
            same(batch, next(made))


def test_a_stream_that_has_ended_goes_on():
    with stream(epochs=2) as made:
        state = made.state_dict()
        first = list(made)
        made.load_state_dict(state)
        assert len(made) == len(first) == 3
        for one, other in zip(first, made, strict=True):
            same(one, other)


def test_each_rank_goes_on_by_itself():
    for number in range(2):
        state, expected = state_after(3, shard=(number, 2))
        with stream(shard=(number, 2)) as other:
            other.load_state_dict(state)
            same(expected[0], next(other))
    with stream(shard=(0, 2)) as other, pytest.raises(ValueError, match=r"with shard = \[1, 2\]"):
        other.load_state_dict(state)


RUN = """
import os, pickle, sys
sys.path[:0] = {path!r}
from support.streams import stream
with stream(**{options}) as made:
    state = sys.argv[1]
    if os.path.exists(state):
        made.load_state_dict(pickle.load(open(state, "rb")))
    for batch in made:
        print(batch["image"].sum().item().hex(), flush=True)
        with open(state + ".new", "wb") as file:
            pickle.dump(made.state_dict(), file)
        os.replace(state + ".new", state)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="POSIX signals")
@pytest.mark.slow
def test_killed_at_any_moment_it_goes_on_with_the_same_bits(tmp_path):
    options = {"epochs": 8}
    with stream(**options) as made:
        expected = [batch["image"].sum().item().hex() for batch in made]
    code = RUN.format(path=[os.path.dirname(__file__), os.getcwd()], options=options)
    command = [sys.executable, "-c", code, str(tmp_path / "state")]
    rng, seen = np.random.default_rng(0), []
    for count in [*rng.integers(1, 4, 3), 0]:
        child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        with child, child.stdout as lines:
            # killed after so many lines; a batch may be printed whose state was not kept yet
            for number, line in enumerate(lines, 1):
                seen.append(line.strip())
                if number == count:
                    child.kill()
    assert list(dict.fromkeys(seen)) == expected


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("seed", {"seed": 6}),
        ("pipeline", {"pipeline": Compose([RandomFlip()])}),
        ("cases", {"cases": CASES[:2]}),
        ("patch_shape", {"patch_shape": 16}),
        ("batch_size", {"batch_size": 3}),
        ("foreground", {"foreground": 1.0}),
        ("samples_per_case", {"samples_per_case": 2}),
        ("epochs", {"epochs": 9}),
        ("dtype", {"dtype": "float64"}),
    ],
)
def test_a_state_of_another_stream(name, options):
    state, _ = state_after(1)
    with (
        stream(**options) as other,
        pytest.raises(ValueError, match=rf"with {name} = .* and here {name} = ") as e,
    ):
        other.load_state_dict(state)
    assert "\n" not in str(e.value)


def test_cases_are_told_by_their_arrays(tmp_path):
    state, _ = state_after(0)
    cases = [{"image": case["image"][:-1], "label": case["label"][:-1]} for case in CASES]
    with stream(cases) as other, pytest.raises(ValueError, match="with cases = '3 "):
        other.load_state_dict(state)


def test_files_may_lie_in_another_folder(tmp_path):
    states = []
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        for name, volume in CASES[0].items():
            np.save(tmp_path / folder / f"{name}.npy", volume)
        cases = [{name: tmp_path / folder / f"{name}.npy" for name in CASES[0]}] * 2
        with stream(cases) as made:
            states.append(made.state_dict())
    assert states[0] == states[1]


@pytest.mark.parametrize("state", [None, 3, "state", {}, {"version": 0}, [1]])
def test_what_is_no_state(state):
    with stream() as made, pytest.raises(TypeError, match=r"state must be what Stream\.state_dict"):
        made.load_state_dict(state)


@pytest.mark.parametrize("batches", [-1, 1.5, "3", None])
def test_a_state_whose_count_is_spoiled(batches):
    with stream() as made, pytest.raises((TypeError, ValueError), match="batches of the state"):
        made.load_state_dict({**made.state_dict(), "batches": batches})
