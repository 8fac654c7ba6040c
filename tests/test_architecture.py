"""Dependencies point down the list of layers, and imports cost little."""

import ast
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

import volaug
from volaug.transforms.registry import TRANSFORMS

PACKAGE = Path(volaug.__file__).parent

# From the top to the ground: a module imports from its own line or from below it. A name stands
# for all that has no line of its own within it.
LAYERS = [
    {"__init__"},
    {"__main__"},
    {"cli"},
    {"integrations"},
    {"plotting.plot"},
    {"plotting.figure", "plotting.page", "plotting.sample_tiles"},
    {"plotting.sample_rows"},
    {"plotting.panels"},
    {"plotting.texts"},
    {"plotting.pictures"},
    {"plotting"},
    {"compilation"},
    {"data.stream"},
    {"data.resuming"},
    {"data.feeding"},
    {"data.prefetch", "data.progress"},
    {"data.samples"},
    {"data.optional"},
    {"data.batches", "data.decoded"},
    {"data.augmenting"},
    {"data.regions"},
    {"data.cases", "data.patches"},
    {"data.datasets"},
    {"data.sources", "data.files", "data"},
    {"pipeline.reading"},
    {"presets"},
    {"pipeline.averaging"},
    {"pipeline.compose"},
    {"pipeline.drawing", "pipeline.stored"},
    {"pipeline.record"},
    {"pipeline.step_words"},
    {"pipeline.description", "pipeline.drawn_words"},
    {"pipeline.drawn"},
    {"pipeline.replay"},
    {"pipeline.sides"},
    {"pipeline.target_warps"},
    {"pipeline.targets", "pipeline"},
    {"transforms.own"},
    {"transforms.registry"},
    {"transforms"},
    {"transforms.warps"},
    {"transforms.group"},
    {"transforms.base", "transforms.own_operations"},
    {"transforms.per_channel", "transforms.label_values", "transforms.registered"},
    {"transforms.operation", "transforms.channels", "transforms.ranges"},
    {"keys"},
    {"warping.fusion", "warping.output_blocks"},
    {"warping.warp", "warping.resizing"},
    {"warping.grid_map", "warping.resample", "warping"},
    {"warping.engine"},
    {"warping.geometry"},
    {"threads.limits", "threads.parts"},
    {"threads"},
    {"checks"},
    {"serialization"},
    {"kernels.warp", "kernels.spline", "kernels.values"},
    {"kernels.jit", "kernels"},
]
# Heavy or optional: imported by whoever needs them, when they do.
OPTIONAL = {
    "torch", "monai", "torchio", "nibabel", "nilearn", "matplotlib", "contourpy", "SimpleITK",
    "PIL", "rich", "typer",
}  # fmt: skip


def imports_of(file):
    """Top names of other packages, and volaug's own modules, dotted, that a file imports."""
    others, own = set(), set()
    package = file.relative_to(PACKAGE).parent.parts
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            others |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names = tuple(node.module.split(".")) if node.module else ()
            if node.level:
                home = package[: len(package) - node.level + 1] + names
                own |= {".".join((*home, alias.name)) for alias in node.names}
            else:
                others.add(names[0])
    return others, own


def sources():
    return sorted(PACKAGE.rglob("*.py"))


def module_of(file):
    return ".".join(file.relative_to(PACKAGE).with_suffix("").parts)


def part_of(file):
    return module_of(file).split(".")[0]


def layer_of(module):
    """The number of the layer; of the longest name that a module lies in."""
    parts = module.split(".")
    for length in range(len(parts), 0, -1):
        name = ".".join(parts[:length])
        for number, layer in enumerate(LAYERS):
            if name in layer:
                return number
    raise AssertionError(f"{module} has no layer")


def is_ours(module):
    path = PACKAGE / module.replace(".", "/")
    return path.is_dir() or path.with_suffix(".py").exists() or path.parent != PACKAGE


@pytest.mark.slow
def test_dependencies_point_down():
    for file in sources():
        if file.name == "__init__.py" and file.parent != PACKAGE:
            continue
        _, own = imports_of(file)
        for imported in filter(is_ours, own):
            found = f"{module_of(file)} imports {imported}"
            assert layer_of(imported) >= layer_of(module_of(file)), found


@pytest.mark.slow
def test_volaug_imports_itself_by_relative_names():
    for file in sources():
        if file.parent.name != "nnunet_trainer":  # which nnU-Net imports, and nothing of it
            assert "volaug" not in imports_of(file)[0], file


def test_a_stranger_finds_the_rooms():
    rooms = [p for p in PACKAGE.iterdir() if p.suffix == ".py" or (p / "__init__.py").exists()]
    assert len(rooms) <= 16
    # kernels may be called as what calls them
    twice = {"__init__", "base", "borders", "prefilter", "copies", "jacobian", "gaussian"}
    names = Counter(file.stem for file in sources() if file.stem not in twice)
    assert {name for name, count in names.items() if count > 1} == set()
    assert [file for file in sources() if len(file.read_text().splitlines()) > 300] == []


def test_public_names_are_the_same_for_editors():
    tree = ast.parse((PACKAGE / "__init__.py").read_text())
    (shown,) = [n for n in tree.body if isinstance(n, ast.If)]
    found = {}
    for node in shown.body:
        for alias in node.names if node.module not in (None, "transforms.registry") else ():
            found[alias.asname] = node.module
    assert found == volaug._HOME
    assert {*found, *TRANSFORMS, "presets", "__version__"} == set(volaug.__all__)
    for name in volaug.__all__:
        assert getattr(volaug, name) is not None
    with pytest.raises(AttributeError, match="module 'volaug' has no attribute 'RandomBlurr'"):
        _ = volaug.RandomBlurr


@pytest.mark.slow
def test_any_module_can_be_imported_first():
    """Each in a fork of a process that has what takes long to import, and nothing of volaug."""
    code = f"""
import os, numba.extending, numpy, scipy.ndimage
for name in {sorted(set(volaug._HOME.values()))!r}:
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            exec(f"import volaug.{{name}}; from volaug import *")
            status = 0
        finally:
            os._exit(status)
    if os.waitpid(pid, 0)[1] != 0:
        print(name)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "", done.stderr


@pytest.mark.slow
def test_the_command_line_waits_for_no_compiler():
    code = "import sys, volaug.cli.app; print('numba' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


@pytest.mark.slow
def test_only_kernels_import_numba():
    for file in sources():
        others, _ = imports_of(file)
        if part_of(file) != "kernels":
            assert not others & {"numba", "llvmlite"}, file
        else:
            assert others <= {*sys.stdlib_module_names, "numba", "llvmlite", "numpy"}, file


def test_numba_options_are_in_one_file():
    for file in sources():
        if file.name != "options.py":
            assert "njit" not in file.read_text(), file


def test_matrix_products_that_release_the_gil_are_in_one_file():
    """A fork must not come in between; a few small matrices multiplied by `@` keep the GIL."""
    for file in sources():
        if part_of(file) in ("cli", "kernels", "integrations") or file.name == "blas.py":
            continue
        found = re.findall(r"np\.(?:matmul|tensordot|dot|inner|vdot)\(", file.read_text())
        assert not found, file


def test_importing_volaug_imports_nothing_optional():
    code = "import sys, volaug; print(*{name.split('.')[0] for name in sys.modules})"
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert not OPTIONAL & set(found)
    assert "volaug" in found


# Every kernel, and how often float32, int16 and uint8 have it compiled.
COMPILATIONS = {
    "warp_tiles": 2,  # affine and elastic
    "linear_row": 3,
    "nearest_row": 3,
    "label_row": 3,
    "cubic_row": 3,
    "filter_planes": 1,  # their coefficients are float32
    "filter_columns": 1,
    "reverse_planes": 3,
    "transpose_planes": 3,
    "jacobian_planes": 1,
    "newton": 1,
    "span_coefficients": 1,
    "block_statistics": 3,
    "scale_and_clip": 3,
    "power_law": 3,
    "piecewise_cubic": 3,
    "add_gaussian_noise": 3,
    "add_rician_noise": 3,
    "blur_planes": 3,
    "blur_columns": 3,
    "coarse_planes": 3,
    "lower_planes": 3,
    "multiply_planes": 3,  # the field itself is float32
    "replace_bits": 3,  # of 32, 16 and 8 bits
    "exchange_bits": 3,
    "bracket_voxels": 3,
}


@pytest.mark.slow
def test_kernels_are_compiled_once_a_dtype_and_kind():
    """Layout, mutability, border, channels and fill are arguments, not compilations."""
    code = """
import gc, numpy as np, volaug, volaug.checks
from volaug.warping.engine.borders import MODES
from pathlib import Path
from numba.core.registry import CPUDispatcher
from volaug.kernels.jit.cache import KernelCache
dtypes = ("float32", "int16", "uint8")
volaug.warmup(dtypes)
points = np.zeros((3, 4, 4, 4))
for dtype in dtypes:
    plain = np.zeros((2, 5, 6, 9), dtype)
    frozen = plain.copy()
    frozen.flags.writeable = False
    views = (plain[0], plain[:, ::-1], plain.transpose(0, 3, 2, 1), plain[..., ::2])
    for volume in (plain, frozen, *views):
        for interpolation in volaug.checks.INTERPOLATIONS:
            for mode in MODES:
                options = {"mode": mode, "interpolation": interpolation, "cval": 3}
                volaug.affine_transform(volume, 0.7 * np.eye(3)[::-1], threads=2, **options)
                volaug.elastic_deform(volume, points, **options)
volaug.Warp((9, 10, 11), control_points=points).inverse((9, 10, 11)).jacobian_determinant()
for kernel in gc.get_objects():
    if isinstance(kernel, CPUDispatcher) and isinstance(kernel._cache, KernelCache):
        name, cache = kernel.py_func.__name__, kernel._cache
        files = [*Path(cache.cache_path).glob(f"{name}-*-{cache._version}.kernel")]
        formats_text = any(b"unicode_concat" in file.read_bytes() for file in files)
        print(name, len(kernel.signatures), len(files) > 0, formats_text)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    lines = [line.split() for line in done.stdout.splitlines()]
    assert {name: int(count) for name, count, *_ in lines} == COMPILATIONS
    # an assignment to a slice compiles the formatting of its error along
    assert {(is_kept, formats_text) for *_, is_kept, formats_text in lines} == {("True", "False")}
