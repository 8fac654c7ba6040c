"""Build a wheel that contains compiled kernels. Without the variable below, it has none.

    HATCH_BUILD_HOOK_ENABLE_CUSTOM=true pip wheel --no-deps .

Such a wheel is for this operating system, this architecture and this Python. VOLAUG_WHEEL_LEVELS
and VOLAUG_WHEEL_DTYPES, separated by commas, say what is compiled.
"""

import os
import sys
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

DTYPES = "float32,int16,uint8"


class PackHook(BuildHookInterface):
    """Compile packs into a temporary folder, which the wheel takes along."""

    def initialize(self, version, build_data):
        """Called by hatchling before it collects the files of a wheel."""
        sys.path.insert(0, self.root)
        from volaug.compilation.pack_making import make_pack
        from volaug.kernels.jit.packs import levels_of_architecture
        from volaug.threads.limits import granted_threads

        self.folder = Path(mkdtemp())
        os.environ.setdefault("NUMBA_CACHE_DIR", str(self.folder / "cache"))
        wanted = os.environ.get("VOLAUG_WHEEL_LEVELS")
        dtypes = os.environ.get("VOLAUG_WHEEL_DTYPES", DTYPES).split(",")
        for level in wanted.split(",") if wanted else levels_of_architecture():
            make_pack(level, self.folder / "packs", dtypes, processes=granted_threads())
        build_data["force_include"][str(self.folder / "packs")] = "volaug/kernels/packs"
        build_data["pure_python"] = False
        build_data["infer_tag"] = True

    def finalize(self, version, build_data, artifact_path):
        """Called by hatchling when the wheel is written."""
        rmtree(self.folder)
