"""Each training loop of `examples/` runs with its library, and goes on where it stopped."""

import os
import random
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
EXAMPLES = ROOT / "examples"

pytestmark = [pytest.mark.slow, pytest.mark.oracle("torch")]


def command(name, *arguments):
    return [sys.executable, str(EXAMPLES / f"{name}.py"), *map(str, arguments)]


def environment():
    """Without the threads of a rank that a test of another launcher may have set."""
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    return {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}


def output(words):
    done = subprocess.run(
        words, capture_output=True, text=True, timeout=280, env=environment(), cwd=ROOT
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def losses(text):
    """The loss of each batch by its number, as printed; a batch that comes again has the same."""
    found = {}
    for number, loss in re.findall(r"^batch (\d+): loss (\S+)$", text, re.MULTILINE):
        assert found.setdefault(int(number), loss) == loss
    return found


def test_plain_pytorch_goes_on_after_it_was_killed(tmp_path):
    expected = losses(output(command("plain_loop", "--steps", 12)))
    assert list(expected) == [*range(1, 13)]
    words = command("plain_loop", "--steps", 12, "--state", tmp_path / "state")
    seen, rng = "", random.Random(0)
    for kill_after in (rng.randrange(6, 10), None):
        child = subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=environment())
        with child, child.stdout as lines:
            for line in lines:
                seen += line
                if line.startswith(f"batch {kill_after}:"):
                    child.kill()
        assert child.returncode == (0 if kill_after is None else -9)
    assert losses(seen) == expected
    # it did not begin anew
    assert seen.count("batch 1:") == 1


def samples(text):
    return sorted(re.findall(r"sample \d+ \d+ [0-9a-f]+", text))


def ranks(count):
    launch = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={count}"]
    return [sys.executable, *launch, *command("with_torchrun", "--steps", 4)[1:]]


def test_ranks_make_together_what_one_makes_alone():
    alone, together = output(ranks(1)), output(ranks(2))
    assert "rank 1 of 2 has" in together
    assert len(set(samples(alone))) == 8
    assert samples(together) == samples(alone)


@pytest.mark.oracle("lightning")
def test_lightning(tmp_path):
    """Epochs advance by themselves, and a checkpoint in the middle of an epoch goes on."""
    form = r"^epoch (\d+), batch (\d+), (key \d+ \d+: \S+)$"
    words = ["with_lightning", "--steps"]
    whole = re.findall(form, output(command(*words, 7)), re.MULTILINE)
    numbers = [(int(epoch), int(batch)) for epoch, batch, _ in whole]
    assert numbers == [*((0, n) for n in range(5)), (1, 0), (1, 1)]
    assert len({key for _, _, key in whole}) == 7
    parts = ""
    for steps in (3, 7):
        parts += output(command(*words, steps, "--checkpoint", tmp_path / "checkpoint"))
    found = re.findall(form, parts, re.MULTILINE)
    assert [key for _, _, key in found] == [key for _, _, key in whole]


@pytest.mark.oracle("monai")
@pytest.mark.parametrize("loader", ["Stream", "ThreadDataLoader"])
def test_monai(loader):
    text = output(command("with_monai", "--steps", 2, "--loader", loader))
    assert len(re.findall(r"^step \d: loss \d+\.\d+$", text, re.MULTILINE)) == 2


@pytest.mark.oracle("nnunetv2")
def test_nnunet():
    text = output(command("with_nnunet", "--steps", 2))
    assert re.search(r"^training loss \d+\.\d+$", text, re.MULTILINE)
    assert "volaug: no stream" not in text


def test_every_example_is_tested_and_on_the_page():
    page = (ROOT / "docs" / "training.md").read_text()
    here = Path(__file__).read_text()
    for file in EXAMPLES.glob("*.py"):
        assert file.name in page, file
        if file.stem != "heads":
            assert f'"{file.stem}"' in here, file
