"""What there is only on Linux, or only on POSIX, is not needed: in processes that lack it."""

import os
import subprocess
import sys
from pathlib import Path

import nibabel
import numpy as np
import pytest

from volaug.data.files.atomic import replacing
from volaug.kernels.jit import packs, trust

ROOT = Path(__file__).parents[1]
SYSTEMS = ["macos", "windows"]

SAMPLE = """
import hashlib
import numpy as np
import volaug
rng = np.random.default_rng(3)
image, label = rng.random((40, 44, 48), np.float32), np.zeros((40, 44, 48), np.uint8)
label[10:20, 10:20, 10:20] = 1
steps = [volaug.RandomAffine(p=1.0), volaug.RandomElastic(1.0, p=1.0), volaug.RandomNoise(p=1.0)]
pipeline = volaug.Compose(steps, seed=5)
made = pipeline(image=image, label=label, index=2, threads=2)
parts = [made["image"], made["label"]]
with volaug.Stream(
    [{"image": image, "label": label}], pipeline, patch_shape=24, batch_size=2, seed=1, threads=2
) as stream:
    batch = next(stream)
parts += [batch["image"], batch["label"]]
total = hashlib.sha256()
for part in parts:
    total.update(np.ascontiguousarray(part).tobytes())
print(total.hexdigest())
"""


def run_here(code, **environment):
    return _run([sys.executable, "-c", code], environment)


def run_elsewhere(system, code, **environment):
    pretending = str(ROOT / "tests" / "support" / "elsewhere.py")
    return _run([sys.executable, pretending, system, code], environment)


def _run(command, environment):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    return done


@pytest.mark.slow
def test_a_sample_has_the_same_bits_elsewhere():
    here = run_here(SAMPLE).stdout
    assert len(here.strip()) == 64
    for system in SYSTEMS:
        done = run_elsewhere(system, SAMPLE)
        assert done.stdout == here
        assert done.stderr == ""


@pytest.mark.parametrize("system", SYSTEMS)
def test_what_is_missing_is_missing(system):
    """Else the other tests here would say nothing."""
    run_elsewhere(
        system,
        "import os\n"
        "assert not hasattr(os, 'sched_getaffinity')\n"
        "assert not os.path.exists('/proc/self/status')\n"
        "try:\n"
        "    open('/proc/self/status')\n"
        "except FileNotFoundError:\n"
        "    pass\n"
        "else:\n"
        "    raise AssertionError\n"
        f"if {system == 'windows'}:\n"
        "    assert not any(map(lambda name: hasattr(os, name), ('fork', 'geteuid', 'sysconf')))\n"
        "    for name in ('fcntl', 'resource', 'pwd'):\n"
        "        try:\n"
        "            __import__(name)\n"
        "        except ImportError:\n"
        "            pass\n"
        "        else:\n"
        "            raise AssertionError(name)\n",
    )


@pytest.mark.parametrize("system", SYSTEMS)
def test_threads_are_as_many_as_processors(system):
    code = "import os; os.cpu_count = lambda: 5; import volaug; print(volaug.get_num_threads())"
    names = ("VOLAUG_NUM_THREADS", "OMP_NUM_THREADS", "SLURM_CPUS_PER_TASK")
    assert run_elsewhere(system, code, **dict.fromkeys(names, "")).stdout == "5\n"


FILTER = """
import numpy as np, volaug
result = volaug.spline_filter(np.ones((5, 5, 5), np.float32))
assert abs(result - 1).max() < 1e-5
"""

# On Windows a file that another process has open cannot be replaced.
REFUSED = """
import os
replace, refused = os.replace, []
def refuse(source, target):
    if len(refused) < {times}:
        refused.append(target)
        raise PermissionError(13, "Access is denied", target)
    replace(source, target)
os.replace = refuse
"""


@pytest.mark.slow
@pytest.mark.parametrize("times", [2, 10**6])
def test_a_cache_whose_files_are_open_elsewhere(times, tmp_path):
    """It is tried again, and what stays refused costs a warning and no result."""
    code = REFUSED.format(times=times) + FILTER + "assert len(refused) >= 2"
    done = run_elsewhere("windows", code, NUMBA_CACHE_DIR=str(tmp_path))
    kept, left = list(tmp_path.rglob("*.kernel")), list(tmp_path.rglob("*.tmp"))
    assert left == []
    if times == 2:
        assert kept
        assert done.stderr == ""
    else:
        assert not kept
        assert done.stderr.count("RuntimeWarning: volaug: cannot keep compiled kernels") == 1


def test_a_result_whose_file_is_open_elsewhere(tmp_path, monkeypatch):
    """The old file stays, and nothing half-written beside it."""

    def refuse(source, target):
        raise PermissionError(13, "Access is denied", str(target))

    path = tmp_path / "result.txt"
    path.write_text("old")
    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(PermissionError, match=r"result\.txt"), replacing(path) as partial:
        partial.write_text("new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_opens_at_the_second_attempt(monkeypatch):
    """Windows refuses to open a file in the instant in which another process replaces it."""
    attempts = []

    def open_later(path):
        attempts.append(path)
        if len(attempts) < 3:
            raise PermissionError
        return "content"

    assert trust.insist((0.0, 0.0, 0.0), open_later, "path") == "content"
    assert len(attempts) == 3
    attempts.clear()
    with pytest.raises(PermissionError):
        trust.insist((), open_later, "path")


AUGMENT = """
import sys
sys.argv = ["volaug", "augment", *{arguments}]
from volaug.cli import main
main()
"""


@pytest.mark.slow
def test_files_are_augmented_without_locks_of_files(tmp_path):
    scans, pipeline = tmp_path / "scans", tmp_path / "pipeline.toml"
    scans.mkdir()
    volume = np.random.default_rng(2).random((12, 13, 14), np.float32)
    nibabel.save(nibabel.Nifti1Image(volume, np.eye(4)), scans / "scan.nii")
    pipeline.write_text(
        'format = "volaug.pipeline"\nversion = 1\nswap = []\n'
        '[[transforms]]\ntype = "RandomContrast"\np = 1.0\n'
    )
    written = []
    for system in (None, "windows"):
        folder = tmp_path / f"augmented-{system}"
        arguments = [str(scans), str(folder), "--pipeline", str(pipeline), "--seed", "3"]
        code = AUGMENT.format(arguments=arguments)
        run_here(code) if system is None else run_elsewhere(system, code)
        (made,) = folder.rglob("*.nii")
        assert (folder / "manifest.jsonl").exists()
        written.append(np.asarray(nibabel.load(made).dataobj))
    np.testing.assert_array_equal(*written)
    assert not np.array_equal(written[0], volume)


LINEAR = """
import hashlib
import numpy as np
from numba.core.registry import cpu_target
import volaug
from volaug.kernels.warp.pairs import can_broadcast
rng = np.random.default_rng(4)
image = rng.random((30, 31, 33), np.float32)
matrix = [[0.9, 0.2, -0.1], [-0.15, 1.1, 0.05], [0.1, -0.05, 0.95]]
warped = volaug.affine_transform(image, matrix, offset=(1.5, -2.0, 0.7), threads=1)
print(can_broadcast(cpu_target.target_context), hashlib.sha256(warped.tobytes()).hexdigest())
"""


@pytest.mark.slow
@pytest.mark.skipif("x86-64-v3" not in packs.supported_levels(), reason="for x86-64-v3")
def test_a_processor_without_avx2_loads_pairs_otherwise_to_the_same_bits(tmp_path):
    level = packs.LEVELS["x86-64-v3"]
    features = {"with": level.features, "without": [*level.features]}
    features["without"].remove("avx2")
    said = {}
    for name, each in features.items():
        said[name] = run_here(
            LINEAR,
            NUMBA_CPU_NAME="x86-64-v3" if name == "with" else "x86-64-v2",
            NUMBA_CPU_FEATURES=",".join(f"+{feature}" for feature in each),
            NUMBA_CACHE_DIR=str(tmp_path / name),
        ).stdout.split()
    assert (said["with"][0], said["without"][0]) == ("True", "False")
    assert said["with"][1] == said["without"][1]
