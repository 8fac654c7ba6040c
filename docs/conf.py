"""Configuration of the built documentation: ``sphinx-build -W docs docs/_build``."""

import dataclasses
import hashlib
import importlib.util
import inspect
import sys
import types
from pathlib import Path

import volaug

# Modules that the integrations import: the pages are built without the libraries.
FOREIGN = """
torch torch.distributed torch.utils torch.utils.data monai monai.data monai.transforms
monai.data.utils torchio torchio.transforms torchio.transforms.augmentation batchgeneratorsv2
batchgeneratorsv2.transforms batchgeneratorsv2.transforms.base
batchgeneratorsv2.transforms.base.basic_transform batchgeneratorsv2.transforms.utils
batchgeneratorsv2.transforms.utils.compose batchgeneratorsv2.transforms.utils.remove_label
batchgeneratorsv2.transforms.utils.deep_supervision_downsampling
"""


class Foreign(types.ModuleType):
    """A module in which every name is an empty class, to inherit from and to annotate with."""

    def __getattr__(self, name):
        """Make a class; autodoc's mocks cannot be in a union of types."""
        if name.startswith("_"):
            raise AttributeError(name)
        subscript = classmethod(lambda cls, _: cls)
        setattr(self, name, type(name, (), {"__class_getitem__": subscript}))
        return vars(self)[name]


libraries = ("torch", "monai", "torchio", "batchgeneratorsv2")
missing = {library for library in libraries if importlib.util.find_spec(library) is None}
for module in FOREIGN.split():
    if module.partition(".")[0] in missing:
        sys.modules[module] = Foreign(module)
        sys.modules[module].__path__ = []
        parent, _, last = module.rpartition(".")
        if parent:
            setattr(sys.modules[parent], last, sys.modules[module])

project = "volaug"
copyright = "The volaug developers"
version = release = volaug.__version__

extensions = ["myst_nb", "numpydoc", "sphinx.ext.autodoc", "sphinx.ext.autosummary"]
exclude_patterns = ["_build", "templates"]
templates_path = ["templates"]
html_title = f"volaug {release}"
html_theme = "pydata_sphinx_theme"
html_theme_options = {
    "navbar_center": [],  # the sidebar has all pages, by subject
    "navigation_with_keys": False,
    "show_prev_next": True,
    "show_toc_level": 2,
}
html_show_sourcelink = False
html_sidebars = {"**": ["contents.html"], "search": []}
html_static_path = ["static"]
html_css_files = ["pages.css"]
myst_heading_anchors = 3

# Pages with code cells are executed where they changed; a notebook has its outputs stored.
nb_execution_mode = "cache"
nb_execution_excludepatterns = ["*.ipynb"]
nb_execution_raise_on_error = True
nb_execution_timeout = 600  # with kernels that are compiled first
nb_merge_streams = True

default_role = "py:obj"  # `RandomFlip` is a link, and other names in backticks are plain
add_module_names = False
autodoc_typehints = "none"  # the Parameters sections have the types
numpydoc_show_class_members = False

# What the page of a class shows beside the class itself.
autosummary_context = {
    "shown_members": {
        "volaug.Compose": {
            "method": "__call__ draw to_dict from_dict from_toml from_file",
            "property": "table",
        },
        "volaug.Record": {
            "method": "apply invert seen to_dict to_json from_dict from_json",
            "property": "warp warps output_shape output_affine cropped_affine",
        },
        "volaug.Warp": {
            "method": "apply apply_all inverse points_to_input points_to_output boxes_to_input "
            "boxes_to_output jacobian_determinant min_jacobian_determinant source_box to_dict "
            "from_dict",
        },
        "volaug.Stream": {"method": "close load_state_dict report state_dict"},
        "volaug.integrations.torch.VolaugDataset": {"method": "set_epoch replay __getitem__"},
        "volaug.integrations.torch.EpochSampler": {"method": "set_epoch"},
        "volaug.integrations.torch.DeviceStream": {
            "method": "close load_state_dict report set_epoch state_dict",
            "property": "batches",
        },
        "volaug.integrations.monai.Volaugd": {"method": "__call__ inverse record_of"},
        "volaug.integrations.nnunet.NnunetTransform": {"method": "get_parameters apply"},
    }
}


def signature_of_dataclass(app, what, name, obj, options, signature, annotation):
    """Show the arguments of `__init__`: `Compose.__new__` hides them, and factories are empty."""
    if what != "class" or not dataclasses.is_dataclass(obj):
        return None
    shown = inspect.signature(obj.__init__)
    parameters = [
        item.replace(
            annotation=item.empty,
            default="{}" if repr(item.default) == "<factory>" else item.default,
        )
        for item in list(shown.parameters.values())[1:]
    ]
    text = str(inspect.Signature(parameters)).replace("'{}'", "{}")
    return text, annotation


def run_cells_again_if_code_changed(app, config):
    """Keep what cells showed by the code that they call: theirs alone would not do."""
    sources = [
        Path(app.confdir) / "pictures.py",
        *sorted(Path(volaug.__file__).parent.rglob("*.py")),
    ]
    code = hashlib.sha256(b"".join(source.read_bytes() for source in sources))
    config.nb_execution_cache_path = str(Path(app.outdir) / ".cells" / code.hexdigest()[:16])


def setup(app):
    """Connect what this file adds to Sphinx."""
    app.connect("config-inited", run_cells_again_if_code_changed)
    app.connect("autodoc-process-signature", signature_of_dataclass)
