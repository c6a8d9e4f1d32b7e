"""The command `colocalize serve`."""

from pathlib import Path
from typing import Annotated, Any

import typer

from colocalization.commands.exits import EXIT_CANNOT_RUN, errors_reported, fail
from colocalization.engine import Device
from colocalization.model_choice import PrecisionChoice

__all__ = ["app"]

app = typer.Typer(add_completion=False)


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[
        int | None,
        typer.Option(min=0, max=65535, help="Port to listen on; 0 takes a free one."),
    ] = None,
    model: Annotated[Path | None, typer.Option(help="Model file; the one in the box if left out.")] = None,
    precision: Annotated[
        PrecisionChoice | None,
        typer.Option(
            help="Of the model in the box. auto: int8, at twice the speed, on CPUs with 8-bit dot products, else fp32."
        ),
    ] = None,
    device: Annotated[Device | None, typer.Option(help="Where the network runs.")] = None,
    require_gpu: Annotated[
        bool | None, typer.Option("--require-gpu", help="Refuse to start where CUDA cannot be used.")
    ] = None,
    threads: Annotated[
        int | None,
        typer.Option(min=0, help="Threads of the network; 0 takes all cores."),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(min=1, help="Processes, each with a model of its own."),
    ] = None,
) -> None:
    """Start the HTTP service.

    Every setting can be given as an environment variable COLOCALIZE_NAME too, and most only so; options win.
    """
    from pydantic import ValidationError

    from service.http.middleware.tracing import TracingError
    from service.process.server import run
    from service.process.serving import ServeError
    from service.process.settings_errors import explain
    from service.settings import Settings

    options: dict[str, Any] = {
        "host": host,
        "port": port,
        "model": model,
        "precision": precision,
        "device": device,
        "require_gpu": require_gpu,
        "threads": threads,
        "workers": workers,
    }
    given = {name: value for name, value in options.items() if value is not None}
    try:
        settings = Settings(**given)
    except ValidationError as error:
        fail(explain(error, given))
    with errors_reported():
        try:
            run(settings)
        except (ServeError, TracingError) as error:
            fail(error.message, EXIT_CANNOT_RUN)
        except ValueError as error:  # a setting that only shows to be wrong when it is used, such as an API key
            fail(str(error))
