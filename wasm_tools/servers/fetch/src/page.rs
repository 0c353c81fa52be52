//! From a URL to a page's text: robots.txt, the request, its redirects, and the article.

use url::{Position, Url};
use wasmmcp::egress::{Failure, Request, Response};

use crate::article::to_markdown;
use crate::robots::Robots;
use crate::text::split_lines;

const USER_AGENT: &str = "ModelContextProtocol/1.0 (Autonomous; \
                          +https://github.com/modelcontextprotocol/servers)";
/// As many as the original's HTTP client follows.
const MOST_REDIRECTS: u32 = 20;
/// The original's time limits.
const PAGE_MS: u32 = 30_000;
const ROBOTS_MS: u32 = 5_000;

/// What can send a request: the node's host, or a test.
pub trait Web {
    /// Sends one request.
    fn send(&self, request: &Request) -> Result<Response, Failure>;
}

/// A page as it is shown: `prefix` says where it is raw.
#[derive(Debug, PartialEq, Eq)]
pub struct Page {
    /// The URL that was asked for, in its normal form.
    pub url: String,
    /// Stands before everything.
    pub prefix: String,
    /// Markdown, or the body as it came.
    pub content: String,
}

/// Fetches a page; `raw` leaves HTML as it is.
///
/// # Errors
/// One text that says why there is no page.
pub fn fetch_page(web: &dyn Web, asked: &str, raw: bool) -> Result<Page, String> {
    let url = Url::parse(asked.trim()).map_err(|error| {
        format!(
            "1 validation error for fetchArguments\nurl\n  Input should be a valid URL, {error}"
        )
    })?;
    check_robots(web, &url)?;
    let response = follow(web, &url)?;
    if response.status >= 400 {
        return Err(format!(
            "Failed to fetch {url} - status code {}",
            response.status
        ));
    }
    let content_type = response.header("content-type").unwrap_or("");
    let html = is_html(&response.text, content_type);
    let (content, prefix) = if html && !raw {
        (to_markdown(&response.text), String::new())
    } else {
        let prefix = format!(
            "Content type {content_type} cannot be simplified to markdown, but here is the raw \
             content:\n"
        );
        (response.text, prefix)
    };
    Ok(Page {
        url: url.into(),
        prefix,
        content,
    })
}

fn is_html(text: &str, content_type: &str) -> bool {
    let begins: String = text.chars().take(100).collect();
    begins.contains("<html") || content_type.contains("text/html") || content_type.is_empty()
}

/// Requests a page and goes where it redirects; robots.txt is asked at each step.
fn follow(web: &dyn Web, first: &Url) -> Result<Response, String> {
    let failed = |reason: String| format!("Failed to fetch {first}: {reason}");
    let mut url = first.clone();
    for _ in 0..=MOST_REDIRECTS {
        let request = Request::get(without_fragment(&url))
            .header("User-Agent", USER_AGENT)
            .header("Accept", "*/*")
            .timeout_ms(PAGE_MS);
        let response = web
            .send(&request)
            .map_err(|failure| failed(failure.message))?;
        let location = match response.status {
            301 | 302 | 303 | 307 | 308 => response.header("location"),
            _ => None,
        };
        let Some(location) = location else {
            return Ok(response);
        };
        url = url
            .join(location)
            .map_err(|error| failed(format!("it redirects to no URL ({error})")))?;
        check_robots(web, &url)?;
    }
    Err(failed(
        "TooManyRedirects('Exceeded maximum allowed redirects.')".to_owned(),
    ))
}

/// Refuses what the site's robots.txt does not want fetched by a program.
fn check_robots(web: &dyn Web, url: &Url) -> Result<(), String> {
    let place = format!("{}/robots.txt", &url[..Position::BeforePath]);
    let request = Request::get(place.clone())
        .header("User-Agent", USER_AGENT)
        .header("Accept", "*/*")
        .redirects(MOST_REDIRECTS)
        .timeout_ms(ROBOTS_MS);
    let response = web.send(&request).map_err(|failure| {
        let cause = match failure.kind.as_str() {
            // What the node does not permit is for its operator to mend.
            "denied" | "host" | "too_many" => format!(": {}", failure.message),
            _ => " due to a connection issue".to_owned(),
        };
        format!("Failed to fetch robots.txt {place}{cause}")
    })?;
    match response.status {
        401 | 403 => {
            return Err(format!(
                "When fetching robots.txt ({place}), received status {} so assuming that \
                 autonomous fetching is not allowed, the user can try manually fetching by using \
                 the fetch prompt",
                response.status
            ))
        }
        400..=499 => return Ok(()),
        _ => {}
    }
    let wanted: Vec<&str> = split_lines(&response.text)
        .filter(|line| !line.trim().starts_with('#'))
        .collect();
    if Robots::parse(&wanted.join("\n")).permits(url, USER_AGENT) {
        return Ok(());
    }
    Err(format!(
        "The sites robots.txt ({place}), specifies that autonomous fetching of this page is not \
         allowed, <useragent>{USER_AGENT}</useragent>\n<url>{url}</url><robots>\n{}\n</robots>\n\
         The assistant must let the user know that it failed to view the page. The assistant may \
         provide further guidance based on the above information.\nThe assistant can tell the \
         user that they can try manually fetching the page by using the fetch prompt within \
         their UI.",
        response.text
    ))
}

fn without_fragment(url: &Url) -> &str {
    &url[..Position::AfterQuery]
}
