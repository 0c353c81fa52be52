//! Why an image could not be dealt with.

use std::fmt;

use wasmmcp::ToolError;

/// One line that names the reason; the caller adds the path.
#[derive(Debug)]
pub struct Fault(String);

pub type Outcome<T> = Result<T, Fault>;

impl Fault {
    pub fn new(reason: impl Into<String>) -> Self {
        Fault(reason.into())
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl From<Fault> for ToolError {
    fn from(fault: Fault) -> Self {
        ToolError::new(fault.0)
    }
}

/// Refuses what would not fit into the memory of this call, where running out is a trap.
pub fn room(bytes: u64, what: &str) -> Outcome<()> {
    let wanted = usize::try_from(bytes).unwrap_or(usize::MAX);
    Vec::<u8>::new().try_reserve_exact(wanted).map_err(|_| {
        let mib = bytes / (1 << 20) + 1;
        Fault::new(format!(
            "{what} needs about {mib} MiB, more than the memory of this call; take a smaller one"
        ))
    })
}
