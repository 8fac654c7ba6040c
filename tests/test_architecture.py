"""Dependencies point down the list of layers, and imports cost little."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import volaug

PACKAGE = Path(volaug.__file__).parent

# From the top to the ground: a module imports from its own line or from below it.
LAYERS = [
    {"__init__"},
    {"cli"},
    {"integrations"},
    {"compilation"},
    {"data"},
    {"presets"},
    {"pipeline"},
    {"transforms"},
    {"operations"},
    {"warping"},
    {"engine"},
    {"keys"},
    {"threads"},
    {"checks", "serialization"},
    {"kernels"},
]
# Heavy or optional: imported by whoever needs them, when they do.
OPTIONAL = {
    "torch", "monai", "torchio", "nibabel", "nilearn", "matplotlib", "SimpleITK", "rich", "typer",
}  # fmt: skip


def imports_of(file):
    """Top names of other packages, and names of volaug's own parts, that a file imports."""
    others, own = set(), set()
    depth = len(file.relative_to(PACKAGE).parts) - 1
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            others |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names = node.module.split(".") if node.module else [alias.name for alias in node.names]
            if node.level == depth + 1:
                own |= {names[0]} if node.module else set(names)
            elif node.level == 0 and names[0] == "volaug":
                own |= {names[1]} if len(names) > 1 else {alias.name for alias in node.names}
            elif node.level == 0:
                others.add(names[0])
    return others, own


def sources():
    return sorted(PACKAGE.rglob("*.py"))


def part_of(file):
    return file.relative_to(PACKAGE).parts[0].removesuffix(".py")


def layer_of(part):
    (found,) = [number for number, layer in enumerate(LAYERS) if part in layer]
    return found


def test_dependencies_point_down():
    for file in sources():
        _, own = imports_of(file)
        for part in own:
            if (PACKAGE / f"{part}.py").exists() or (PACKAGE / part).is_dir():
                assert layer_of(part) >= layer_of(part_of(file)), f"{file} imports {part}"


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
    "block_statistics": 3,
    "straight": 3,
    "curved": 3,
    "remapped": 3,
    "add_noise": 3,
    "add_rician_noise": 3,
    "blur_planes": 3,
    "blur_columns": 3,
    "coarse_planes": 3,
    "lower_planes": 3,
    "multiply_planes": 3,  # the field itself is float32
    "replace_bits": 3,  # of 32, 16 and 8 bits
}


def test_kernels_are_compiled_once_a_dtype_and_kind():
    """Layout, mutability, border, channels and fill are arguments, not compilations."""
    code = """
import gc, numpy as np, volaug
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
            for mode in volaug.warping.engine.borders.MODES:
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
