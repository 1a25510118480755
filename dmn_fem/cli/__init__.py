"""The command line ``dmn-fem``: one verb for every arrow from a microstructure to a response.

Exit status: 0 done, 1 the work failed, 2 the call was wrong; one line per error on standard error.
"""

import sys
import warnings
from typing import Annotated, Any

import typer

from dmn_fem import __version__
from dmn_fem.cli._build import build
from dmn_fem.cli._console import WorkFailed
from dmn_fem.cli._data import sample_data, samples_info
from dmn_fem.cli._database import info, stiffness
from dmn_fem.cli._homogenize import homogenize_image
from dmn_fem.cli._images import describe_image, export_image, import_image
from dmn_fem.cli._inelastic import sample_inelastic, validate
from dmn_fem.cli._maps import map_database, report_database
from dmn_fem.cli._microstructure import microstructure_app
from dmn_fem.cli._online import point
from dmn_fem.cli._training import train, transfer
from dmn_fem.cli._warm import warm

__all__ = ["app", "main"]

app = typer.Typer(
    name="dmn-fem",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    help="Deep material networks: from a microstructure to a constitutive law.",
)
app.add_typer(microstructure_app, name="microstructure")
app.command("sample")(sample_data)
app.command("sample-inelastic")(sample_inelastic)
app.command("homogenize")(homogenize_image)
app.command()(validate)
app.command()(train)
app.command()(transfer)
app.command()(build)
database_app = typer.Typer(help="Look into a database and ask it.")
app.add_typer(database_app, name="database")
database_app.command()(info)
database_app.command()(stiffness)
database_app.command("map")(map_database)
database_app.command("report")(report_database)
samples_app = typer.Typer(help="Look into a training set.")
app.add_typer(samples_app, name="samples")
samples_app.command("info")(samples_info)
app.command()(point)
app.command()(warm)
image_app = typer.Typer(help="Exchange phase images with other programs, and describe them.")
app.add_typer(image_app, name="image")
image_app.command("import")(import_image)
image_app.command("export")(export_image)
image_app.command("describe")(describe_image)

# UsageError of click, or of the copy of click inside newer versions of typer.
USAGE_ERROR: Any = typer.BadParameter.__base__
# What some versions of typer make of an interrupt.
INTERRUPTED = 130


@app.callback(invoke_without_command=True)
def _without_verb(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    if version:
        print(__version__)
    elif context.invoked_subcommand is None:
        print(context.get_help())


@samples_app.callback(invoke_without_command=True)
@image_app.callback(invoke_without_command=True)
@database_app.callback(invoke_without_command=True)
def _without_question(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        print(context.get_help())


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and end the process with its exit status."""
    with warnings.catch_warnings():
        warnings.showwarning = lambda message, *_, **__: _say(str(message))
        sys.exit(_run(arguments))


def _run(arguments: list[str] | None) -> int:
    """Exit status of a call; what goes wrong is said."""
    try:
        # Typer gives the status of an early exit, as after --help.
        status: Any = app(arguments, standalone_mode=False)
        if status == INTERRUPTED:
            raise KeyboardInterrupt
        return status if isinstance(status, int) else 0
    except (KeyboardInterrupt, typer.Abort):
        _say("interrupted; samples, trainings and builds go on where they were when called again")
        return INTERRUPTED
    except USAGE_ERROR as error:
        _say(error.format_message())
        return 2
    except (FileNotFoundError, IsADirectoryError) as error:
        _say(f"{error.filename}: {error.strerror}")
        return 2
    except ValueError as error:
        _say(str(error))
        return 2
    except MemoryError as error:
        _say(f"not enough memory: {error}")
        return 1
    except OSError as error:
        _say(f"{error.filename}: {error.strerror}" if error.filename else str(error))
        return 1
    except (WorkFailed, RuntimeError) as error:
        _say(str(error))
        return 1


def _say(message: str) -> None:
    """One line on standard error."""
    print("dmn-fem: " + " ".join(message.split()), file=sys.stderr)
