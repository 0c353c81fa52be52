//! Links as a browser's `URL` writes them.

use url::Url;

/// An absolute URL in its normal form; anything else as it is, for there is nothing to
/// resolve it against: the original gives its parser no address of the page.
pub fn normal(link: &str) -> String {
    if link.starts_with('#') {
        return link.to_owned();
    }
    Url::parse(link).map_or_else(|_| link.to_owned(), String::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_absolute_links_change() {
        assert_eq!(normal("HTTP://Example.org"), "http://example.org/");
        assert_eq!(normal("https://h/a/../b c"), "https://h/b%20c");
        for link in ["/x", "x y", "#a", "?q", "//h/x", ""] {
            assert_eq!(normal(link), link);
        }
    }
}
