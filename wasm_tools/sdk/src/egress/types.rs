//! A request of a tool, its answer, and why there is none.

use crate::{json, Value};

/// One request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Absolute, `http` or `https`.
    pub url: String,
    /// In capital letters.
    pub method: String,
    /// The host leaves out those that are its own to set, `Authorization` among them.
    pub headers: Vec<(String, String)>,
    /// Sent as it is, with methods that have one.
    pub body: Option<String>,
    /// How many redirects the host follows; each is judged like a request of its own.
    pub redirects: u32,
    /// Time for all of it; the node's own limit and the call's deadline hold besides.
    pub timeout_ms: Option<u32>,
}

impl Request {
    /// A GET that follows no redirect.
    pub fn get(url: impl Into<String>) -> Self {
        Request {
            url: url.into(),
            method: "GET".to_owned(),
            headers: Vec::new(),
            body: None,
            redirects: 0,
            timeout_ms: None,
        }
    }

    /// A POST of a JSON value that follows no redirect.
    pub fn post_json(url: impl Into<String>, value: &Value) -> Self {
        Request {
            method: "POST".to_owned(),
            body: Some(value.to_string()),
            ..Request::get(url).header("Content-Type", "application/json")
        }
    }

    /// The request with one header more.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The request with as many redirects to follow.
    #[must_use]
    pub fn redirects(mut self, count: u32) -> Self {
        self.redirects = count;
        self
    }

    /// The request with a time limit of its own.
    #[must_use]
    pub fn timeout_ms(mut self, limit: u32) -> Self {
        self.timeout_ms = Some(limit);
        self
    }

    pub(crate) fn to_json(&self) -> Value {
        let headers: Vec<Value> = self
            .headers
            .iter()
            .map(|(name, value)| json!([name, value]))
            .collect();
        let mut asked = json!({
            "url": self.url,
            "method": self.method,
            "headers": headers,
            "redirects": self.redirects,
            "text": true,
        });
        if let Some(body) = &self.body {
            asked["body"] = body.as_str().into();
        }
        if let Some(limit) = self.timeout_ms {
            asked["timeout_ms"] = limit.into();
        }
        asked
    }
}

/// An answer, whatever its status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// The HTTP status.
    pub status: u16,
    /// Where it came from, after redirects.
    pub url: String,
    /// In the order of the answer.
    pub headers: Vec<(String, String)>,
    /// The body, decoded by the charset that `Content-Type` names, else as UTF-8; what
    /// is no such text is replaced.
    pub text: String,
}

impl Response {
    /// The first header of this name, in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self
            .headers
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    pub(crate) fn from_json(told: &Value) -> Option<Self> {
        let headers = told.get("headers")?.as_array()?;
        Some(Response {
            status: u16::try_from(told.get("status")?.as_u64()?).ok()?,
            url: told.get("url")?.as_str()?.to_owned(),
            headers: headers.iter().filter_map(pair).collect(),
            text: told.get("body")?.as_str()?.to_owned(),
        })
    }
}

fn pair(value: &Value) -> Option<(String, String)> {
    let name = value.get(0)?.as_str()?;
    Some((name.to_owned(), value.get(1)?.as_str()?.to_owned()))
}

/// Why there is no answer. `kind` is one of the host's words: invalid, denied, resolve,
/// connect, tls, timeout, protocol, redirect, too_large, too_many; or "host" where the
/// host itself offers no egress.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// For programs.
    pub kind: String,
    /// One line for people; it names the mend.
    pub message: String,
}

impl Failure {
    pub(crate) fn new(kind: &str, message: &str) -> Self {
        Failure {
            kind: kind.to_owned(),
            message: message.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_what_the_host_reads() {
        let request = Request::post_json("https://h/", &json!({"a": 1}))
            .header("Accept", "text/html")
            .redirects(2)
            .timeout_ms(50);
        assert_eq!(
            request.to_json(),
            json!({
                "url": "https://h/", "method": "POST", "body": "{\"a\":1}", "redirects": 2,
                "timeout_ms": 50, "text": true,
                "headers": [["Content-Type", "application/json"], ["Accept", "text/html"]],
            })
        );
    }

    #[test]
    fn an_answer_is_read() {
        let told = json!({"status": 200, "url": "u", "headers": [["X-A", "b"]], "body": "t"});
        let response = Response::from_json(&told).unwrap();
        assert_eq!(response.header("x-a"), Some("b"));
        assert_eq!(Response::from_json(&json!({"status": 70_000})), None);
    }
}
