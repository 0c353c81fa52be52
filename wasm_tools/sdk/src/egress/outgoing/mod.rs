//! HTTP of a component: by `wasi:http/outgoing-handler`, where no edge agent is the host.
//!
//! A module asks the agent, which follows redirects, decodes and sets bounds. A component
//! has only one exchange at a time from its runtime, so the rest is done here, by the same
//! rules and with the agent's usual bounds. Where it may go is the runtime's to say: who runs
//! a component decides which network it has.

mod exchange;
#[cfg(all(feature = "component", target_os = "wasi"))]
mod runtime;
mod step;
mod text;

use std::cell::Cell;

use crate::egress::types::{Failure, Request, Response};

use exchange::{Wire, NS_PER_MS};
#[cfg(all(feature = "component", target_os = "wasi"))]
pub use runtime::Runtime;
use step::Step;

/// The agent's usual bounds (docs/egress.md): of a request's body, of its time with all
/// redirects, of the redirects, and of the requests of one call.
const LARGEST_REQUEST_BYTES: usize = 1024 * 1024;
const MOST_MS: u32 = 20_000;
const MOST_REDIRECTS: u32 = 20;
const MOST_REQUESTS: u32 = 64;

thread_local! {
    /// How many the call has sent.
    static REQUESTS: Cell<u32> = const { Cell::new(0) };
}

/// Says that a call begins: it has all of its requests left.
pub fn begin_call() {
    REQUESTS.set(0);
}

/// Sends a request, and on from redirect to redirect as often as it wants.
///
/// # Errors
/// As [`crate::egress::send`] has them.
pub fn send(wire: &impl Wire, request: &Request) -> Result<Response, Failure> {
    let mut step = Step::of(request)?;
    if step.body().len() > LARGEST_REQUEST_BYTES {
        let why = format!("the request is over the limit of {LARGEST_REQUEST_BYTES} bytes");
        return Err(step.failure("invalid", &why));
    }
    let time_ms = request.timeout_ms.unwrap_or(MOST_MS).min(MOST_MS);
    let ends_ns = wire.now_ns().saturating_add(u64::from(time_ms) * NS_PER_MS);
    let most = request.redirects.min(MOST_REDIRECTS);
    for _ in 0..=most {
        if REQUESTS.replace(REQUESTS.get() + 1) >= MOST_REQUESTS {
            let why = format!("a call may send {MOST_REQUESTS} requests, and it has");
            return Err(Failure::new("too_many", &why));
        }
        let reply = wire.exchange(&step, ends_ns)?;
        let Some(location) = reply.redirect().filter(|_| most > 0) else {
            return reply.response(&step);
        };
        step = step.redirected(reply.status, location)?;
    }
    let why = format!("more than {most} redirects lead there");
    Err(step.failure("redirect", &why))
}

#[cfg(test)]
mod tests {
    use super::exchange::Reply;
    use super::*;

    /// Answers each request by its URL, and writes down what was asked.
    struct Site {
        answers: fn(&str) -> (u16, &'static str),
        asked: std::cell::RefCell<Vec<String>>,
    }

    impl Site {
        fn new(answers: fn(&str) -> (u16, &'static str)) -> Self {
            begin_call();
            Site {
                answers,
                asked: std::cell::RefCell::default(),
            }
        }
    }

    impl Wire for Site {
        fn now_ns(&self) -> u64 {
            0
        }

        fn exchange(&self, step: &Step, _: u64) -> Result<Reply, Failure> {
            let names: Vec<&str> = step.headers().iter().map(|(name, _)| &**name).collect();
            let names = names.join(",");
            self.asked
                .borrow_mut()
                .push(format!("{} {} {names}", step.method(), step.url()));
            let (status, location) = (self.answers)(&step.url());
            let mut headers = vec![("Content-Type".to_owned(), "text/plain".to_owned())];
            if !location.is_empty() {
                headers.push(("Location".to_owned(), location.to_owned()));
            }
            Ok(Reply {
                status,
                headers,
                body: b"said".to_vec(),
            })
        }
    }

    #[cfg(feature = "pages")]
    #[test]
    fn redirects_are_followed_as_often_as_asked() {
        let site = Site::new(|url| match url {
            "http://a.example/one" => (302, "two?q=\u{e9}"),
            _ => (200, ""),
        });
        let request = Request::get("http://a.example/one").redirects(1);
        let response = send(&site, &request).unwrap();
        assert_eq!(response.url, "http://a.example/two?q=%E9");
        assert_eq!(response.text, "said");
        let unfollowed = Request::get("http://a.example/one");
        assert_eq!(send(&site, &unfollowed).unwrap().status, 302);
    }

    #[cfg(feature = "pages")]
    #[test]
    fn a_redirect_without_end_is_an_error() {
        let site = Site::new(|_| (307, "/again"));
        let request = Request::get("http://a.example/").redirects(3);
        let failure = send(&site, &request).unwrap_err();
        assert_eq!(failure.kind, "redirect");
        assert_eq!(site.asked.borrow().len(), 4);
    }

    #[cfg(feature = "pages")]
    #[test]
    fn another_origin_gets_nothing_that_could_be_a_credential() {
        let site = Site::new(|url| match url {
            "http://a.example/" => (303, "http://b.example/"),
            _ => (200, ""),
        });
        let request = Request::post_json("http://a.example", &crate::json!({}))
            .header("X-Token", "t")
            .header("Accept", "*/*")
            .redirects(1);
        send(&site, &request).unwrap();
        assert_eq!(
            *site.asked.borrow(),
            [
                "POST http://a.example/ Content-Type,X-Token,Accept",
                "GET http://b.example/ Accept"
            ]
        );
    }

    #[test]
    fn a_call_has_so_many_requests_and_no_more() {
        let site = Site::new(|_| (200, ""));
        let request = Request::get("http://a.example/");
        for _ in 0..MOST_REQUESTS {
            send(&site, &request).unwrap();
        }
        assert_eq!(send(&site, &request).unwrap_err().kind, "too_many");
        begin_call();
        assert!(send(&site, &request).is_ok());
    }
}
