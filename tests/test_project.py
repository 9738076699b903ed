"""The house: README tells the truth, versions agree, files stay small and name no machine."""

import contextlib
import io
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

import bptt

pytestmark = pytest.mark.house

ROOT = Path(__file__).parents[1]
LINES = 320
LONGER = {
    # file: why it may be longer (pages are as long as their argument)
    "docs/_ext/formats/markdown.py": "a method for each kind of node, and nothing else",
}
CODE = {".css", ".js", ".mjs", ".py", ".sh", ".toml", ".yaml", ".yml"}
VENDORED = "_vendor/"


def text(path: str) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


def fenced(language: str) -> list[str]:
    """README's code blocks in a language, in order."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text("README.md"), re.MULTILINE | re.DOTALL)


def tracked() -> list[str]:
    listing = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if listing.returncode:
        pytest.fail(f"the tests of the house need a git checkout: {listing.stderr}")
    return [name for name in listing.stdout.split("\0") if name and (ROOT / name).is_file()]


def without_rounding(shown: str) -> str:
    """Leave out the size and the place of an error at the level of rounding."""
    return re.sub(r"\d\.\de-1[5-7]( <= 1e-10, at ).*", r"ROUNDING\1SOMEWHERE", shown)


def test_readme_snippet_prints_what_readme_shows():
    (code,), (shown,) = fenced("python"), fenced("text")
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(compile(code, "README.md", "exec"), {})  # noqa: S102
    assert "ROUNDING" in without_rounding(shown)
    assert without_rounding(printed.getvalue()) == without_rounding(shown)


@pytest.mark.parametrize("sessions", ["docs", "tests peers"])
def test_readme_has_each_command_in_one_line_of_its_own(sessions):
    command = f'python -m pip install "nox[uv]" && python -m nox -s {sessions}\n'
    assert fenced("sh").count(command) == 1


def test_ci_runs_the_commands_of_readme_and_all_default_sessions():
    script, noxfile = text(".ci/run"), text("noxfile.py")
    assert "readme_command docs" in script
    assert "readme_command tests" in script
    default = re.findall(r"^@nox\.session\((.*)\)\ndef (\w+)", noxfile, re.MULTILINE)
    assert all("default=" in options for options, _ in default)
    for options, session in default:
        ran = re.search(rf"nox -s( \w+)* {session}\b", script + text("README.md"))
        assert ran or "default=False" in options, session


def test_versions_agree():
    project = tomllib.loads(text("pyproject.toml"))["project"]
    released = re.findall(r"^## (\d\S*)", text("CHANGELOG.md"), re.MULTILINE)
    cited = re.findall(r"^version: (\S+)$", text("CITATION.cff"), re.MULTILINE)
    assert bptt.__version__ == project["version"] == released[0]
    assert cited == [project["version"]]


def test_supported_pythons_agree():
    project = tomllib.loads(text("pyproject.toml"))["project"]
    versions = re.findall(r"Python :: (3\.\d+)", "\n".join(project["classifiers"]))
    assert project["requires-python"] == f">={versions[0]}"
    assert f"python: {versions}".replace("'", '"') in text(".github/workflows/ci.yml")
    assert f"Python {versions[0]} or newer" in text("README.md")


def test_files_are_short_or_listed_with_a_reason():
    code = [name for name in tracked() if Path(name).suffix in CODE and VENDORED not in name]
    long = {name for name in code if len(text(name).splitlines()) > LINES}
    assert long == set(LONGER)


def test_no_tracked_file_names_a_registry_or_a_machine():
    # The brackets keep this file from being one of those it looks for.
    registries = [r"py[p]i\.org", r"pythonho[s]ted\.org", r"np[m]js\.(?:org|com)"]
    machines = [r"/(?:home|Users)/\w+/", r"/work/(?:main|shared)", r"/[r]oot/", r"/[t]mp/\w+/"]
    pattern = re.compile("|".join([*registries, *machines]))
    named = {}
    for name in tracked():
        content = (ROOT / name).read_bytes()
        if b"\0" not in content and (found := pattern.search(content.decode(errors="replace"))):
            named[name] = found.group()
    assert named == {}


def test_no_lock_file_is_tracked():
    assert [name for name in tracked() if re.search(r"(^|[/.-])lock(\.\w+)?$", name)] == []
