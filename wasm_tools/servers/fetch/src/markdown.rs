//! HTML as Markdown, by the rules of Python's markdownify with the headings of ATX.
//!
//! What a rule does is markdownify's decision, down to its blank lines: the original's
//! callers read its text. `Around` is what its rules ask about the elements above.

use dom_query::NodeRef;

use crate::links::normal;
use crate::text::{is_html_space, is_space, strip};

const BULLETS: [&str; 3] = ["*", "+", "-"];
const MOST_COLUMNS: usize = 1000;

/// What stands above an element, as far as it changes how it is written.
#[derive(Clone, Copy, Default)]
struct Around {
    /// Within a heading or a cell: everything stays on one line.
    inline: bool,
    /// Within code: no emphasis, nothing escaped.
    verbatim: bool,
    /// Within `pre`: white space stays.
    pre: bool,
    /// Within a list item.
    item: bool,
}

/// A tree as Markdown, without blank lines around it.
pub fn write(root: NodeRef<'_>) -> String {
    let text = children(top(root), Around::default());
    text.trim_matches('\n').to_owned()
}

/// A parsed fragment stands in an `html` element of the parser's making.
fn top(root: NodeRef<'_>) -> NodeRef<'_> {
    match root.first_child() {
        Some(only) if only.has_name("html") && only.next_sibling().is_none() => only,
        _ => root,
    }
}

fn element(node: NodeRef<'_>, around: Around) -> String {
    let name = node.node_name().unwrap_or_default();
    let mut inside = around;
    inside.inline |= heading(&name).is_some() || matches!(&*name, "td" | "th");
    inside.verbatim |= matches!(&*name, "pre" | "code" | "kbd" | "samp");
    inside.pre |= &*name == "pre";
    inside.item |= &*name == "li";
    let text = children(node, inside);
    convert(node, &name, text, around)
}

/// The children of a node, joined; blank lines between them collapse.
fn children(node: NodeRef<'_>, inside: Around) -> String {
    let trims = trims_inside(Some(node));
    let mut whole = String::new();
    let mut newlines_before = 0;
    for child in node.children_it(false) {
        let text = if child.is_text() {
            let text = child.text();
            if can_ignore(child, &text, trims) {
                continue;
            }
            plain(child, &text, inside)
        } else if child.is_element() {
            element(child, inside)
        } else {
            continue;
        };
        if text.is_empty() {
            continue;
        }
        if inside.pre {
            whole.push_str(&text);
            continue;
        }
        let content = text.trim_start_matches('\n');
        let mut leading = text.len() - content.len();
        let body = content.trim_end_matches('\n');
        let trailing = content.len() - body.len();
        if newlines_before > 0 && leading > 0 {
            whole.truncate(whole.len() - newlines_before);
            leading = leading.max(newlines_before).min(2);
        }
        whole.extend(std::iter::repeat_n('\n', leading));
        whole.push_str(body);
        whole.extend(std::iter::repeat_n('\n', trailing));
        newlines_before = trailing;
    }
    whole
}

/// Whether a text is only white space beside a block.
fn can_ignore(node: NodeRef<'_>, text: &str, trims: bool) -> bool {
    if !strip(text).is_empty() {
        return false;
    }
    let (before, after) = (node.prev_sibling(), node.next_sibling());
    (trims && (before.is_none() || after.is_none()))
        || trims_outside(before)
        || trims_outside(after)
}

fn plain(node: NodeRef<'_>, text: &str, inside: Around) -> String {
    let mut text = if inside.pre {
        text.to_owned()
    } else {
        collapse(text)
    };
    if !inside.verbatim {
        text = text.replace('*', "\\*").replace('_', "\\_");
    }
    let (before, after) = (node.prev_sibling(), node.next_sibling());
    let trims = trims_inside(node.parent());
    let mut shown = text.as_str();
    if trims_outside(before) || (trims && before.is_none()) {
        shown = shown.trim_start_matches(is_html_space);
    }
    if trims_outside(after) || (trims && after.is_none()) {
        shown = shown.trim_end_matches(is_space);
    }
    shown.to_owned()
}

/// Each run of white space as one newline if it holds one, else as one space.
fn collapse(text: &str) -> String {
    let mut whole = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(is_html_space) {
        let (before, run) = rest.split_at(at);
        rest = run.trim_start_matches(is_html_space);
        let run = &run[..run.len() - rest.len()];
        whole.push_str(before);
        whole.push(if run.contains(['\n', '\r']) {
            '\n'
        } else {
            ' '
        });
    }
    whole.push_str(rest);
    whole
}

fn trims_inside(node: Option<NodeRef<'_>>) -> bool {
    let Some(name) = node.and_then(|node| node.node_name()) else {
        return false;
    };
    heading(&name).is_some()
        || matches!(
            &*name,
            "p" | "blockquote"
                | "article"
                | "div"
                | "section"
                | "ol"
                | "ul"
                | "li"
                | "dl"
                | "dt"
                | "dd"
                | "table"
                | "thead"
                | "tbody"
                | "tfoot"
                | "tr"
                | "td"
                | "th"
        )
}

fn trims_outside(node: Option<NodeRef<'_>>) -> bool {
    trims_inside(node) || node.is_some_and(|node| node.has_name("pre"))
}

/// The level of `h1`, `h2` and so on.
fn heading(name: &str) -> Option<usize> {
    let digits: String = name
        .strip_prefix('h')?
        .chars()
        .take_while(char::is_ascii_digit)
        .collect();
    digits.parse().ok()
}

fn convert(node: NodeRef<'_>, name: &str, text: String, around: Around) -> String {
    match name {
        "a" => link(node, text, around),
        "b" | "strong" => marked(text, "**", around),
        "em" | "i" => marked(text, "*", around),
        "del" | "s" => marked(text, "~~", around),
        "sub" | "sup" => marked(text, "", around),
        "blockquote" => quote(&text, around),
        "br" if around.inline => " ".to_owned(),
        "br" => format!("  \n{text}"),
        "code" | "kbd" | "samp" => code(text, around),
        "div" | "article" | "section" | "dl" => block(strip(&text), around),
        "p" => block(text.trim_matches(is_html_space), around),
        "dd" => definition(&text, around),
        "dt" => term(&text, around),
        "hr" => "\n\n---\n\n".to_owned(),
        "img" => image(node, around),
        "video" => video(node, text, around),
        "ul" | "ol" => list(node, &text, around),
        "li" => item(node, &text),
        "pre" if text.is_empty() => text,
        "pre" => format!("\n\n```\n{}\n```\n\n", trimmed_pre(&text)),
        "q" => format!("\"{text}\""),
        "script" | "style" => String::new(),
        "table" | "figcaption" => format!("\n\n{}\n\n", strip(&text)),
        "caption" => format!("{}\n\n", strip(&text)),
        "td" | "th" => {
            let cell = strip(&text).replace('\n', " ");
            format!(" {cell}{}", " |".repeat(columns(node)))
        }
        "tr" => row(node, &text),
        _ => match heading(name) {
            Some(level) if !around.inline => {
                let hashes = "#".repeat(level.clamp(1, 6));
                format!("\n\n{hashes} {}\n\n", one_line(strip(&text)))
            }
            _ => text,
        },
    }
}

/// The spaces of an inline text stay outside its marks.
fn chomp(text: &str) -> (&str, &str, &str) {
    let space = |there: bool| if there { " " } else { "" };
    (
        space(text.starts_with(' ')),
        strip(text),
        space(text.ends_with(' ')),
    )
}

fn marked(text: String, mark: &str, around: Around) -> String {
    if around.verbatim {
        return text;
    }
    match chomp(&text) {
        (_, "", _) => String::new(),
        (before, inner, after) => format!("{before}{mark}{inner}{mark}{after}"),
    }
}

fn link(node: NodeRef<'_>, text: String, around: Around) -> String {
    if around.verbatim {
        return text;
    }
    let (before, inner, after) = chomp(&text);
    if inner.is_empty() {
        return String::new();
    }
    let target = node.attr("href").map(|link| normal(&link));
    let Some(target) = target.filter(|link| !link.is_empty()) else {
        return inner.to_owned();
    };
    let title = title(node);
    if title.is_empty() && inner.replace("\\_", "_") == target {
        return format!("<{target}>");
    }
    format!("{before}[{inner}]({target}{title}){after}")
}

fn title(node: NodeRef<'_>) -> String {
    match node.attr("title") {
        Some(title) if !title.is_empty() => format!(" \"{}\"", title.replace('"', "\\\"")),
        _ => String::new(),
    }
}

fn image(node: NodeRef<'_>, around: Around) -> String {
    let about = node.attr_or("alt", "");
    if around.inline {
        return about.to_string();
    }
    let source = normal(&node.attr_or("src", ""));
    format!("![{about}]({source}{})", title(node))
}

fn video(node: NodeRef<'_>, text: String, around: Around) -> String {
    if around.inline {
        return text;
    }
    let mut source = node.attr_or("src", "").to_string();
    if source.is_empty() {
        let sources = node.find(&["source"]);
        let named = sources.iter().find_map(|one| one.attr("src"));
        source = named.unwrap_or_default().to_string();
    }
    let (source, poster) = (normal(&source), normal(&node.attr_or("poster", "")));
    match (source.is_empty(), poster.is_empty()) {
        (false, false) => format!("[![{text}]({poster})]({source})"),
        (false, true) => format!("[{text}]({source})"),
        (true, false) => format!("![{text}]({poster})"),
        (true, true) => text,
    }
}

fn code(text: String, around: Around) -> String {
    if around.verbatim {
        return text;
    }
    let (before, inner, after) = chomp(&text);
    if inner.is_empty() {
        return String::new();
    }
    let longest = inner.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest + 1);
    let pad = if longest > 0 { " " } else { "" };
    format!("{before}{fence}{pad}{inner}{pad}{fence}{after}")
}

fn block(text: &str, around: Around) -> String {
    if around.inline {
        return format!(" {text} ");
    }
    if text.is_empty() {
        return String::new();
    }
    format!("\n\n{text}\n\n")
}

fn quote(text: &str, around: Around) -> String {
    let text = text.trim_matches(is_html_space);
    if around.inline {
        return format!(" {text} ");
    }
    if text.is_empty() {
        return "\n".to_owned();
    }
    let lines: Vec<String> = text
        .split('\n')
        .map(|line| {
            if line.is_empty() {
                ">".to_owned()
            } else {
                format!("> {line}")
            }
        })
        .collect();
    format!("\n{}\n\n", lines.join("\n"))
}

fn term(text: &str, around: Around) -> String {
    let text = one_line(strip(text));
    if around.inline {
        return format!(" {text} ");
    }
    if text.is_empty() {
        return "\n".to_owned();
    }
    format!("\n\n{text}\n")
}

fn definition(text: &str, around: Around) -> String {
    let text = strip(text);
    if around.inline {
        return format!(" {text} ");
    }
    if text.is_empty() {
        return "\n".to_owned();
    }
    format!(":{}\n", &indented(text, 4)[1..])
}

fn list(node: NodeRef<'_>, text: &str, around: Around) -> String {
    if around.item {
        return format!("\n{}", text.trim_end_matches(is_space));
    }
    let mut next = node.next_sibling();
    while let Some(sibling) = next {
        let is_content =
            sibling.is_element() || (sibling.is_text() && !strip(&sibling.text()).is_empty());
        if is_content {
            break;
        }
        next = sibling.next_sibling();
    }
    let before_text = next.is_some_and(|node| !node.has_name("ul") && !node.has_name("ol"));
    format!("\n\n{text}{}", if before_text { "\n" } else { "" })
}

fn item(node: NodeRef<'_>, text: &str) -> String {
    let text = strip(text);
    if text.is_empty() {
        return "\n".to_owned();
    }
    let bullet = match node.parent() {
        Some(parent) if parent.has_name("ol") => format!("{}. ", number(node, parent)),
        _ => {
            let depth = node
                .ancestors_it(None)
                .filter(|up| up.has_name("ul"))
                .count();
            // Without any list the count is one less than none: the last bullet.
            format!("{} ", BULLETS[(depth + BULLETS.len() - 1) % BULLETS.len()])
        }
    };
    let width = bullet.chars().count();
    format!("{bullet}{}\n", &indented(text, width)[width..])
}

/// The number of an item of an ordered list.
fn number(node: NodeRef<'_>, list: NodeRef<'_>) -> usize {
    let start = list.attr_or("start", "").parse::<u32>().unwrap_or(1);
    let mut before = 0;
    let mut sibling = node.prev_sibling();
    while let Some(one) = sibling {
        before += usize::from(one.has_name("li"));
        sibling = one.prev_sibling();
    }
    start as usize + before
}

/// Every line that is not empty, moved right.
fn indented(text: &str, width: usize) -> String {
    let margin = " ".repeat(width);
    let lines: Vec<String> = text
        .split('\n')
        .map(|line| {
            if line.is_empty() {
                String::new()
            } else {
                format!("{margin}{line}")
            }
        })
        .collect();
    lines.join("\n")
}

/// Each run of white space as one space.
fn one_line(text: &str) -> String {
    let mut whole = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(is_html_space) {
        whole.push_str(&rest[..at]);
        whole.push(' ');
        rest = rest[at..].trim_start_matches(is_html_space);
    }
    whole.push_str(rest);
    whole
}

/// Without the empty lines that a `pre` begins and ends with.
fn trimmed_pre(text: &str) -> &str {
    let inner = text.trim_start_matches([' ', '\n']);
    let head = &text[..text.len() - inner.len()];
    let from = head.rfind('\n').map_or(0, |at| at + 1);
    text[from..].trim_end_matches([' ', '\n'])
}

fn columns(cell: NodeRef<'_>) -> usize {
    let asked = cell.attr_or("colspan", "");
    let count = if asked.bytes().all(|byte| byte.is_ascii_digit()) {
        asked
            .parse()
            .unwrap_or(if asked.is_empty() { 1 } else { MOST_COLUMNS })
    } else {
        1
    };
    count.clamp(1, MOST_COLUMNS)
}

fn row(node: NodeRef<'_>, text: &str) -> String {
    let cells: Vec<NodeRef<'_>> = node
        .descendants_it()
        .filter(|one| one.has_name("td") || one.has_name("th"))
        .collect();
    let parent = node.parent();
    let within = |name: &str| parent.is_some_and(|parent| parent.has_name(name));
    let first = node.prev_element_sibling().is_none();
    let count_in = |node: NodeRef<'_>, name: &str| {
        node.descendants_it()
            .filter(|one| one.has_name(name))
            .count()
    };
    let is_head = cells.iter().all(|cell| cell.has_name("th"))
        || parent.is_some_and(|head| within("thead") && count_in(head, "tr") == 1);
    let table = parent.and_then(|parent| parent.parent());
    let headless =
        first && (!within("tbody") || table.is_none_or(|table| count_in(table, "thead") == 0));
    let opens = first
        && (within("table")
            || (within("tbody")
                && parent.is_some_and(|body| body.prev_element_sibling().is_none())));
    let width: usize = cells.iter().map(|cell| columns(*cell)).sum();
    let rule = format!("| {} |\n", vec!["---"; width].join(" | "));
    if is_head && first {
        return format!("|{text}\n{rule}");
    }
    if headless || opens {
        return format!("| {} |\n{rule}|{text}\n", vec![""; width].join(" | "));
    }
    format!("|{text}\n")
}
