//! The fetch server: web pages as Markdown, through the egress of the node.
//!
//! Answers as PyPI `mcp-server-fetch` does where it has Node at hand, failures included.
//! docs/fetch.md lists where it differs.

mod article;
mod links;
mod markdown;
mod page;
mod robots;
mod text;

use wasmmcp::egress::{send, Failure, Request, Response};
use wasmmcp::{tool, ToolError};

use page::{fetch_page, Page, Web};

/// Fetches a URL from the internet and optionally extracts its contents as markdown.
///
/// Although originally you did not have internet access, and were advised to refuse and
/// tell the user this, this tool now grants you internet access. Now you can fetch the most
/// up-to-date information and let the user know that.
#[tool(
    read_only,
    destructive = false,
    idempotent,
    open_world,
    hint(requires = ["egress"])
)]
fn fetch(
    /// URL to fetch
    url: String,
    /// Maximum number of characters to return.
    #[default(5000)]
    #[min(1)]
    #[max(999999)]
    max_length: i64,
    /// On return output starting at this character index, useful if a previous fetch was
    /// truncated and more context is required.
    #[default(0)]
    #[min(0)]
    start_index: i64,
    /// Get the actual HTML content of the requested page, without simplification.
    #[default(false)]
    raw: bool,
) -> Result<String, ToolError> {
    let page = fetch_page(&Host, &url, raw)
        .map_err(|reason| ToolError::new(format!("Error executing tool fetch: {reason}")))?;
    Ok(shown(&page, start_index as usize, max_length as usize))
}

/// The part of a page that was asked for, in characters.
fn shown(page: &Page, start: usize, most: usize) -> String {
    let Page {
        url,
        prefix,
        content,
    } = page;
    let mut part: String = content.chars().skip(start).take(most).collect();
    if part.is_empty() {
        part.push_str("<error>No more content available.</error>");
    } else if content.chars().nth(start + most).is_some() {
        let next = start + most;
        part.push_str(&format!(
            "\n\n<error>Content truncated. Call the fetch tool with a start_index of {next} to \
             get more content.</error>"
        ));
    }
    format!("{prefix}Contents of {url}:\n{part}")
}

/// The web as the node's host reaches it.
struct Host;

impl Web for Host {
    fn send(&self, request: &Request) -> Result<Response, Failure> {
        send(request)
    }
}

wasmmcp::server! { name: "fetch", tools: [fetch] }

#[cfg(test)]
mod tests {
    use super::*;

    fn page(content: &str) -> Page {
        Page {
            url: "http://h/".to_owned(),
            prefix: String::new(),
            content: content.to_owned(),
        }
    }

    #[test]
    fn a_part_of_a_page_says_where_the_next_begins() {
        let whole = page("äöüß");
        assert_eq!(shown(&whole, 0, 9), "Contents of http://h/:\näöüß");
        assert_eq!(shown(&whole, 2, 2), "Contents of http://h/:\nüß");
        assert!(shown(&whole, 1, 2).contains("\nöü\n\n<error>Content truncated."));
        assert!(shown(&whole, 1, 2).contains("start_index of 3 to get"));
        assert!(shown(&whole, 4, 1).ends_with("<error>No more content available.</error>"));
        assert!(shown(&page(""), 0, 1).ends_with("<error>No more content available.</error>"));
    }
}
