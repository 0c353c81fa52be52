//! One request to one place, and what a redirect makes of it.

use crate::egress::types::{Failure, Request};

/// Headers that belong to the connection, to its host, or to whoever holds a secret.
const NOT_A_SERVERS: [&str; 13] = [
    "accept-encoding",
    "authorization",
    "connection",
    "content-length",
    "expect",
    "host",
    "http2-settings",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];
/// What a redirect to another origin takes along: nothing that could be a credential.
const CARRIED: [&str; 4] = ["accept", "accept-language", "content-type", "user-agent"];
const LONGEST_URL: usize = 8 * 1024;
const PLAIN: &str = "http";
const SECURE: &str = "https";

/// A request as it goes to one place.
#[derive(Debug, Clone)]
pub struct Step {
    place: Place,
    method: String,
    headers: Vec<(String, String)>,
    body: String,
}

impl Step {
    /// The first step of a request.
    ///
    /// # Errors
    /// The URL is none that can be asked.
    pub fn of(request: &Request) -> Result<Self, Failure> {
        let headers = request.headers.iter();
        let headers = headers.filter(|(name, _)| !is_one_of(name, &NOT_A_SERVERS));
        Ok(Step {
            place: Place::parse(&request.url).map_err(|why| Failure::new("invalid", why))?,
            method: request.method.clone(),
            headers: headers.cloned().collect(),
            body: request.body.clone().unwrap_or_default(),
        })
    }

    /// The request that a redirect asks for, in the way of browsers (Fetch standard).
    ///
    /// # Errors
    /// It leads to what is no URL that can be asked.
    pub fn redirected(&self, status: u16, location: &str) -> Result<Self, Failure> {
        let place = joined(&self.url(), location)
            .and_then(|url| Place::parse(&url).map_err(str::to_owned))
            .map_err(|why| self.failure("redirect", &format!("it redirects to no URL ({why})")))?;
        let mut next = Step {
            place,
            ..self.clone()
        };
        let keeps_method = matches!(status, 307 | 308) || matches!(&*self.method, "GET" | "HEAD");
        if !keeps_method {
            next.method = "GET".to_owned();
            next.body.clear();
            next.headers
                .retain(|(name, _)| !name.to_ascii_lowercase().starts_with("content-"));
        }
        if next.place.origin() != self.place.origin() {
            next.headers.retain(|(name, _)| is_one_of(name, &CARRIED));
        }
        Ok(next)
    }

    /// A failure that names where this step leads, without a path that may hold a secret.
    pub fn failure(&self, kind: &str, why: &str) -> Failure {
        Failure::new(kind, &format!("{}: {why}", self.place.origin()))
    }

    /// In capital letters.
    pub fn method(&self) -> &str {
        &self.method
    }

    /// Without a fragment.
    pub fn url(&self) -> String {
        let Place {
            scheme,
            authority,
            path,
        } = &self.place;
        format!("{scheme}://{authority}{path}")
    }

    /// Whether it goes over TLS.
    pub fn is_secure(&self) -> bool {
        self.place.scheme == SECURE
    }

    /// Host and port, the port as the URL has it.
    pub fn authority(&self) -> &str {
        &self.place.authority
    }

    /// Path and query.
    pub fn path(&self) -> &str {
        &self.place.path
    }

    /// Those of the server; what the connection needs comes besides.
    pub fn headers(&self) -> &[(String, String)] {
        &self.headers
    }

    /// Empty where there is none.
    pub fn body(&self) -> &str {
        &self.body
    }
}

/// A URL taken apart; what an agent's host refuses is refused here too.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    scheme: String,
    authority: String,
    path: String,
}

impl Place {
    fn parse(url: &str) -> Result<Self, &'static str> {
        if url.len() > LONGEST_URL {
            return Err("the URL is over the limit of 8 KiB");
        }
        if !url.bytes().all(|byte| matches!(byte, 0x21..=0x7e)) {
            return Err("percent-encode what is not printable ASCII");
        }
        const FORM: &str = "write http://HOST/... or https://HOST/...";
        let (scheme, rest) = url.split_once("://").ok_or(FORM)?;
        let scheme = scheme.to_ascii_lowercase();
        if scheme != SECURE && scheme != PLAIN {
            return Err(FORM);
        }
        let rest = rest.split('#').next().unwrap_or_default();
        let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        if authority.contains('@') {
            return Err("a user or password in a URL is refused");
        }
        if authority.is_empty() || authority.starts_with(':') || authority.contains('\\') {
            return Err(FORM);
        }
        let slash = if path.starts_with('/') { "" } else { "/" };
        Ok(Place {
            scheme,
            authority: authority.to_ascii_lowercase(),
            path: format!("{slash}{path}"),
        })
    }

    /// Scheme, host and port, always with the port.
    fn origin(&self) -> String {
        let Place {
            scheme, authority, ..
        } = self;
        let is_port = |(_, port): (&str, &str)| port.bytes().all(|byte| byte.is_ascii_digit());
        match authority.rsplit_once(':') {
            Some(parts) if is_port(parts) => format!("{scheme}://{authority}"),
            _ if scheme == SECURE => format!("{scheme}://{authority}:443"),
            _ => format!("{scheme}://{authority}:80"),
        }
    }
}

/// The URL that a Location header leads to from another.
#[cfg(feature = "pages")]
fn joined(from: &str, location: &str) -> Result<String, String> {
    let base = url::Url::parse(from).map_err(|error| error.to_string())?;
    let url = base.join(&percent_encoded(location.trim()));
    url.map(String::from).map_err(|error| error.to_string())
}

/// Without what pages need: only servers that read pages follow redirects.
#[cfg(not(feature = "pages"))]
fn joined(_: &str, _: &str) -> Result<String, String> {
    Err("redirects are not followed".to_owned())
}

fn is_one_of(name: &str, known: &[&str]) -> bool {
    known.iter().any(|one| name.eq_ignore_ascii_case(one))
}

/// A header's value, whose characters are bytes, in the characters of a URL.
#[cfg(feature = "pages")]
fn percent_encoded(location: &str) -> String {
    let mut encoded = String::with_capacity(location.len());
    for character in location.chars() {
        match u32::from(character) {
            0x21..=0x7e => encoded.push(character),
            byte => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_asked_is_refused() {
        for (url, why) in [
            ("ftp://a.example/", "write http"),
            ("http://me@a.example/", "a user or password"),
            ("a.example", "write http"),
            ("data:,x", "write http"),
            ("http:///x", "write http"),
            ("http://a.example\\b/", "write http"),
            ("http://a.example/\n", "percent-encode"),
        ] {
            let failure = Step::of(&Request::get(url)).unwrap_err();
            assert!(failure.message.contains(why), "{}", failure.message);
        }
    }

    #[test]
    fn a_url_is_taken_apart() {
        for (url, authority, path, origin) in [
            (
                "https://A.example/p?q#f",
                "a.example",
                "/p?q",
                "https://a.example:443",
            ),
            ("HTTP://a.example", "a.example", "/", "http://a.example:80"),
            ("http://[::1]:81?q", "[::1]:81", "/?q", "http://[::1]:81"),
            ("http://[::1]/", "[::1]", "/", "http://[::1]:80"),
        ] {
            let step = Step::of(&Request::get(url)).unwrap();
            assert_eq!((step.authority(), step.path()), (authority, path));
            assert_eq!(step.place.origin(), origin);
            assert_eq!(step.is_secure(), origin.starts_with("https"));
        }
    }

    #[test]
    fn what_belongs_to_the_connection_is_left_out() {
        let request = Request::get("http://a.example:81/")
            .header("Host", "b.example")
            .header("authorization", "x")
            .header("Accept", "*/*");
        let step = Step::of(&request).unwrap();
        assert_eq!(step.headers(), [("Accept".to_owned(), "*/*".to_owned())]);
        assert_eq!(step.authority(), "a.example:81");
    }
}
