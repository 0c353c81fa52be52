//! One exchange: what carries a request to one place, and the answer as it came.

use super::step::Step;
use super::text;
use crate::egress::types::{Failure, Response};

pub const NS_PER_MS: u64 = 1_000_000;

/// What carries one request to one place and brings back its answer.
pub trait Wire {
    /// A clock that only goes forward.
    fn now_ns(&self) -> u64;

    /// Sends one request; all of its answer is there at `ends_ns`, or it fails.
    ///
    /// # Errors
    /// Nobody there, too large, too late, no HTTP.
    fn exchange(&self, step: &Step, ends_ns: u64) -> Result<Reply, Failure>;
}

/// One answer as it came.
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// Names and values, each byte of a value a character.
    pub headers: Vec<(String, String)>,
    /// Not decoded.
    pub body: Vec<u8>,
}

impl Reply {
    fn header(&self, name: &str) -> Option<&str> {
        let mut found = self.headers.iter();
        let (_, value) = found.find(|(key, _)| key.eq_ignore_ascii_case(name))?;
        Some(value)
    }

    /// Where it sends the client on to, if it does.
    pub fn redirect(&self) -> Option<&str> {
        match self.status {
            301 | 302 | 303 | 307 | 308 => self.header("location"),
            _ => None,
        }
    }

    pub fn response(self, step: &Step) -> Result<Response, Failure> {
        let coding = self.header("content-encoding").unwrap_or("").trim();
        if !coding.is_empty() && !coding.eq_ignore_ascii_case("identity") {
            let why = "it answers in an encoding nobody asked for";
            return Err(step.failure("protocol", why));
        }
        let text = text::decode(&self.body, self.header("content-type"));
        Ok(Response {
            status: self.status,
            url: step.url(),
            headers: self.headers,
            text,
        })
    }
}
