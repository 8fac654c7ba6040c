"""Files in, files out: `volaug augment` beside TorchIO's command line and a script of nibabel.

    python -m benchmarks.files [--brains 20] [--copies 3]

Every brain is the MNI152 average at 1 mm (int16, 8.7 million voxels, `.nii.gz`) with its labels.
All apply one random affine map; TorchIO and the script do so for a few copies, which is multiplied.
One run each; the load of the machine, which others may share, is printed beside the times.
"""

import argparse
import gzip
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

PIPELINE = """
format = "volaug.pipeline"
version = 1
swap = []

[[transforms]]
type = "RandomAffine"
p = 1.0
"""
SAMPLED = 3  # copies that the rivals make

# What reads, (de)compresses and writes; the time in all other functions is volaug's own.
FILE_WORK = {
    "volaug.data.files.scans": (
        "read_bytes", "decompressed", "gzip_bytes", "gzip_length", "write_new", "sha256_of",
    ),
}  # fmt: skip


def write_brains(folder: Path, count: int) -> None:
    """Write brains and their labels."""
    import nibabel

    from volaug.cli.demo.brain import load_brain

    brain = load_brain()
    folder.mkdir()
    for number in range(count):
        scan = (brain.image * 1000 * (1 + number / 50)).astype(np.int16)
        for ending, voxels in (("", scan), ("_seg", brain.labels)):
            image = nibabel.Nifti1Image(voxels, brain.affine, dtype=voxels.dtype)
            nibabel.save(image, folder / f"brain{number:02}{ending}.nii.gz")


def run(command: list[str]) -> tuple[float, float]:
    """The wall and processor time of a command, in seconds."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wall = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def own_seconds(source: Path, destination: Path, pipeline: Path, copies: int) -> float:
    """The processor time of a copy in all but reading, (de)compressing and writing."""
    import importlib

    from volaug.data.augmenting.dataset import Augmentation
    from volaug.pipeline.reading import read_pipeline

    spent = [0.0]

    def timed(function: Callable[..., Any]) -> Callable[..., Any]:
        def wrapper(*arguments: Any, **options: Any) -> Any:
            start = time.thread_time()
            try:
                return function(*arguments, **options)
            finally:
                spent[0] += time.thread_time() - start

        return wrapper

    for module, names in FILE_WORK.items():
        found = importlib.import_module(module)
        for name in names:
            setattr(found, name, timed(getattr(found, name)))
    augmentation = Augmentation(source, destination, read_pipeline(pipeline), copies=copies)
    with augmentation.started() as manifest:
        start = time.process_time()
        count = 0
        for done in augmentation.in_threads(1):
            manifest.add(done.lines)
            count += 1
        return (time.process_time() - start - spent[0]) / count


def in_memory_seconds(source: Path, pipeline: Path, count: int) -> float:
    """The processor time of the same augmentation without files, a copy."""
    import nibabel

    from volaug.pipeline.reading import read_pipeline

    brain: Any = nibabel.load(source / "brain00.nii.gz")
    label: Any = nibabel.load(source / "brain00_seg.nii.gz")
    volumes: Any = {"image": np.asarray(brain.dataobj), "label": np.asarray(label.dataobj)}
    made = read_pipeline(pipeline)
    start = time.process_time()
    for index in range(count):
        made(**volumes, affine=brain.affine, index=index, threads=1)
    return (time.process_time() - start) / count


def by_torchio(source: Path, out: Path) -> None:
    """Transform an image and its label by TorchIO's command line, a process each."""
    command = shutil.which("tiotr") or str(Path(np.__file__).parents[4] / "bin" / "tiotr")
    for ending in ("", "_seg"):
        given = str(source / f"brain00{ending}.nii.gz")
        run([command, "--seed", "1", given, "RandomAffine", str(out / f"torchio{ending}.nii.gz")])


SCRIPT = """
import sys, nibabel, numpy as np
from pathlib import Path
from scipy.ndimage import affine_transform
from scipy.spatial.transform import Rotation
source, out, count = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
rng = np.random.default_rng(0)
for number in range(count):
    image = nibabel.load(source / "brain00.nii.gz")
    label = nibabel.load(source / "brain00_seg.nii.gz")
    matrix = Rotation.from_euler("xyz", rng.uniform(-10, 10, 3), degrees=True).as_matrix()
    center = (np.array(image.shape) - 1) / 2
    offset = center - matrix @ center
    moved = affine_transform(np.asarray(image.dataobj), matrix, offset, order=1)
    labels = affine_transform(np.asarray(label.dataobj), matrix, offset, order=0)
    for ending, array, given in (("", moved, image), ("_seg", labels, label)):
        made = nibabel.Nifti1Image(array, given.affine, given.header)
        nibabel.save(made, out / f"{number}{ending}.nii.gz")
"""


def sizes(folder: Path) -> float:
    """The bytes of copies relative to those of zlib at level 6."""
    ratio = []
    for path in sorted(folder.glob("*aug00*.nii.gz"))[:8]:
        stored = path.read_bytes()
        ratio.append(len(stored) / len(zlib.compress(gzip.decompress(stored), 6)))
    return max(ratio)


def main() -> None:
    """Measure, and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--brains", type=int, default=20)
    parser.add_argument("--copies", type=int, default=3)
    given = parser.parse_args()
    total = given.brains * given.copies
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_brains(folder / "in", given.brains)
        pipeline = folder / "pipeline.toml"
        pipeline.write_text(PIPELINE)
        command = [sys.executable, "-m", "volaug", "augment", str(folder / "in")]
        options = ["--pipeline", str(pipeline), "--copies", str(given.copies)]
        run([*command, str(folder / "warm"), *options[:2]])
        wall, cpu = run([*command, str(folder / "out"), *options])
        print(f"load of the machine: {os.getloadavg()[0]:.1f} of {os.cpu_count()} processors")
        print(
            f"volaug augment: {1e3 * wall / total:.0f} ms a copy (image and label), "
            f"{1e3 * cpu / total:.0f} ms of processor, {cpu / wall:.2f} processors busy"
        )
        print(f"largest file relative to zlib at level 6: {sizes(folder / 'out'):.3f}")
        own = own_seconds(folder / "in", folder / "own", pipeline, given.copies)
        memory = in_memory_seconds(folder / "in", pipeline, given.copies)
        print(
            f"without reading, (de)compressing, writing: {1e3 * own:.0f} ms of processor a copy; "
            f"the same in memory: {1e3 * memory:.0f} ms"
        )
        start = time.perf_counter()
        for _ in range(SAMPLED):
            by_torchio(folder / "in", folder)
        torchio = (time.perf_counter() - start) / SAMPLED
        print(
            f"tiotr of TorchIO: {1e3 * torchio:.0f} ms a copy, {torchio * total / wall:.1f} times"
        )
        script, _ = run([sys.executable, "-c", SCRIPT, str(folder / "in"), name, str(SAMPLED)])
        script /= SAMPLED
        print(f"script of nibabel and scipy: {1e3 * script:.0f} ms a copy, "
              f"{script * total / wall:.1f} times")  # fmt: skip


if __name__ == "__main__":
    main()
