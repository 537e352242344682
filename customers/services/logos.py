"""Logos: SVG that draws, and does nothing else."""

from xml.etree import ElementTree

from billing.core.errors import InvalidInput

LOGO_LENGTH_MAX = 100_000
_SVG = "{http://www.w3.org/2000/svg}"
_NAMES = (
    "svg g defs path rect circle ellipse line polyline polygon text tspan title desc clipPath mask "
    "linearGradient radialGradient stop symbol use"
)
_ALLOWED = frozenset(_NAMES.split())


def require_logo(text: str, *, field: str = "logo_svg") -> str:
    """An SVG drawing without scripts, styles, images or links to anywhere else.

    Documents are made from it on the server, so nothing in it may read a file or open an address. Entities and
    document types are refused before the text is parsed.
    """
    if len(text) > LOGO_LENGTH_MAX or "<!" in text or "<?" in text.removeprefix("<?xml"):
        raise InvalidInput(
            "A logo is an SVG drawing of at most 100,000 characters, without a DOCTYPE.", field=field
        )
    try:
        root = ElementTree.fromstring(text)  # noqa: S314  no entities can be declared: "<!" is refused above
    except ElementTree.ParseError as error:
        raise InvalidInput(f"This is not SVG: {error}.", field=field) from error
    if root.tag != f"{_SVG}svg":
        raise InvalidInput("A logo begins with an svg element of the SVG name space.", field=field)
    for element in root.iter():
        name = element.tag.removeprefix(_SVG)
        if name not in _ALLOWED:
            raise InvalidInput(f"A logo may not contain {name[:40]} elements.", field=field)
        for attribute, value in element.attrib.items():
            local = attribute.rpartition("}")[2].lower()
            if local.startswith("on") or local == "style" or (local == "href" and not value.startswith("#")):
                raise InvalidInput(f"A logo may not have the attribute {local[:40]} here.", field=field)
            if "url(" in value and not value.replace(" ", "").startswith("url(#"):
                raise InvalidInput("A logo may refer to its own parts only.", field=field)
    return text
