"""volaug beside scipy, SimpleITK, torch, MONAI, TorchIO and others, in one process, on one brain.

Run it as ``python -m benchmarks.rivals``. A rival that is not installed has no row.

``jobs`` lists what is compared; begin there, and to compare more, add a line. A job is a problem
(``problems``: what has to be computed, and a plain ``reference`` of it; ``makers`` make it of a
side) and engines (``engines``: a file for each library, whose functions yield a ``contender`` for
each setting).
``measure`` checks that all of them computed the same and times them in turn; ``report`` and
``caption`` say what came out.
"""
