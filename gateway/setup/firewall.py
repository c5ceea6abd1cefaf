"""A firewall that is active: what to open in it. Nothing is ever closed or flushed."""

from __future__ import annotations

from gateway.setup.steps import Command


def commands(kind: str, ports: tuple[int, ...]) -> list[tuple[str, ...]]:
    """What opens the ports; empty where only the administrator knows the rule set."""
    if kind == "ufw":
        return [("ufw", "allow", f"{port}/tcp") for port in ports]
    if kind == "firewalld":
        opened = [("firewall-cmd", "--permanent", f"--add-port={port}/tcp") for port in ports]
        return [*opened, ("firewall-cmd", "--reload")]
    return []


def undo(argv: tuple[str, ...]) -> tuple[str, ...]:
    """What takes a rule away again."""
    if argv[:2] == ("ufw", "allow"):
        return ("ufw", "delete", *argv[1:])
    return tuple(one.replace("--add-port", "--remove-port") for one in argv)


def steps(kind: str, ports: tuple[int, ...]) -> list[Command]:
    """The same as steps; both programs do nothing for a rule that is there."""
    return [Command(argv, "open the firewall") for argv in commands(kind, ports)]


def words(kind: str, ports: tuple[int, ...]) -> list[str]:
    """What to tell the administrator who opens it."""
    listed = ", ".join(map(str, ports))
    found = [" ".join(argv) for argv in commands(kind, ports)]
    if found:
        return [
            f"The firewall ({kind}) is active and was not changed. Open TCP ports {listed} (or use --open-firewall):\n"
            + "\n".join(f"    {one}" for one in found)
        ]
    return [
        f"The firewall ({kind}) is active and was not changed. Open TCP ports {listed}, in an input chain such as:\n"
        f"    nft add rule inet filter input tcp dport '{{ {listed} }}' accept"
    ]
