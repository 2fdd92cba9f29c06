"""The page: one HTML file that holds its styles, its scripts, its charts and its data, and asks no network for more."""

import json
from collections.abc import Mapping
from functools import cache
from typing import Any

import vl_convert
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from gpu_pricer.policy.constraint import RATES
from gpu_pricer.report import words

TEMPLATE = "page.html"
FILTERS = ("amount", "gate_limit", "gate_value", "gate_words", "measure_words", "money", "number", "percent", "price")
"""The functions of `words` that templates call."""


def render_page(sections: Mapping[str, object], charts: Mapping[str, dict[str, Any]], table: str) -> str:
    """Return the page.

    sections: what the templates read, by name. charts: specifications by the id of their place. table: from pack.
    Every value is escaped, in the templates by Jinja and in the scripts by script_json.
    """
    templates = page_templates()
    return templates.get_template(TEMPLATE).render(
        **sections,
        charts=script_json(charts),
        table=Markup(table),  # base64, which has no letter that HTML reads
        style=_file(templates, "page.css"),
        script=_file(templates, "page.js"),
        vega=Markup(vega_bundle()),
    )


def page_templates() -> Environment:
    """Return the templates of the page and of its sections; they call the functions of `words`."""
    templates = Environment(
        loader=PackageLoader("gpu_pricer.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters.update({name: getattr(words, name) for name in FILTERS})
    templates.globals["RATES"] = RATES
    return templates


@cache
def vega_bundle() -> str:
    """Return Vega, Vega-Lite and Vega-Embed as one script that defines vegaEmbed; bundling takes 2 s of a CPU."""
    script: str = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")
    return script.replace("</script", "<\\/script").replace("<!--", "<\\!--")


def script_json(value: object) -> Markup:
    """Return a value as JSON that can stand inside a script element: no text in it can end the element."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    for letter in "<>&\u2028\u2029":
        text = text.replace(letter, f"\\u{ord(letter):04x}")
    return Markup(text)


def _file(templates: Environment, name: str) -> Markup:
    """Return a file of the package as it is."""
    loader = templates.loader
    assert loader is not None
    return Markup(loader.get_source(templates, name)[0])
