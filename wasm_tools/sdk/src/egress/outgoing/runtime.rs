//! One request over `wasi:http/outgoing-handler`.

use wasip2::clocks::monotonic_clock::{now, subscribe_instant};
use wasip2::http::outgoing_handler::handle;
use wasip2::http::types::{
    http_error_code, ErrorCode, Fields, FutureIncomingResponse, IncomingBody, IncomingResponse,
    Method, OutgoingBody, OutgoingRequest, RequestOptions, Scheme,
};
use wasip2::io::poll::{poll, Pollable};
use wasip2::io::streams::{InputStream, OutputStream, StreamError};

use super::exchange::{Reply, Wire, NS_PER_MS};
use super::step::Step;
use crate::egress::types::Failure;

/// The agent's usual bounds (docs/egress.md).
const LARGEST_ANSWER_BYTES: usize = 8 * 1024 * 1024;
const CONNECT_NS: u64 = 10_000 * NS_PER_MS;
const BLOCK_BYTES: u64 = 64 * 1024;

/// The runtime that this component runs in.
pub struct Runtime;

impl Wire for Runtime {
    fn now_ns(&self) -> u64 {
        now()
    }

    fn exchange(&self, step: &Step, ends_ns: u64) -> Result<Reply, Failure> {
        let whole = || {
            let answer = sent(step, ends_ns)?;
            let response = answered(&answer, ends_ns)?;
            Ok(Reply {
                status: response.status(),
                headers: headers_of(&response),
                body: body_of(&response, ends_ns)?,
            })
        };
        whole().map_err(|fault: Fault| step.failure(fault.kind(), &fault.why()))
    }
}

/// Why an exchange came to nothing.
enum Fault {
    Late,
    Large,
    /// The runtime takes no such request.
    Refused(&'static str),
    Code(ErrorCode),
    /// The connection broke; the runtime tells programmers why, at length.
    Broken,
}

/// Sends the request; its answer is yet to come.
fn sent(step: &Step, ends_ns: u64) -> Result<FutureIncomingResponse, Fault> {
    let request = OutgoingRequest::new(fields(step)?);
    let scheme = if step.is_secure() {
        Scheme::Https
    } else {
        Scheme::Http
    };
    request
        .set_method(&method(step.method()))
        .and_then(|()| request.set_scheme(Some(&scheme)))
        .and_then(|()| request.set_authority(Some(step.authority())))
        .and_then(|()| request.set_path_with_query(Some(step.path())))
        .map_err(|()| Fault::Refused("the runtime takes no such URL"))?;
    let body = request
        .body()
        .map_err(|()| Fault::Refused("the runtime takes no body"))?;
    let options = RequestOptions::new();
    let left_ns = ends_ns.saturating_sub(now()).max(1);
    // A runtime may know no such limit; the clock here holds in any case.
    let _ = options.set_connect_timeout(Some(CONNECT_NS.min(left_ns)));
    let answer = handle(request, Some(options)).map_err(Fault::Code)?;
    if let Ok(mut stream) = body.write() {
        // When the other side has hung up, the answer tells why.
        let _ = write(&mut stream, step.body().as_bytes(), ends_ns)?;
    }
    let _ = OutgoingBody::finish(body, None);
    Ok(answer)
}

fn fields(step: &Step) -> Result<Fields, Fault> {
    let mut entries: Vec<(String, Vec<u8>)> = step
        .headers()
        .iter()
        .map(|(name, value)| (name.clone(), value.clone().into_bytes()))
        .collect();
    entries.push(("Accept-Encoding".to_owned(), b"identity".to_vec()));
    if !step.body().is_empty() || step.method() == "POST" {
        let length = step.body().len().to_string();
        entries.push(("Content-Length".to_owned(), length.into_bytes()));
    }
    Fields::from_list(&entries).map_err(|_| Fault::Refused("the runtime takes no such header"))
}

fn method(name: &str) -> Method {
    match name {
        "GET" => Method::Get,
        "HEAD" => Method::Head,
        "POST" => Method::Post,
        _ => Method::Other(name.to_owned()),
    }
}

/// Writes the bytes; says whether all of them were taken.
fn write(stream: &mut OutputStream, mut bytes: &[u8], ends_ns: u64) -> Result<bool, Fault> {
    while !bytes.is_empty() {
        let Ok(room) = stream.check_write() else {
            return Ok(false);
        };
        let size = bytes.len().min(usize::try_from(room).unwrap_or(usize::MAX));
        if size == 0 {
            wait(&stream.subscribe(), ends_ns)?;
            continue;
        }
        let (now, later) = bytes.split_at(size);
        if stream.write(now).is_err() {
            return Ok(false);
        }
        bytes = later;
    }
    Ok(stream.flush().is_ok())
}

fn answered(answer: &FutureIncomingResponse, ends_ns: u64) -> Result<IncomingResponse, Fault> {
    loop {
        match answer.get() {
            Some(Ok(found)) => return found.map_err(Fault::Code),
            Some(Err(())) => return Err(Fault::Broken),
            None => wait(&answer.subscribe(), ends_ns)?,
        }
    }
}

fn headers_of(response: &IncomingResponse) -> Vec<(String, String)> {
    let told = response.headers().entries();
    told.into_iter()
        .map(|(name, value)| (name, value.into_iter().map(char::from).collect()))
        .collect()
}

fn body_of(response: &IncomingResponse, ends_ns: u64) -> Result<Vec<u8>, Fault> {
    let broken = |()| Fault::Broken;
    let body: IncomingBody = response.consume().map_err(broken)?;
    let stream: InputStream = body.stream().map_err(broken)?;
    let mut bytes = Vec::new();
    loop {
        match stream.read(BLOCK_BYTES) {
            Ok(block) if block.is_empty() => wait(&stream.subscribe(), ends_ns)?,
            Ok(block) => bytes.extend_from_slice(&block),
            Err(StreamError::Closed) => return Ok(bytes),
            Err(StreamError::LastOperationFailed(error)) => {
                return Err(http_error_code(&error).map_or(Fault::Broken, Fault::Code));
            }
        }
        if bytes.len() > LARGEST_ANSWER_BYTES {
            return Err(Fault::Large);
        }
        // A body that never pauses must end in time, too.
        if now() >= ends_ns {
            return Err(Fault::Late);
        }
    }
}

/// Waits until it is ready, or the time is over.
fn wait(on: &Pollable, ends_ns: u64) -> Result<(), Fault> {
    let timer = subscribe_instant(ends_ns);
    if poll(&[on, &timer]).contains(&0) {
        Ok(())
    } else {
        Err(Fault::Late)
    }
}

impl Fault {
    /// One of the kinds of [`crate::egress::Failure`].
    fn kind(&self) -> &'static str {
        match self {
            Fault::Late => "timeout",
            Fault::Large => "too_large",
            Fault::Refused(_) => "invalid",
            Fault::Code(code) => kind_of(code),
            Fault::Broken => "connect",
        }
    }

    fn why(&self) -> String {
        match self {
            Fault::Late => "no answer in time".to_owned(),
            Fault::Large => {
                format!("the answer is over the limit of {LARGEST_ANSWER_BYTES} bytes")
            }
            Fault::Refused(why) => (*why).to_owned(),
            Fault::Code(code) => why_of(code),
            Fault::Broken => "the connection ended before the answer did".to_owned(),
        }
    }
}

fn kind_of(code: &ErrorCode) -> &'static str {
    use ErrorCode as E;
    match code {
        E::DnsTimeout | E::DnsError(_) | E::DestinationNotFound => "resolve",
        E::DestinationIpProhibited | E::HttpRequestDenied => "denied",
        E::DestinationUnavailable
        | E::DestinationIpUnroutable
        | E::ConnectionRefused
        | E::ConnectionTerminated
        | E::ConnectionLimitReached => "connect",
        E::ConnectionTimeout
        | E::ConnectionReadTimeout
        | E::ConnectionWriteTimeout
        | E::HttpResponseTimeout => "timeout",
        E::TlsProtocolError | E::TlsCertificateError | E::TlsAlertReceived(_) => "tls",
        E::HttpResponseHeaderSectionSize(_)
        | E::HttpResponseHeaderSize(_)
        | E::HttpResponseBodySize(_) => "too_large",
        E::InternalError(_) | E::ConfigurationError => "host",
        _ => "protocol",
    }
}

/// What a code says, in words where people meet it often.
fn why_of(code: &ErrorCode) -> String {
    use ErrorCode as E;
    match code {
        E::DnsTimeout | E::DnsError(_) | E::DestinationNotFound => "cannot be resolved".to_owned(),
        E::DestinationIpProhibited | E::HttpRequestDenied => {
            "the runtime does not permit it".to_owned()
        }
        E::ConnectionRefused => "cannot be reached (connection refused)".to_owned(),
        E::ConnectionTimeout => "cannot be reached (no answer in time)".to_owned(),
        E::ConnectionTerminated => "the connection was lost".to_owned(),
        E::TlsCertificateError => "its certificate is not valid".to_owned(),
        E::HttpResponseIncomplete => "the connection ended before the answer did".to_owned(),
        E::HttpProtocolError => "its answer is not HTTP".to_owned(),
        E::InternalError(Some(told)) => format!("the runtime failed ({told})"),
        other => {
            let name = format!("{other:?}");
            name.trim_start_matches("ErrorCode::").to_owned()
        }
    }
}
