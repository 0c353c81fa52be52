//! MCP over stdin and stdout.

use std::io::{self, BufRead, Write};

use crate::protocol::dispatch::answer;
use crate::system::start::started;
use crate::Server;

/// Speaks MCP over stdin and stdout, one message per line, until end of file.
pub fn serve(server: &Server) {
    started();
    let mut lines = io::stdin().lock();
    let mut out = io::stdout().lock();
    let mut line = Vec::new();
    loop {
        line.clear();
        match lines.read_until(b'\n', &mut line) {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        if line.trim_ascii().is_empty() {
            continue;
        }
        if let Some(mut reply) = answer(server, std::mem::take(&mut line)) {
            reply.push(b'\n');
            if out.write_all(&reply).and_then(|()| out.flush()).is_err() {
                return;
            }
        }
    }
}
