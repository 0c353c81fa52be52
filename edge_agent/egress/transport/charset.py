"""From the bytes of a body to its text, by the charset that the response names.

Decoding here keeps the tables of sixty years of encodings out of every module.
Only encodings of the web count (those of the WHATWG Encoding standard that
Python has); codecs such as ``unicode_escape`` or ``punycode`` are no charsets.
"""

from __future__ import annotations

import codecs
import re
from typing import Final

_CHARSET: Final = re.compile(r";\s*charset\s*=\s*[\"']?([A-Za-z0-9._:-]{1,40})", re.IGNORECASE)
_NAMES: Final = """ascii utf-8 utf-8-sig utf-16 utf-16-le utf-16-be iso8859-1 iso8859-2 iso8859-3 iso8859-4
    iso8859-5 iso8859-6 iso8859-7 iso8859-8 iso8859-9 iso8859-10 iso8859-11 iso8859-13 iso8859-14
    iso8859-15 iso8859-16 cp866 cp874 cp1250 cp1251 cp1252 cp1253 cp1254 cp1255 cp1256 cp1257 cp1258
    koi8-r koi8-u mac-roman mac-cyrillic gb2312 gbk gb18030 big5 big5hkscs euc_jp iso2022_jp
    shift_jis cp932 euc_kr cp949 johab"""
_KNOWN: Final = frozenset(_NAMES.split())


def decode(body: bytes, content_type: str | None) -> str:
    """Return a body as text; UTF-8 where no known charset is named. Never fails."""
    match = _CHARSET.search(content_type or "")
    name = "utf-8"
    if match:
        try:
            found = codecs.lookup(match[1]).name
        except LookupError:
            found = ""
        if found in _KNOWN:
            name = found
    # No encoding of these makes half a surrogate pair but a damaged one of UTF-16.
    return body.decode(name, "replace").encode("utf-8", "replace").decode()
