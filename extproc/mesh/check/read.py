"""Everything that is to be judged, from files, standard input and admin ports, told apart by content.

A whole configuration (a bootstrap, a config_dump) is judged by itself. Parts (answers of discovery, lists of listeners
and clusters) that are given together belong together, and to the bootstrap beside them where there is one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from extproc.mesh.check.config import EnvoyConfig
from extproc.mesh.check.node import Node
from extproc.mesh.check.paths import Top
from extproc.mesh.check.reading.bootstrap import BOOTSTRAP_FIELDS, take_bootstrap
from extproc.mesh.check.reading.documents import MOST_BYTES, parse_documents, refuse
from extproc.mesh.check.reading.dump import is_dump, take_dump
from extproc.mesh.check.reading.fragment import EXPECTED, is_ours, take_fragment
from extproc.mesh.check.reading.kubernetes import is_resource, resources_of, texts_in
from extproc.mesh.check.reading.parts import Parts
from extproc.mesh.check.resource import Resource
from extproc.strict_yaml import DocumentError, Problem, UnfitError

_SUFFIXES: Final = frozenset((".yaml", ".yml", ".json"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Bytes to read.

    `origin`: how people call where they come from. `directory`: where files are that they name by relative names; None
    where no file may be read for them. `is_found`: nobody named it, it lay in a directory: there a policy or a mesh
    file of ours may lie beside what is rendered from them.
    """

    origin: str
    data: bytes
    directory: Path | None = None
    is_found: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """What was read.

    `configs`: of Envoys, and `runtimes` their runtime values, each with its origin. `resources`: of Kubernetes, all of
    them, judged or not. `files`: the names of all that was read, by which the paths of merged parts begin. `texts`: by
    those names, for the lines of findings.
    """

    configs: tuple[EnvoyConfig, ...] = ()
    runtimes: tuple[tuple[str, Node], ...] = ()
    resources: tuple[Resource, ...] = ()
    files: tuple[str, ...] = ()
    texts: Mapping[str, bytes] = field(default_factory=dict)


def load_source(path: Path) -> Source:
    """Read one file. Raises DocumentError."""
    try:
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except OSError as error:
        refuse(str(path), f"the file cannot be read ({error.strerror})", "check the path and who may read it")
    except ValueError as error:
        refuse(repr(str(path)), f"this is no path ({error})", "check the path")
    return Source(origin=str(path), data=data, directory=path.absolute().parent)


def files_in(path: Path) -> tuple[Path, ...]:
    """Give the file, or those of a directory that are called like YAML or JSON, in order. Raises DocumentError."""
    if not path.is_dir():
        return (path,)
    found = tuple(sorted(each for each in path.rglob("*") if each.suffix in _SUFFIXES and each.is_file()))
    if not found:
        refuse(str(path), "the directory has no .yaml or .json file", "name the files")
    return found


def read_sources(sources: Sequence[Source]) -> Read:
    """Read what is to be judged. Raises DocumentError with every source that could not be read."""
    reading = _Reading()
    for source in sources:
        reading.take(source)
    return reading.result()


class _Reading:
    """Reads one source after the other, and puts together what belongs together."""

    def __init__(self) -> None:
        self._whole: list[EnvoyConfig] = []
        self._runtimes: list[tuple[str, Node]] = []
        self._bootstraps: list[tuple[str, Parts]] = []
        self._loose: list[tuple[str, Parts]] = []
        self._resources: list[Resource] = []
        self._texts: dict[str, bytes] = {}
        self._problems: list[Problem] = []
        self._followed: set[str] = set()

    def take(self, source: Source) -> None:
        try:
            self._take(source)
        except DocumentError as error:
            self._problems.extend(error.problems)

    def _take(self, source: Source) -> None:
        self._texts[source.origin] = source.data
        documents = parse_documents(source.data, source.origin)
        if not documents:
            refuse(source.origin, "the file is empty", EXPECTED)
        for number, document in enumerate(documents, 1):
            # Several documents of Kubernetes have names of their own; what else stands in a row is counted.
            title = f"document {number}: " if len(documents) > 1 else ""
            try:
                self._document(Top(document.value, title), source)
            except UnfitError as error:
                refuse(source.origin, error.message, error.mend, document.line)

    def _document(self, root: Top, source: Source) -> None:
        origin, parts = source.origin, Parts()
        if source.is_found and is_ours(root):
            return
        if is_resource(root):
            self._kubernetes(root, source)
        elif is_dump(root):
            take_dump(root, parts)
            self._runtimes.extend((origin, node) for node in parts.runtimes)
            self._whole.append(parts.config(origin))
        elif _is_bootstrap(root):
            take_bootstrap(root, parts, lambda name: self._follow(name, source))
            self._runtimes.extend((origin, node) for node in parts.runtimes)
            self._bootstraps.append((origin, parts))
        else:
            # The file's own name goes in front, because parts of several files are judged together.
            take_fragment(Top(root.value, f"{origin}: {root.path}"), parts)
            self._loose.append((origin, parts))

    def _kubernetes(self, root: Node, source: Source) -> None:
        for resource in resources_of(root, source.origin):
            self._resources.append(resource)
            for path, text in texts_in(resource):
                self._embedded(path, text, source)

    def _embedded(self, path: str, text: str, source: Source) -> None:
        """Read the configuration of an Envoy that lies in a ConfigMap; a text that is none is not ours to judge."""
        try:
            documents = parse_documents(text.encode("utf-8", "surrogatepass"), source.origin)
        except DocumentError:
            return
        for document in documents:
            root = Top(document.value, f"{path}: ")
            if _is_bootstrap(root):
                parts = Parts()
                take_bootstrap(root, parts, lambda _: None)
                self._runtimes.extend((source.origin, node) for node in parts.runtimes)
                self._whole.append(parts.config(source.origin))

    def _follow(self, name: str, source: Source) -> Parts | None:
        """Read the answer of discovery in a file that a configuration names; None if there is no such file."""
        if source.directory is None:
            return None
        path = source.directory / name
        if not path.is_file():
            return None
        found = load_source(path)
        documents = parse_documents(found.data, found.origin)
        parts = Parts()
        for document in documents:
            try:
                take_fragment(Top(document.value, f"{found.origin}: "), parts)
            except UnfitError as error:
                refuse(found.origin, error.message, error.mend, document.line)
        self._texts[found.origin] = found.data
        self._followed.add(str(path.resolve()))
        return parts

    def result(self) -> Read:
        if self._problems:
            raise DocumentError(self._problems)
        loose = [(origin, parts) for origin, parts in self._loose if str(Path(origin).resolve()) not in self._followed]
        configs = [*self._whole]
        if configs or self._bootstraps or self._resources:
            # Secrets beside a bootstrap are no Envoy of their own.
            loose = [(origin, parts) for origin, parts in loose if not parts.is_empty]
        if len(self._bootstraps) == 1 and loose:
            loose.insert(0, self._bootstraps[0])
        else:
            configs.extend(parts.config(origin) for origin, parts in self._bootstraps)
        if loose:
            together = Parts()
            for _, parts in loose:
                together.merge(parts)
            configs.append(together.config(", ".join(dict.fromkeys(origin for origin, _ in loose))))
        return Read(
            configs=tuple(configs),
            runtimes=tuple(self._runtimes),
            resources=tuple(self._resources),
            files=tuple(self._texts),
            texts=self._texts,
        )


def _is_bootstrap(root: Node) -> bool:
    return any(root.at(name).is_there for name in BOOTSTRAP_FIELDS)
