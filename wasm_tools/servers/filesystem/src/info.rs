//! What is known about one file or directory.

use std::fs;
use std::time::SystemTime;

use wasmmcp::host;

use crate::failure::Failure;

const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// Size, times, kind and permissions, one per line.
pub fn describe(path: &str) -> Result<String, Failure> {
    let found = fs::metadata(path).map_err(|error| Failure::system(&error, "stat", path))?;
    let permissions = host::file_mode(path).map(|mode| format!("{:03o}", mode & 0o777));
    let lines = [
        ("size", found.len().to_string()),
        ("created", date(found.created())),
        ("modified", date(found.modified())),
        ("accessed", date(found.accessed())),
        ("isDirectory", found.is_dir().to_string()),
        ("isFile", found.is_file().to_string()),
        (
            "permissions",
            permissions.unwrap_or_else(|_| "unknown".to_owned()),
        ),
    ];
    Ok(lines
        .map(|(name, value)| format!("{name}: {value}"))
        .join("\n"))
}

/// A moment as JavaScript prints dates, in UTC.
fn date(moment: std::io::Result<SystemTime>) -> String {
    let moment = moment.unwrap_or(SystemTime::UNIX_EPOCH);
    let seconds = match moment.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(after) => after.as_secs() as i64,
        // A fraction before 1970 belongs to the second before it.
        Err(before) => -(before.duration().as_secs_f64().ceil() as i64),
    };
    let (days, second) = (seconds.div_euclid(86400), seconds.rem_euclid(86400));
    let (year, month, day) = civil(days);
    let weekday = DAYS[days.rem_euclid(7) as usize];
    let month = MONTHS[month as usize];
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!(
        "{weekday} {month} {day:02} {year} {hour:02}:{minute:02}:{second:02} \
         GMT+0000 (Coordinated Universal Time)"
    )
}

/// Year, month (from 0) and day of a day since 1970-01-01, after Howard Hinnant,
/// "chrono-compatible low-level date algorithms".
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * from_march + 2) / 5 + 1;
    let month = (from_march + 2) % 12;
    let year = year_of_era + era * 400 + i64::from(month < 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn dates_print_as_javascript_prints_them() {
        for (seconds, shown) in [
            (0, "Thu Jan 01 1970 00:00:00"),
            (951_782_399, "Mon Feb 28 2000 23:59:59"),
            (951_782_400, "Tue Feb 29 2000 00:00:00"),
            (1_795_490_697, "Tue Nov 24 2026 03:24:57"),
        ] {
            let moment = Ok(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds));
            assert_eq!(
                date(moment),
                format!("{shown} GMT+0000 (Coordinated Universal Time)")
            );
        }
    }
}
