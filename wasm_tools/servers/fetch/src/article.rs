//! The article of a page, as Markdown.
//!
//! Mozilla's Readability finds the article, by the port that dom_smoothie is; `markdown`
//! writes it down.

use dom_query::{Document, NodeRef};
use dom_smoothie::{Config, Readability};

use crate::markdown::write;
use crate::text::strip;

const FAILED: &str = "<error>Page failed to be simplified from HTML</error>";
/// Deeper trees would need more stack than a module has; no page that people read is one.
const MOST_DEPTH: usize = 400;

/// The article of `html` as Markdown, or the original's word for having found none.
pub fn to_markdown(html: &str) -> String {
    let found = extract(html).filter(|text| !strip(text).is_empty());
    found.unwrap_or_else(|| FAILED.to_owned())
}

fn extract(html: &str) -> Option<String> {
    let page = Document::from(html);
    if depth(page.root()) > MOST_DEPTH {
        return None;
    }
    let base = page.root().base_uri().map(|base| base.to_string());
    let base = base.filter(|base| url::Url::parse(base).is_ok());
    let mut reader =
        Readability::with_document(page, base.as_deref(), Some(Config::default())).ok()?;
    let article = reader.parse().ok()?;
    // The original reads this again with a parser to which a template is an element like any
    // other; here its content would be out of the tree.
    let content = article
        .content
        .replace("<template", "<x-template")
        .replace("</template", "</x-template");
    Some(write(Document::fragment(content).root()))
}

/// How deep a tree is, found without recursion.
fn depth(root: NodeRef<'_>) -> usize {
    let (mut deepest, mut level, mut node) = (0, 0, root);
    loop {
        if let Some(child) = node.first_child() {
            level += 1;
            deepest = deepest.max(level);
            node = child;
            continue;
        }
        loop {
            if level == 0 {
                return deepest;
            }
            if let Some(next) = node.next_sibling() {
                node = next;
                break;
            }
            let Some(parent) = node.parent() else {
                return deepest;
            };
            level -= 1;
            node = parent;
        }
    }
}
