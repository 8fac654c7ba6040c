"""Find out what a name stands for, and describe it."""

from pathlib import Path

from ...pipeline.compose import Compose
from ...pipeline.drawn_words import words_of_record
from ...pipeline.reading import read_pipeline
from ...pipeline.record import Record
from ...pipeline.step_words import words_of_steps
from ...serialization import parse_file
from .volume import lines_of_volume


def lines_about(what: str) -> list[str]:
    """Describe an image, a pipeline or a record, by its file or a preset's name.

    Raises
    ------
    OSError, TypeError, ValueError
        If there is no such file or preset, or the file holds none of them.
    """
    path = Path(what)
    if path.suffix == ".json" and path.is_file():
        values = parse_file("record", path)
        if isinstance(values, dict) and values.get("format") == "volaug.record":
            try:
                return lines_of_record(Record.from_dict(values))
            except (TypeError, ValueError) as error:
                raise ValueError(f"{path}: {error}") from error
    if path.suffix in (".toml", ".json") or (not path.exists() and not path.suffix):
        return lines_of_pipeline(read_pipeline(what))
    return lines_of_volume(path)


def lines_of_pipeline(pipeline: Compose) -> list[str]:
    """Say how often each step is applied, and what it does within which range."""
    seed = "each call draws anew" if pipeline.seed is None else f"seed {pipeline.seed}"
    count = len([*pipeline.steps()])
    return [
        f"Pipeline of {count} steps, {seed}. Lengths are voxels where no spacing is known.",
        *words_of_steps(pipeline.transforms),
    ]


def lines_of_record(record: Record) -> list[str]:
    """Say what was drawn, and for what."""
    key = record.key
    spacing = record.spacing
    size = "" if spacing is None else f", spacing {' x '.join(f'{mm:g}' for mm in spacing)} mm"
    return [
        f"Record of seed {key.seed}, epoch {key.epoch}, index {key.index}",
        f"for {shape_text(record.shape)} voxels{size}; the result has "
        f"{shape_text(record.output_shape)}",
        *(f"  {line}" for line in words_of_record(record)),
    ]


def shape_text(shape: tuple[int, ...]) -> str:
    """Lengths with crosses between them."""
    return " x ".join(map(str, shape))
