//! The time server: the current time in a zone, and times converted between zones.
//!
//! Answers as PyPI `mcp-server-time` does, failures included.

mod clock;
mod zone;

use jiff::Timestamp;
use wasmmcp::{tool, ToolError};

use clock::{convert, present, Conversion, Moment};
use zone::find;

/// Tell the current time in a time zone.
#[tool(read_only, destructive = false, idempotent, open_world = false)]
fn get_current_time(
    /// IANA name of the time zone, such as 'Europe/London' or 'America/New_York'. Use 'UTC'
    /// when the user names none.
    timezone: String,
) -> Result<Moment, ToolError> {
    let answer = || {
        required("timezone", &timezone)?;
        Ok(present(&timezone, &find(&timezone)?, Timestamp::now()))
    };
    answer().map_err(|error| failure("get_current_time", error))
}

/// Convert a time of today from one time zone to another.
#[tool(read_only, destructive = false, idempotent, open_world = false)]
fn convert_time(
    /// IANA name of the zone that the time is given in, such as 'Europe/London'. Use 'UTC'
    /// when the user names none.
    source_timezone: String,
    /// The time to convert, 24-hour clock (HH:MM).
    time: String,
    /// IANA name of the zone to convert to, such as 'Asia/Tokyo'. Use 'UTC' when the user
    /// names none.
    target_timezone: String,
) -> Result<Conversion, ToolError> {
    let answer = || {
        required("source_timezone", &source_timezone)?;
        required("target_timezone", &target_timezone)?;
        let source = find(&source_timezone)?;
        let target = find(&target_timezone)?;
        let now = Timestamp::now();
        convert(
            (&source_timezone, &source),
            &time,
            (&target_timezone, &target),
            now,
        )
    };
    answer().map_err(|error| failure("convert_time", error))
}

fn required(name: &str, value: &str) -> Result<(), String> {
    if value.is_empty() {
        return Err(format!("Missing required argument: {name}"));
    }
    Ok(())
}

fn failure(tool: &str, reason: String) -> ToolError {
    ToolError::new(format!("Error executing tool {tool}: {reason}"))
}

wasmmcp::server! { name: "time", tools: [get_current_time, convert_time] }
