//! The component's exports: `wasi:cli/run` for MCP over stdin and stdout, and
//! `wasi:http/incoming-handler`.
//!
//! A runtime makes an instance per request, or keeps one for many: nothing here
//! relies on either. Only what `wasi:http/proxy` offers is imported, so that a
//! server that needs no files runs where there are none.

use std::io::{Read, Write};

use wasip2::http::types::{
    Fields, IncomingBody, IncomingRequest, Method, OutgoingBody, OutgoingResponse, ResponseOutparam,
};

use crate::system::start::start_once;
use crate::transports::http::{refused_early, respond, Request, Response};
use crate::transports::stdio::serve;
use crate::Server;

pub use wasip2::cli::command::export as export_run;
pub use wasip2::exports::cli::run::Guest as Run;
pub use wasip2::exports::http::incoming_handler::Guest as Handler;
pub use wasip2::http::proxy::export as export_handler;
pub use wasip2::http::types::{IncomingRequest as HttpRequest, ResponseOutparam as HttpAnswer};

/// Names the origins, apart from this machine's, whose pages may ask: `https://a.example,...`.
const ORIGINS_VARIABLE: &str = "MCP_ALLOWED_ORIGINS";
const LARGEST_BODY_BYTES: u64 = 64 * 1024 * 1024;

/// Speaks MCP over stdin and stdout until end of file.
pub fn run(server: &Server) {
    start_once();
    serve(server);
}

/// Answers one HTTP request.
pub fn handle(server: &Server, request: IncomingRequest, out: ResponseOutparam) {
    start_once();
    let response = answered(server, &request);
    send(response, out);
}

fn answered(server: &Server, incoming: &IncomingRequest) -> Response {
    let path = incoming.path_with_query().unwrap_or_else(|| "/".to_owned());
    let headers: Vec<(String, String)> = incoming
        .headers()
        .entries()
        .into_iter()
        .map(|(name, value)| {
            (
                name.to_ascii_lowercase(),
                String::from_utf8_lossy(&value).into_owned(),
            )
        })
        .collect();
    let request = Request {
        method: method_name(&incoming.method()),
        path: path.split('?').next().unwrap_or_default(),
        headers: &headers,
        origins: &allowed_origins(),
    };
    if let Some(refused) = refused_early(&request) {
        return refused;
    }
    match read_body(incoming) {
        Some(body) => respond(server, &request, body),
        None => Response::line(400, "the body is over 64 MiB or could not be read"),
    }
}

fn method_name(method: &Method) -> &'static str {
    match method {
        Method::Post => "POST",
        _ => "other",
    }
}

fn allowed_origins() -> Vec<String> {
    let listed = std::env::var(ORIGINS_VARIABLE).unwrap_or_default();
    listed.split(',').map(|one| one.trim().to_owned()).collect()
}

fn read_body(request: &IncomingRequest) -> Option<Vec<u8>> {
    let body: IncomingBody = request.consume().ok()?;
    let stream = body.stream().ok()?;
    let mut bytes = Vec::new();
    let mut bounded = stream.take(LARGEST_BODY_BYTES + 1);
    bounded.read_to_end(&mut bytes).ok()?;
    (bytes.len() as u64 <= LARGEST_BODY_BYTES).then_some(bytes)
}

/// Sends the response; when the client has gone there is nobody to tell of a failure.
fn send(response: Response, out: ResponseOutparam) {
    let fields = Fields::new();
    let length = response.body.len().to_string();
    let mut headers = vec![("content-length", length.as_str())];
    if !response.kind.is_empty() {
        headers.push(("content-type", response.kind));
    }
    if response.status == 405 {
        headers.push(("allow", "POST"));
    }
    for (name, value) in headers {
        let _ = fields.append(name, value.as_bytes());
    }
    let outgoing = OutgoingResponse::new(fields);
    let _ = outgoing.set_status_code(response.status);
    let body = outgoing.body();
    ResponseOutparam::set(out, Ok(outgoing));
    if let Ok(body) = body {
        if let Ok(mut stream) = body.write() {
            let written = stream.write_all(&response.body);
            let _ = written.and_then(|()| Write::flush(&mut stream));
        }
        let _ = OutgoingBody::finish(body, None);
    }
}

/// The exports of a component.
#[macro_export]
#[doc(hidden)]
macro_rules! module_exports {
    ($server:expr) => {
        struct Component;

        impl $crate::component::Run for Component {
            fn run() -> Result<(), ()> {
                $crate::component::run(&$server);
                Ok(())
            }
        }

        impl $crate::component::Handler for Component {
            fn handle(request: $crate::component::HttpRequest, out: $crate::component::HttpAnswer) {
                $crate::component::handle(&$server, request, out);
            }
        }

        $crate::component::export_run!(Component);
        $crate::component::export_handler!(Component);
    };
}
