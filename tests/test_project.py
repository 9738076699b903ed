"""The house: README tells the truth, versions agree, files stay small and name no machine."""

import ast
import contextlib
import importlib.util
import io
import os
import re
import subprocess
import sys
import tomllib
from importlib.metadata import distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import bptt

pytestmark = pytest.mark.house

ROOT = Path(__file__).parents[1]


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
    assert fenced("sh").count(f"python3 run.py nox -s {sessions}\n") == 1


def test_ci_runs_the_commands_of_readme_and_all_default_sessions():
    script, noxfile = text(".ci/run"), text("noxfile.py")
    assert "readme_command docs" in script
    assert "readme_command tests" in script
    default = re.findall(r"^@nox\.session\((.*)\)\ndef (\w+)", noxfile, re.MULTILINE)
    assert all("default=" in options for options, _ in default)
    for options, session in default:
        ran = re.search(rf"(nox -s|session)( \w+)* {session}\b", script + text("README.md"))
        assert ran or "default=False" in options, session


@pytest.mark.parametrize(
    "path",
    [
        ".binder/postBuild",
        ".readthedocs.yaml",
        *(file.relative_to(ROOT).as_posix() for file in sorted(ROOT.glob(".github/workflows/*"))),
    ],
)
def test_each_place_that_builds_runs_the_sessions_as_readme_does(path):
    """So that constraints.txt holds there too, and no list of packages is kept twice."""
    content = re.sub("#.*", "", text(path))
    assert "python run.py nox -s" in content
    installs = r"\b(pip[\d.]*|pipx|uvx?|conda|mamba|poetry|npm|npx) |-m build|requirements:"
    assert re.findall(installs, content) == []


def test_constraints_name_every_requirement_and_no_address():
    """Compared with pyproject.toml: a floor that was raised, or a new name, asks for new constraints."""
    lines = [line for line in text("constraints.txt").splitlines() if not line.startswith("#")]
    form = re.compile(r"([a-z0-9-]+)==([0-9a-z.]+)( ; [^#]+)?  # \d+\.\d\d MB")
    found = [form.fullmatch(line) for line in lines]
    assert [line for line, match in zip(lines, found, strict=True) if not match] == []
    project = tomllib.loads(text("pyproject.toml"))
    wanted = [item for group in project["dependency-groups"].values() for item in group]
    wanted += project["project"]["dependencies"]
    for requirement in (Requirement(item) for item in wanted if isinstance(item, str)):
        versions = [match[2] for match in found if match[1] == canonicalize_name(requirement.name)]
        assert versions, requirement
        assert all(map(requirement.specifier.contains, versions)), requirement
    names = {match[1] for match in found}
    cuda = re.compile("nvidia|cuda|triton")  # gigabytes, which PyTorch's usual wheel asks for
    assert not any(map(cuda.search, names))
    pinned = {f"{match[1]}=={match[2]}" for match in found}
    for each in distributions():  # what one needs that is installed as it stands there
        if f"{canonicalize_name(each.name)}=={each.version}" in pinned:
            needs = map(Requirement, each.requires or ())
            needed = [r.name for r in needs if not r.marker or r.marker.evaluate({"extra": ""})]
            lacking = {canonicalize_name(name) for name in needed} - names
            assert all(map(cuda.search, lacking)), (each.name, lacking)


def test_every_session_installs_under_the_constraints_or_says_what_else():
    installs = re.findall(r"session\.install\((.*)", text("noxfile.py"))
    assert installs
    assert all(arguments.startswith('"-c", CONSTRAINTS') for arguments in installs)
    others = re.findall(r"Environment\(session, .*\)", text("noxfile.py"))
    assert others == ["Environment(session, session.name, *options)"]  # newest and oldest


@pytest.fixture
def runner(monkeypatch, tmp_path):
    """run.py as a module that installs nothing and notes what it would run."""
    spec = importlib.util.spec_from_file_location("run", ROOT / "run.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.HOME, module.commands = tmp_path, []
    monkeypatch.setattr(module, "call", module.commands.append)
    monkeypatch.setattr(os, "environ", {**os.environ})
    return module


def test_a_python_that_is_too_old_can_read_run_and_is_told(runner, monkeypatch):
    ast.parse(text("run.py"), feature_version=(3, 7))
    monkeypatch.setattr(sys, "version_info", (3, 9, 2, "final", 0))
    with pytest.raises(SystemExit, match=r"Python 3\.11 or newer is needed"):
        runner.main(["nox", "-s", "docs"])
    assert runner.commands == []


def test_a_python_without_ensurepip_is_told_what_to_install(runner, monkeypatch):
    monkeypatch.setitem(sys.modules, "ensurepip", None)
    with pytest.raises(
        SystemExit, match=r"no module ensurepip[\s\S]*apt install python3\.\d+-venv"
    ):
        runner.main(["nox", "-s", "docs"])
    assert runner.commands == []


def test_an_environment_that_is_not_complete_is_made_again(runner, tmp_path, capsys):
    runner.make_environment()
    assert "some 25 MB" in capsys.readouterr().out
    made = len(runner.commands)
    assert made == 2
    runner.make_environment()
    assert len(runner.commands) == made
    (tmp_path / "complete.txt").unlink()
    runner.make_environment()
    assert len(runner.commands) == 2 * made
    runner.HOME = tmp_path.rename(tmp_path.with_name("moved"))
    runner.make_environment()  # whose programs name the folder in which they were
    assert len(runner.commands) == 3 * made
    assert str(tmp_path.parent) not in capsys.readouterr().out  # which not every output can show


@pytest.mark.parametrize("name", ["PIP_TARGET", "PIP_USER", "PYTHONHOME", "PYTHONPATH"])
def test_nothing_leads_python_or_pip_away_from_the_environment(runner, monkeypatch, name):
    monkeypatch.setenv(name, "elsewhere")
    monkeypatch.setattr(runner, "call", lambda _: runner.commands.append(os.environ.get(name)))
    with pytest.raises(SystemExit, match="name nox or uv"):
        runner.main([])
    assert runner.commands == ["0" if name == "PIP_USER" else None] * 2


TOLD = """
import os, sys
from unittest.mock import MagicMock

sys.modules["nox"] = MagicMock()
import environments

print(os.environ["UV_BUILD_CONSTRAINT"])
print(*{os.environ.get(name) for name in environments.KEEP_AT_HOME})
"""


@pytest.mark.skipif(os.name == "nt", reason="the home folder is found in another way")
@pytest.mark.parametrize("there", [True, False])
def test_tools_write_where_they_may_below_any_folder(there, tmp_path):
    """Truth: uv parts UV_BUILD_CONSTRAINT at spaces, and does not run where it cannot write its cache."""
    below, home = tmp_path / "a b", tmp_path if there else tmp_path / "nowhere"
    below.mkdir()
    env = {"PATH": os.defpath, "PYTHONPATH": str(ROOT / ".ci"), "HOME": str(home)}
    done = subprocess.run(
        [sys.executable, "-c", TOLD], cwd=below, env=env, capture_output=True, text=True, check=True
    )
    kept = "None" if there else str(below / ".nox" / "home")
    assert done.stdout.splitlines() == ["constraints.txt", kept]
    assert 'env={"UV_CONSTRAINT": CONSTRAINTS}' in text("noxfile.py")


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
