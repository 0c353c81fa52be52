"""Conversations: what a private call gave, and what a client then sends.

``LEAKING`` hold what is private, written anew in some way; ``INNOCENT`` do not, however alike.
"""

import base64
import csv
import gzip
import html
import io
import json
import quopri
from urllib.parse import quote

NOTES = (
    "Patient Ingrid Halvorsen was admitted on Tuesday with a suspected fracture of the left wrist.\n"
    "Her insurance number is 4471-8830-2291 and she can be reached at ingrid.halvorsen@example.org.\n"
    "The x-ray was read by Dr. Okonkwo, who recommended a cast for six weeks and no sport.\n"
    "Portal account: ihalvorsen, password: sn0w!drop7 and the key is AX7-99Q-41ZB.\n"
)
LOG = "".join(
    f"2026-12-01T09:{minute:02d}:17Z gate7 doord[{3000 + minute}]: badge {880000 + minute * 37} "
    f"opened the laboratory door on floor {minute % 5}\n"
    for minute in range(40)
)
ROWS = [
    ("mon", 21.5, 44, "Halvorsen"),
    ("tue", 22.1, 47, "Okonkwo"),
    ("wed", 19.75, 52, "Brightwater"),
    ("thu", 18.2, 61, "Castellanos"),
    ("fri", 20.05, 58, "Dunmore"),
    ("sat", 17.85, 66, "Eriksdotter"),
]
CSV = "day,temperature,humidity,technician\n" + "".join(
    f"{day},{t:.2f},{h},{name}\n" for day, t, h, name in ROWS
)
MEMO = "Überführung nach Zürich: der Koffer steht am Gleis 12, Schließfach vier, Kennwort „Möwe“."
JAPANESE = "来週の火曜日に第三会議室で新製品の発表計画について秘密の打ち合わせを行います。"


def text_result(text, **more):
    return {"content": [{"type": "text", "text": text}], **more}


def structured(value):
    return {
        "content": [{"type": "text", "text": json.dumps(value, indent=2)}],
        "structuredContent": value,
        "isError": False,
    }


RECORDS = [
    {"day": day, "temperature": t, "humidity": h, "technician": name} for day, t, h, name in ROWS
]


def numbered(text):
    return "".join(f"{n:5}: {line}\n" for n, line in enumerate(text.splitlines(), 1))


def cut(text):
    return [text[at : at + 20].replace("\n", " ") for at in range(0, len(text), 20)]


def sixteens(text):
    data = text.encode()
    return [data[at : at + 16] for at in range(0, len(data), 16)]


def as_csv(records):
    out = io.StringIO()
    writer = csv.DictWriter(out, list(records[0]))
    writer.writeheader()
    writer.writerows(records)
    return out.getvalue()


def b64(text):
    return base64.b64encode(text.encode()).decode()


#: name -> (what a private call gave, the arguments of a later call)
LEAKING = {
    "verbatim": (text_result(NOTES), {"text": NOTES}),
    "within other text": (
        text_result(NOTES),
        {"text": f"Please shorten this:\n\n{NOTES}\nThanks!"},
    ),
    "short numbered lines": (
        text_result(NOTES),
        {"text": "\n".join(f"{n}: {one}" for n, one in enumerate(cut(NOTES), 1))},
    ),
    "markup around every word": (
        text_result(NOTES),
        {"text": "".join(f"<td class='w{n}'>{one}</td>" for n, one in enumerate(NOTES.split()))},
    ),
    "pairs of hexadecimal": (text_result(NOTES), {"data": NOTES.encode().hex(" ")}),
    "a list of 0x": (text_result(NOTES), {"data": ", ".join(map(hex, NOTES.encode()))}),
    "as xxd prints": (
        text_result(NOTES),
        {"data": "\n".join(f"{n:08x}: {b.hex(' ')}" for n, b in enumerate(sixteens(NOTES)))},
    ),
    "a list of bytes": (text_result(NOTES), {"data": list(NOTES.encode())}),
    "octal escapes": (text_result(NOTES), {"t": "".join(f"\\{b:03o}" for b in NOTES.encode())}),
    "quoted-printable": (
        text_result(NOTES),
        {"t": quopri.encodestring(NOTES.encode(), quotetabs=True).decode()},
    ),
    "a number in other groups": (
        text_result("insured as 84-2231-9907"),
        {"text": "asked for 84 2231 9907"},
    ),
    "one sentence": (text_result(NOTES), {"text": NOTES.splitlines()[2]}),
    "six words": (text_result(NOTES), {"text": "so: suspected fracture of the left wrist, ok?"}),
    "in capitals": (text_result(NOTES), {"text": NOTES.upper()}),
    "without spaces": (text_result(NOTES), {"text": "".join(NOTES.split())}),
    "spaced out": (text_result(NOTES), {"text": " ".join(NOTES[:80])}),
    "wrapped anew": (text_result(NOTES), {"text": NOTES.replace(" ", "\n")}),
    "with line numbers": (text_result(NOTES), {"text": numbered(NOTES)}),
    "quoted in markdown": (
        text_result(NOTES),
        {"text": "".join(f"> *{line}*\n" for line in NOTES.splitlines())},
    ),
    "lines reversed": (
        text_result(LOG),
        {"log_content": "\n".join(reversed(LOG.splitlines()))},
    ),
    "some lines": (text_result(LOG), {"log_content": "\n".join(LOG.splitlines()[7:9])}),
    "split in two, first": (text_result(NOTES), {"text": NOTES[: len(NOTES) // 2]}),
    "split in two, second": (text_result(NOTES), {"text": NOTES[len(NOTES) // 2 :]}),
    "in a list of lines": (text_result(NOTES), {"lines": NOTES.splitlines()}),
    "nested": (text_result(NOTES), {"a": {"b": [{"c": {"d": [[NOTES[:90]]]}}]}}),
    "as a key": (text_result(NOTES), {"counts": {NOTES.splitlines()[0]: 1}}),
    "as JSON in a string": (text_result(NOTES), {"body": json.dumps({"note": NOTES})}),
    "as JSON in JSON": (
        text_result(NOTES),
        {"body": json.dumps({"inner": json.dumps({"note": NOTES})})},
    ),
    "a piece of JSON": (structured(RECORDS), {"text": json.dumps(RECORDS)[40:300]}),
    "JSON escaped": (text_result(MEMO), {"text": json.dumps(MEMO)[1:-1]}),
    "base64": (text_result(NOTES), {"data": b64(NOTES)}),
    "base64 of a piece": (text_result(NOTES), {"data": b64(NOTES[13:77])}),
    "base64 in a sentence": (text_result(NOTES), {"text": f"decode {b64(NOTES)} please"}),
    "base64 for URLs": (
        text_result(NOTES),
        {"url": f"https://example.org/?q={base64.urlsafe_b64encode(NOTES.encode()).decode()}"},
    ),
    "base64 twice": (text_result(NOTES), {"data": b64(b64(NOTES))}),
    "base64 of gzip": (
        text_result(NOTES),
        {"data": base64.b64encode(gzip.compress(NOTES.encode())).decode()},
    ),
    "base64 that was read": (
        {"content": [{"type": "image", "data": b64(NOTES), "mimeType": "image/png"}]},
        {"text": NOTES},
    ),
    "hexadecimal": (text_result(NOTES), {"data": NOTES.encode().hex()}),
    "escaped for URLs": (text_result(NOTES), {"url": "https://example.org/" + quote(NOTES[:90])}),
    "escaped for HTML": (text_result(MEMO), {"html": html.escape(MEMO).replace("ü", "&uuml;")}),
    "without accents": (
        text_result(MEMO),
        {"text": "Uberfuhrung nach Zurich: der Koffer steht am Gleis 12"},
    ),
    "in wide letters": (
        text_result(NOTES),
        {"text": "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in NOTES[:90])},
    ),
    "with zero widths": (text_result(NOTES), {"text": "\u200b".join(NOTES[:90])}),
    "Japanese": (text_result(JAPANESE), {"text": f"要約: {JAPANESE[5:20]}"}),
    "CSV as JSON": (text_result(CSV), {"entries": RECORDS}),
    "JSON as CSV": (structured(RECORDS), {"text": as_csv(RECORDS)}),
    "a column of numbers": (text_result(CSV), {"values": [t for _, t, _, _ in ROWS]}),
    "a column, as text": (text_result(CSV), {"text": ", ".join(str(t) for _, t, _, _ in ROWS)}),
    "a column of JSON": (structured(RECORDS), {"values": [t for _, t, _, _ in ROWS]}),
    "a column, named anew": (
        text_result(CSV),
        {"points": [{"label": day, "value": t} for day, t, _, _ in ROWS]},
    ),
    "a list of numbers": (
        text_result("readings: 1043, 988, 1220, 1307, 871"),
        {"values": [1043, 988, 1220, 1307, 871]},
    ),
    "an address": (text_result(NOTES), {"to": "ingrid.halvorsen@example.org"}),
    "a number": (text_result(NOTES), {"id": "4471-8830-2291"}),
    "a number, joined": (text_result(NOTES), {"id": "447188302291"}),
    "a number as one": (text_result(NOTES), {"id": 447188302291}),
    "a password": (text_result(NOTES), {"query": "is sn0w!drop7 a good one?"}),
    "a key": (text_result(NOTES), {"query": "what opens AX7-99Q-41ZB"}),
    "of an error": (
        text_result(f"cannot parse line 3: {NOTES.splitlines()[2]}", isError=True),
        {"text": NOTES.splitlines()[2]},
    ),
    "of an embedded resource": (
        {"content": [{"type": "resource", "resource": {"uri": "file:///n", "text": NOTES}}]},
        {"text": NOTES},
    ),
    "of a resource as bytes": (
        {"contents": [{"uri": "file:///n", "blob": b64(NOTES)}]},
        {"text": NOTES},
    ),
    "of a prompt": (
        {"messages": [{"role": "user", "content": {"type": "text", "text": NOTES}}]},
        {"text": NOTES},
    ),
    "of structure alone": ({"structuredContent": {"note": NOTES}}, {"text": NOTES}),
    "in parts between chaff": (
        text_result(NOTES),
        {"text": f"{'lorem ipsum ' * 4000}{NOTES[:60]}{'dolor sit ' * 4000}"},
    ),
    "at the end of a long file": (
        text_result("filler of no weight. " * 9000 + NOTES),
        {"text": NOTES.splitlines()[0]},
    ),
}

#: The same of calls that must not be raised.
INNOCENT = {
    "nothing": (text_result(NOTES), {}),
    "a time zone": (text_result(LOG), {"timezone": "Europe/Berlin"}),
    "another text": (
        text_result(NOTES),
        {"text": "The patient was seen on Wednesday and sent home. The doctor saw no fracture."},
    ),
    "the same words otherwise": (
        text_result(NOTES),
        {"text": "On Tuesday, a cast was recommended for the wrist: it was broken on the left."},
    ),
    "another log of the same minute": (
        text_result(LOG),
        {"log_content": "2026-12-01T09:07:44Z web1 nginx[311]: GET /index.html 200 5120\n" * 3},
    ),
    "days and times": (text_result(LOG), {"since": "2026-12-01", "until": "2026-12-01T09:30:00Z"}),
    "records of the same form": (
        structured(RECORDS),
        {
            "entries": [
                {"day": "mon", "temperature": 3.5, "humidity": 80, "technician": "Vance"},
                {"day": "tue", "temperature": 4.25, "humidity": 81, "technician": "Moriarty"},
            ]
        },
    ),
    "a table of the same columns": (
        text_result(CSV),
        {"text": "day,humidity,temperature\nmon,1.0,3\ntue,2.0,4\nwed,3.0,5\nthu,4.0,6\n"},
    ),
    "small numbers": (text_result(CSV), {"values": [1, 2, 3, 4, 5, 44, 47]}),
    "levels": (
        structured([{"level": "info", "source": "sshd"}] * 40),
        {"entries": [{"level": "info", "source": "sshd", "message": "m"}] * 40},
    ),
    "rules and zeros": (
        text_result(f"{'-' * 80}\n{'0' * 60}\n{'=' * 80}\n"),
        {"text": f"{'=' * 70}\n{'0' * 50}\n"},
    ),
    "ports and status": (
        text_result("GET / 200 512\nGET /a 404 512\nGET /b 200 512\nGET /c 200 512\n"),
        {"values": [200, 404, 8080, 443, 65536, 1048576, 127001]},
    ),
    "versions": (
        text_result("runs Python 3.11.9 on Debian 12.5 with utf-8, sha256, x86_64"),
        {"text": "needs Python 3.11.9, Debian 12.5, utf-8, sha256 and x86_64"},
    ),
    "local addresses": (
        text_result("from 127.0.0.1 and 192.168.178.21"),
        {"host": "192.168.178.21", "also": "127.0.0.1"},
    ),
    "words about passwords": (
        text_result("password: required, token: expired, the key is missing"),
        {"text": "a password is required; the token expired and the key was missing"},
    ),
    "true and null": ({"structuredContent": {"a": True, "b": None}}, {"a": True, "b": None}),
    "an empty result": (
        text_result(""),
        {"text": "anything at all that is long enough to look at"},
    ),
}
