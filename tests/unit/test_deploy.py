"""What is shipped beside the code: container, Procfile, requirements, and the guide's table of log lines."""

import ast
import json
import re
import shlex
from fnmatch import fnmatch
from pathlib import Path

import pytest

from service.runware.tasks import video_task
from service.settings import IsolatedSettings
from tests.builders import clip, request
from tests.guide import GUIDE

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "deploy" / "Dockerfile").read_text("utf-8")
Instruction = tuple[str, str]


def stages() -> list[list[Instruction]]:
    """Read the Dockerfile: for each stage its instructions, as (name, arguments)."""
    lines = [line for line in DOCKERFILE.splitlines() if line and not line.startswith("#")]
    instructions = re.findall(r"^([A-Z]+) (.*)$", "\n".join(lines).replace("\\\n", ""), re.MULTILINE)
    found: list[list[Instruction]] = []
    for name, arguments in instructions:
        if name == "FROM":
            found.append([])
        found[-1].append((name, arguments.strip()))
    return found


def last(name: str) -> str:
    """Give the arguments of the last such instruction of the image itself."""
    return [arguments for found, arguments in stages()[-1] if found == name][-1]


def is_ignored(path: str) -> bool:
    """Tell whether .dockerignore keeps a path out: the last pattern for it or a folder above it counts."""
    candidates = [path, *(str(parent) for parent in Path(path).parents)]
    ignored = False
    for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines():
        pattern = line.removeprefix("!").removeprefix("**/")
        if not pattern or pattern.startswith("#"):
            continue
        names = [Path(one).name for one in candidates] if "**/" in line else candidates
        if any(fnmatch(name, pattern) for name in names):
            ignored = not line.startswith("!")
    return ignored


def copied_from_the_checkout() -> list[str]:
    sources: list[str] = []
    for stage in stages():
        for name, arguments in stage:
            if name == "COPY" and not arguments.startswith("--from="):
                sources += shlex.split(arguments)[:-1]
    return sources


def test_container_runs_what_the_procfile_runs() -> None:
    (web,) = (ROOT / "Procfile").read_text("utf-8").splitlines()
    assert f"web: {shlex.join(json.loads(last('CMD')))}" == web
    assert "--host 0.0.0.0" in web


def test_container_does_not_run_as_root() -> None:
    user = last("USER")
    assert user.isdecimal(), "a cluster can't tell by a name"
    assert int(user) > 0
    after_it = [name for name, _ in stages()[-1]]
    assert "RUN" not in after_it[after_it.index("USER") :]


def test_container_leaves_what_built_it_behind() -> None:
    build, image = stages()
    assert next(arguments for name, arguments in build if name == "FROM").endswith(" AS build")
    assert not any("pip" in arguments for _, arguments in image)
    assert [arguments for name, arguments in image if name == "COPY"] == [
        "--from=build /opt/clips /opt/clips"
    ]


def test_container_installs_the_pinned_libraries() -> None:
    (install,) = (arguments for name, arguments in stages()[0] if name == "RUN")
    assert 'install --no-cache-dir -c deploy/constraints.txt ".${EXTRAS:+[$EXTRAS]}"' in install


def test_python_of_the_container_is_one_that_the_service_runs_on() -> None:
    bases = {arguments.split()[0] for stage in stages() for name, arguments in stage if name == "FROM"}
    (base,) = bases
    minor = re.fullmatch(r"python:3\.(\d+)-slim", base)
    at_least = re.search(r'requires-python = ">=3\.(\d+)"', (ROOT / "pyproject.toml").read_text("utf-8"))
    assert minor
    assert at_least
    assert int(minor[1]) >= int(at_least[1])


def test_all_that_the_container_is_built_from_is_there_and_not_ignored() -> None:
    sources = copied_from_the_checkout()
    assert {"pyproject.toml", "README.md", "service", "deploy/constraints.txt"} <= set(sources)
    assert [source for source in sources if not (ROOT / source).exists() or is_ignored(source)] == []
    migrations = (ROOT / "service" / "stores" / "migrations").resolve()
    assert str(migrations.relative_to(ROOT.resolve())) in sources, "the package's link leads there"


@pytest.mark.parametrize(
    "path", [".env", "deploy/.env", "clips.db", "tests/conftest.py", ".git/config", "service/__pycache__"]
)
def test_secrets_databases_and_tests_stay_out_of_the_container(path: str) -> None:
    assert is_ignored(path)


def logged_events() -> set[str]:
    """Find what the service logs; the sandbox and the demo are no part of an installation."""
    events: set[str] = set()
    for path in (ROOT / "service").rglob("*.py"):
        if "sandbox" in path.parts or path.name == "demo.py":
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            match node:
                case ast.Call(
                    func=ast.Attribute(
                        value=ast.Name(id="log"),
                        attr="debug" | "info" | "warning" | "error" | "exception" | "critical",
                    ),
                    args=[ast.Constant(value=str(event)), *_],
                ):
                    events.add(event)
    return events


def test_every_log_line_is_explained_and_none_that_there_is_not() -> None:
    _, _, section = GUIDE.partition("\n## Logs\n")
    rows = re.findall(r"^\| (`.*?`) \| (?:info|warning|error)", section.partition("\n## ")[0], re.MULTILINE)
    explained = {event for row in rows for event in re.findall(r"`([^`]+)`", row)}
    assert explained == logged_events()


def anchors(document: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", document.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize(
    "document", ["README.md", "CHANGELOG.md", "deploy/README.md", "deploy/PIPELINE.md", "service/README.md"]
)
def test_every_link_of_a_document_leads_to_a_file_and_a_heading(document: str) -> None:
    here = ROOT / document
    for link in re.findall(r"\]\(([^):]+)\)", here.read_text("utf-8")):
        path, _, anchor = link.partition("#")
        target = here.parent / path if path else here
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def test_documented_settings_buy_what_the_old_functions_bought() -> None:
    table = GUIDE.partition("| what keeps the old way |")[2].partition("\n\n")[0]
    kept = dict(re.findall(r"`([A-Z_]+)=([^`]+)`", table))
    settings = IsolatedSettings(runware_api_key="a-key", **{name.lower(): kept[name] for name in kept})
    task = video_task(clip(request=request(settings=settings.generation)), None)
    assert (task["model"], task["resolution"], task["outputQuality"]) == ("google:3@3", "720p", 85)
    assert task["providerSettings"] == {"google": {"generateAudio": True, "enhancePrompt": True}}
    assert not settings.prompts.speak_dialogue
