"""Hosts, each in one spelling: Cyrillic and its punycode, capitals and small letters are one."""

from __future__ import annotations

LONGEST_LABEL = 63  # between two dots
USUAL_PORTS = {"http": ":80", "https": ":443"}


def read(host: str) -> str:
    """The one spelling of a host, for people: Cyrillic for its punycode, small letters, no dot at the end.

    A port and a folder may follow. What cannot be a host becomes "".
    """
    name, port, folder = _split(host)
    try:
        labels = _to_ascii(name).split(".")
        return ".".join(_to_unicode(label) for label in labels) + port + folder
    except ValueError:
        return ""


def to_wire(host: str) -> str:
    """A host of `read` as it travels: in punycode."""
    name, port, _folder = _split(host)
    return _to_ascii(name) + port


def read_origin(address: str) -> str:
    """The origin of a web address as browsers send it: the host in punycode and small letters, nothing behind it."""
    scheme, mark, rest = address.partition("://")
    name, port, _folder = _split(rest)
    scheme, port = scheme.lower(), "" if USUAL_PORTS.get(scheme.lower()) == port else port
    try:
        return scheme + mark + _to_ascii(name) + port if mark else address
    except ValueError:
        return address


def is_same(host: str, other: str) -> bool:
    """Whether both name one portal, however they are spelled."""
    return (read(host) or host) == (read(other) or other)


def _split(host: str) -> tuple[str, str, str]:
    """The name, the port with its colon, the folder with its slash."""
    name, slash, folder = host.partition("/")
    bare, colon, port = name.rpartition(":")
    return (bare, colon + port, slash + folder) if colon and port.isdecimal() else (name, "", slash + folder)


def _to_ascii(name: str) -> str:
    """Raises ValueError for what cannot be a host."""
    if not name.isascii():
        import idna  # big tables, for few portals; httpx has them already

        name = idna.encode(name, uts46=True).decode()
    name = name.lower().removesuffix(".")
    if not all(0 < len(label) <= LONGEST_LABEL for label in name.split(".")):
        raise ValueError(name)
    return name


def _to_unicode(label: str) -> str:
    if not label.startswith("xn--"):
        return label
    import idna

    return idna.decode(label)
