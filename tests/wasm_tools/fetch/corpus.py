"""Pages and calls: what the public server was asked, and ours is."""

from collections.abc import Iterator
from typing import Any

PROSE = """<p>The lighthouse of Eddystone was built four times, and each time the sea had something
to say about it, so its keepers wrote down the weather, the ships and the state of the lamp.</p>
<p>Its third tower, of granite blocks that lock into each other, stood for more than a century,
until the rock beneath it began to shake, and not the tower itself, as its builder had claimed.</p>
<p>What remains of it stands on the Hoe today, moved there stone by stone, and visitors climb it,
pay a little, look over the Sound, and compare what they see with the painting in the hall.</p>"""

# What a page may hold, by the name of the case.
PARTS = {
    "headings": "<h1>One</h1><h2>Two</h2><h3> Three\n lines </h3><h4></h4><h6>Six <b>b</b></h6>",
    "emphasis": "<p>a<b> bold </b>b <i>it</i><em>em</em> <strong></strong> <del>gone</del> <s>s</s>.</p>",
    "nested emphasis": "<p><b>bold <i>both</i></b> <i><b>x</b></i> H<sub>2</sub>O x<sup>2</sup> <u>u</u></p>",
    "escapes": "<p>2*3 = 6, snake_case_name, `tick`, # no heading, 1. no list, &lt;b&gt; &amp;amp; [x](y)</p>",
    "links": '<p><a href="/a">rel</a> <a href="https://h.example">abs</a> <a href="mailto:a@b.example">m</a>'
    ' <a>none</a> <a href="">empty</a> <a href="/t" title="a &quot;t&quot;">titled</a></p>',
    "links to themselves": '<p><a href="https://h.example/a_b">https://h.example/a_b</a></p>',
    "links of scripts": '<p>Click <a href="javascript:void(0)">here</a> or <a href="javascript:x"><b>there</b></a>.</p>',
    "links around blocks": '<div><a href="/card"><h3>Card</h3><p>With a text of its own.</p></a></div>',
    "lists": "<ul><li>one</li><li>two<ul><li>deep<ul><li>deeper</li></ul></li></ul></li><li></li></ul>",
    "numbered lists": '<ol><li>a</li><li>b<ol start="7"><li>g</li><li>h</li></ol></li></ol><ol start="x"><li>c</li></ol>',
    "lists with blocks": "<ul><li><p>para</p><p>two</p></li><li><pre>code\n  more</pre></li><li>x<br>y</li></ul>",
    "list then text": "<div><ul><li>a</li></ul>after <ol><li>b</li></ol><ul><li>c</li></ul></div>",
    "definitions": "<dl><dt>Term\n one</dt><dd>First</dd><dd>Second<br>line</dd><dt></dt><dd></dd></dl>",
    "code": "<p>Use <code>a*b_c</code>, <code>``x`</code>, <kbd>Ctrl</kbd> or <samp> out </samp>.</p>",
    "preformatted": "<pre>\n\n  first *line*\n\tsecond <b>bold</b>\n\n</pre><pre><code class='x'>let a = 1;\n</code></pre>",
    "quotes": "<blockquote><p>one</p><p>two</p><blockquote>three</blockquote></blockquote><p><q>said</q></p>",
    "breaks": "<p>one<br>two<br/><br>three</p><hr><p>after</p><div>a<br><br>b<br><br>c</div>",
    "images": '<p>See <img src="/i.png" alt="An image" title="T"> and <img alt="none"></p>'
    '<figure><img src="https://h.example/f.jpg" alt="Fig"><figcaption>Caption <b>b</b></figcaption></figure>',
    "lazy images": '<p><img data-src="https://h.example/lazy.jpg" alt="lazy" class="lazy"></p>'
    '<noscript><img src="https://h.example/n.jpg" alt="n"></noscript>',
    "table": "<table><thead><tr><th>A</th><th>B</th></tr></thead><tbody><tr><td>1</td><td>2</td></tr>"
    "<tr><td>3 <b>x</b></td><td>4<br>5</td></tr></tbody></table>",
    "table without head": "<table><tr><td>1</td><td>2</td></tr><tr><td>3</td><td>4</td></tr></table>",
    "table with spans": "<table><caption>Cap</caption><tr><th colspan='2'>AB</th></tr><tr><td>1</td><td>2</td></tr>"
    "<tr><td colspan='x'>3</td><td colspan='0'>4</td></tr></table>",
    "table of blocks": "<table><tr><th>H</th></tr><tr><td><p>one</p><p>two</p><ul><li>x</li></ul></td></tr></table>",
    "table of one cell": "<table><tbody><tr><td>Only <b>this</b> cell</td></tr></tbody></table>",
    "spaces": "<p>  many   spaces\n and\t\ttabs &nbsp; nbsp&nbsp;</p>  <p>\u3000wide\u2003em</p>",
    "unicode": "<p>Grüße, 日本語テキスト, Ελληνικά, עברית, 🌊 &eacute;&#233;&#x1F30A; &notanentity; &copy</p>",
    "comments": "<p>before<!-- comment -->after</p><!-- a > b --><p>next</p>",
    "scripts": "<script>var a = '<p>no</p>';</script><style>p { color: red }</style><p>seen</p><template>no</template>",
    "hidden": '<p hidden>hidden one</p><p style="display:none">hidden two</p><p aria-hidden="true">three</p><p>seen</p>',
    "navigation": '<nav><ul><li><a href="/1">One</a></li><li><a href="/2">Two</a></li></ul></nav><p>text</p>'
    '<div class="sidebar"><a href="/ad">Buy now</a></div><footer>Imprint</footer>',
    "forms": "<form><label>Name <input name=n></label><select><option>a</select><button>Go</button>"
    "<textarea>t</textarea></form><p>after the form</p>",
    "frames": '<iframe src="https://h.example/f"></iframe><iframe src="https://www.youtube.com/embed/x"></iframe>'
    "<object data=x></object><p>after</p>",
    "media": '<video src="/v.mp4" poster="/p.jpg">video</video><video><source src="/w.mp4"></video><audio src="/a.mp3">a</audio>',
    "drawings": "<svg width='9'><title>T</title><circle r='1'/></svg><p>x<svg><text>in</text></svg>y</p>",
    "blocks": "<section><article><div><div>deep</div></div></article><aside>aside</aside></section><main>main</main>",
    "loose text": "loose <b>text</b> <div>block</div> tail",
    "broken markup": "<p>one<p>two<b>bold<i>both</b>it</i><li>item<td>cell</p></div></span><p>end",
    "fonts": "<font color=red>red</font> <center>mid</center> <big>big</big> <tt>tt</tt><marquee>m</marquee>",
    "details": "<details><summary>Sum</summary><p>inside</p></details><dialog>dialog</dialog>",
    "ruby": "<p><ruby>漢<rp>(</rp><rt>kan</rt><rp>)</rp></ruby> <bdo dir=rtl>abc</bdo> a<wbr>b</p>",
    "metadata": "<h1 class=title>Title of the page</h1><p class=byline>By A. Author</p><time>2026-01-02</time>",
}

HTML = {"Content-Type": "text/html; charset=utf-8"}
ROBOTS = """# for everyone
User-agent: *
Disallow: /private/
Allow: /private/open
Disallow: /*.secret$
Crawl-delay: 5

User-agent: ModelContextProtocol
User-agent: Other
Disallow: /named
Disallow: /private/
Allow: /private/open
Disallow: /*.secret$
"""


def whole(part: str) -> str:
    """A page with enough prose that it counts as an article."""
    return (
        "<!DOCTYPE html><html><head><title>The page</title></head><body>"
        f"<article>{PROSE}{part}{PROSE}</article></body></html>"
    )


def pages() -> dict[str, tuple[int, dict[str, str], bytes]]:
    """Path -> status, headers, body."""
    site: dict[str, tuple[int, dict[str, str], bytes]] = {}
    for index, part in enumerate(PARTS.values()):
        site[f"/article/{index}"] = (200, HTML, whole(part).encode())
        site[f"/short/{index}"] = (200, HTML, f"<html><body>{part}</body></html>".encode())
    plain = {"Content-Type": "text/plain"}
    site |= {
        "/robots.txt": (200, plain, ROBOTS.encode()),
        "/private/x": (200, plain, b"private"),
        "/private/open": (200, plain, b"open"),
        "/named": (200, plain, b"named"),
        "/a.secret": (200, plain, b"secret"),
        "/plain": (200, plain, "häh\n".encode()),
        "/latin": (
            200,
            {"Content-Type": "text/plain; charset=iso-8859-1"},
            "häh".encode("latin-1"),
        ),
        "/bytes": (200, {"Content-Type": "application/octet-stream"}, b"\x00\xff\xfe"),
        "/json": (200, {"Content-Type": "application/json"}, b'{"a": [1, 2]}'),
        "/untyped": (200, {}, b"<p>untyped <b>page</b></p>"),
        "/looks": (200, plain, b"<!doctype html><html><body><p>looks like HTML</p></body></html>"),
        "/empty": (200, HTML, b""),
        "/blank": (200, HTML, b"<html><body>  <script>x</script></body></html>"),
        "/nothing": (204, {}, b""),
        "/choices": (300, HTML, b"<p>several choices</p>"),
        "/gone": (410, HTML, b"gone"),
        "/broken": (503, HTML, b"broken"),
        "/digits": (200, plain, b"0123456789" * 20),
        "/wide": (200, plain, "🌊ü".encode() * 100),
        "/to/plain": (302, {"Location": "/plain"}, b""),
        "/to/far": (301, {"Location": "../to/plain?x=1"}, b""),
        "/to/plain?x=1": (307, {"Location": "//{host}/plain#end"}, b""),
        "/to/private": (302, {"Location": "/private/x"}, b""),
        "/to/itself": (302, {"Location": "/to/itself"}, b""),
        "/to/nowhere": (302, {}, b"no location"),
    }
    return site


def calls() -> Iterator[dict[str, Any]]:
    """Arguments, with {site} where the site's address goes."""
    for index in range(len(PARTS)):
        yield {"url": f"{{site}}/article/{index}", "max_length": 100_000}
        yield {"url": f"{{site}}/short/{index}"}
    for path in pages():
        if not path.startswith(("/article", "/short", "/private", "/named", "/a.")):
            yield {"url": f"{{site}}{path}"}
    for path in (
        "/private/x",
        "/private/open",
        "/named",
        "/a.secret",
        "/a.secrets",
        "/%70rivate/x",
    ):
        yield {"url": f"{{site}}{path}"}
    yield {"url": "{site}/short/0", "raw": True}
    yield {"url": "{site}/empty", "raw": True}
    yield {"url": "{site}/plain", "raw": True}
    for start, most in (
        (0, 10),
        (195, 10),
        (190, 10),
        (199, 1),
        (200, 10),
        (10_000, 1),
        (0, 200),
        (0, 199),
    ):
        yield {"url": "{site}/digits", "start_index": start, "max_length": most}
    yield {"url": "{site}/wide", "start_index": 3, "max_length": 2}
    yield {"url": "{site}/article/8", "start_index": 600, "max_length": 300}
    yield {"url": "{site}"}
    yield {"url": "  {site}/plain "}
    yield {"url": "{site}/a/../plain?q#frag"}
    yield {"url": "{site}/pl ain?ü"}
    for wrong in (
        {"url": "foo"},
        {"url": "http://"},
        {"url": "ftp://h.example/x"},
        {"url": ""},
        {},
    ):
        yield wrong
    for wrong in (
        {"max_length": 0},
        {"max_length": 1_000_000},
        {"max_length": "5"},
        {"start_index": -1},
        {"raw": "yes"},
    ):
        yield {"url": "{site}/plain", **wrong}
