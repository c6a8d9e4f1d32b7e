"""A real Label Studio and a real service, on this machine, for as long as a test lasts.

`make test-labelstudio` installs Label Studio into an environment of its own and names it in LABEL_STUDIO; without that
the tests are skipped with a reason.
"""

import os
from collections.abc import Iterator

import pytest

from tests.labelstudio.servers import ROOT, Studio, running_backend, running_studio

DATA = ROOT.parent / "shared" / "data"


@pytest.fixture(scope="session")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    """With local files served from the folder of the photographs."""
    program = os.environ.get("LABEL_STUDIO")
    if program is None:
        pytest.skip("needs Label Studio: make test-labelstudio")
    if not DATA.is_dir():
        pytest.skip(f"needs the photographs of {DATA}")
    with running_studio(program, tmp_path_factory.mktemp("labelstudio"), DATA) as made:
        yield made


@pytest.fixture(scope="session")
def backend(studio: Studio, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of the service as the backend of that Label Studio, over the model in the box."""
    with running_backend(studio, tmp_path_factory.mktemp("service") / "log") as url:
        yield url
