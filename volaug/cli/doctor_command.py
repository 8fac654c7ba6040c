"""The options of `volaug doctor`."""

import typer


def doctor() -> None:
    """Check whether volaug works here: processors, kernel cache, packs, libraries, numbers.

    Ends with 1 if something is wrong, and says what to do.

    Example: volaug doctor
    """
    from .doctor.checkup import State, checkup

    worst = 0
    for finding in checkup():
        typer.echo(f"{finding.state.value:8}{finding.subject:12}{finding.text}")
        if finding.remedy:
            typer.echo(f"{'':20}{finding.remedy}")
        worst = max(worst, finding.state is State.WRONG)
    raise typer.Exit(worst)
