"""The SDKs without a gateway: their unit tests on the vectors, their types, and the packages that somebody installs."""
from __future__ import annotations

import shutil
import zipfile

import pytest

from lib import sdk


@pytest.fixture(scope="module")
def python_sources(tmp_path_factory):
    """A copy: whoever builds a package leaves files beside its sources."""
    return shutil.copytree(sdk.PYTHON, tmp_path_factory.mktemp("python") / "sdk", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))


def test_python_on_the_vectors():
    sdk.run([sdk.python(), "-m", "unittest", "discover", "-t", ".", "-s", "tests"], sdk.PYTHON, PYTHONPATH="src", PYTHONDONTWRITEBYTECODE="1")


def test_python_types(tmp_path):
    sdk.run([sdk.python(), "-m", "mypy", "--cache-dir", tmp_path], sdk.PYTHON)


def test_a_wrong_type_is_found(python_sources, tmp_path):
    """So that the check above is one."""
    user = python_sources / "examples" / "wrong.py"
    user.write_text("from caisson import Gateway\nGateway('http://a', 'b').transfer(to=1, amount='2', mode='free')\n")
    with pytest.raises(AssertionError, match="arg-type"):
        sdk.run([sdk.python(), "-m", "mypy", "--cache-dir", tmp_path, user], python_sources)
    user.unlink()


def test_python_wheel(python_sources, tmp_path):
    """It has what its metadata say, its types too, and works from where it was installed, without the sources."""
    pip = [sdk.python(), "-m", "pip", "--disable-pip-version-check"]
    sdk.run([*pip, "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", tmp_path, python_sources], tmp_path)
    wheel, = tmp_path.glob("caisson-*-py3-none-any.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert "caisson/py.typed" in names and not [name for name in names if name.startswith(("tests", "examples"))]
    sdk.run([*pip, "install", "--quiet", "--no-deps", "--no-index", "--target", tmp_path / "site", wheel], tmp_path)
    told = sdk.run([sdk.python(), "-c", "import caisson; print(caisson.__file__, caisson.__version__)"], tmp_path, PYTHONPATH=str(tmp_path / "site"))
    assert told.split() == [str(tmp_path / "site" / "caisson" / "__init__.py"), wheel.name.split("-")[1]]


def test_typescript_on_the_vectors_and_as_a_package(tmp_path):
    """The strict compiler is the first test; examples are compiled too, and the package is what they import when they run."""
    built = sdk.build_typescript(tmp_path)
    told = sdk.run([sdk.node(), "--test", *sorted((built / "test").glob("*.test.js"))], sdk.TYPESCRIPT)
    assert "# fail 0" in told and "# pass 0" not in told
    package = built / "node_modules" / "@caisson" / "sdk"
    assert {path.name for path in package.iterdir()} == {"dist", "package.json", "README.md"}
    assert (package / "dist" / "index.d.ts").exists()
    out = sdk.run([sdk.node(), "-e", "import('@caisson/sdk').then((sdk) => console.log(Object.keys(sdk).sort().join()))"], built)
    assert "Gateway" in out and "verifyEnvelope" in out
