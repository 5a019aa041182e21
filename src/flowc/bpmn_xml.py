"""XML as a tree of elements with their places; whatever makes XML dangerous is refused.

A document type is refused as a whole, and with it every entity: neither a file of this disk nor of the network is
read, and no text grows when it is read.
"""

from __future__ import annotations

from typing import NamedTuple, NoReturn

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import DefusedXMLParser, ParseError

from flowc.records import UserError

DEEPEST = 100
"""Elements in elements. A drawing has about ten; the limit keeps hostile files off Python's stack."""
MOST_ELEMENTS = 50_000
"""A drawing of a hundred boxes has about two thousand, with the diagram part."""


class Element(NamedTuple):
    """An element: its namespace and name, its attributes without a namespace, and what is in it."""

    space: str
    name: str
    attributes: dict[str, str]
    children: list[Element]
    texts: list[str]
    line: int
    column: int

    @property
    def text(self) -> str:
        """The characters directly in the element, white space collapsed."""
        return " ".join("".join(self.texts).split())


def read_xml(text: str, file: str) -> Element:
    """Read an XML document and give its root.

    Raises UserError `file:line:column: what is wrong; remedy`.
    """
    builder = _Builder(file)
    parser = DefusedXMLParser(target=builder, forbid_dtd=True)
    builder.expat = parser.parser
    try:
        parser.feed(text)
        root = parser.close()
    except ParseError as e:
        line, column = e.position
        reason = str(e).split(":")[0]
        raise UserError(f"{file}:{line}:{column + 1}: not well-formed XML: {reason}; export the file anew") from None
    except DefusedXmlException:
        # expat stands somewhere in the declaration, and the reader looks for its beginning
        read = "\n".join(text.split("\n")[: parser.parser.CurrentLineNumber])
        at = max(read.rfind("<!DOCTYPE"), 0)
        line, column = read.count("\n", 0, at) + 1, at - read.rfind("\n", 0, at)
        raise UserError(f"{file}:{line}:{column}: document types and entities are refused, since they can read other "
                        "files and grow without bound; remove the <!DOCTYPE ...>") from None  # fmt: skip
    except UnicodeEncodeError as e:
        line = text.count("\n", 0, e.start) + 1
        raise UserError(f"{file}:{line}: half of a character; save the file as UTF-8") from None
    assert isinstance(root, Element)
    return root


def fail(file: str, element: Element, message: str) -> NoReturn:
    """Raise the UserError of an element's place."""
    raise UserError(f"{file}:{element.line}:{element.column}: {message}")


class _Builder:
    """What the parser tells of elements and text; expat, which it uses, knows where it stands."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.count = 0
        self.stack: list[Element] = []
        self.root: Element | None = None
        self.expat: object = None

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        space, _, name = tag.rpartition("}")
        line, column = getattr(self.expat, "CurrentLineNumber", 1), getattr(self.expat, "CurrentColumnNumber", 0)
        plain = {key: value for key, value in attributes.items() if "}" not in key}
        element = Element(space.removeprefix("{"), name, plain, [], [], line, column + 1)
        self.count += 1
        if len(self.stack) == DEEPEST:
            fail(self.file, element, f"elements are nested more than {DEEPEST} deep; flatten them")
        if self.count > MOST_ELEMENTS:
            fail(self.file, element, f"the file has more than {MOST_ELEMENTS} elements; split it")
        if self.stack:
            self.stack[-1].children.append(element)
        self.root = self.root or element
        self.stack.append(element)

    def end(self, tag: str) -> None:
        self.stack.pop()

    def data(self, text: str) -> None:
        self.stack[-1].texts.append(text)

    def close(self) -> Element | None:
        return self.root
