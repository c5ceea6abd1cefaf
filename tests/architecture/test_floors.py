"""An import never climbs, and no two modules or rooms import each other (docs/architecture.md, "Layers")."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from graphlib import CycleError, TopologicalSorter

import grimp
import pytest

FLOORS = (  # the highest first; rooms of one floor may import each other, but not in a circle
    ("cli", "app"),
    ("api", "mcp"),
    ("core", "backup", "transfer", "doctor", "setup"),
    ("sync", "outbox", "events", "milter", "smarthost", "mail_choice"),
    ("store", "extract", "net", "service"),
    ("records",),
    ("mime",),
)


@pytest.fixture(scope="module")
def graph() -> grimp.ImportGraph:
    return grimp.build_graph("gateway", "mailserver", cache_dir=None)


def test_an_import_never_climbs(graph: grimp.ImportGraph) -> None:
    layers = tuple(grimp.Layer(*floor, independent=False) for floor in FLOORS)
    climbing = graph.find_illegal_dependencies_for_layers(layers, containers={"gateway"})
    assert not climbing, [f"{one.importer} must not import {one.imported}" for one in climbing]


def test_the_mail_server_knows_nothing_of_the_gateway(graph: grimp.ImportGraph) -> None:
    assert not graph.find_downstream_modules("gateway", as_package=True) & _inside(graph, "mailserver")


def test_no_modules_import_each_other(graph: grimp.ImportGraph) -> None:
    assert _circle({one: graph.find_modules_directly_imported_by(one) for one in graph.modules}) is None


def test_no_rooms_import_each_other(graph: grimp.ImportGraph) -> None:
    for package in sorted(one for one in graph.modules if graph.find_children(one)):
        rooms = graph.find_children(package)
        imports = {
            room: {other for other in rooms - {room} if _imports(graph, room, other)} for room in rooms
        }
        assert _circle(imports) is None, f"in {package}"


def test_every_room_has_its_floor(graph: grimp.ImportGraph) -> None:
    rooms = {
        one.removeprefix("gateway.") for one in graph.find_children("gateway") if graph.find_children(one)
    }
    assert rooms <= {room for floor in FLOORS for room in floor}


def _imports(graph: grimp.ImportGraph, room: str, other: str) -> bool:
    return graph.direct_import_exists(importer=room, imported=other, as_packages=True)


def _circle(imports: Mapping[str, Iterable[str]]) -> list[str] | None:
    try:
        TopologicalSorter(imports).prepare()
    except CycleError as error:
        return list(error.args[1])
    return None


def _inside(graph: grimp.ImportGraph, package: str) -> set[str]:
    return {package, *graph.find_descendants(package)}
