//! What clocks show: moments in a zone, and times of today converted.

use jiff::civil::{Date, DateTime, Weekday};
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::Timestamp;
use wasmmcp::Output;

use crate::zone::is_dst;

/// A moment as the clocks of one zone show it.
#[derive(Output)]
pub struct Moment {
    /// IANA name of the zone.
    timezone: String,
    /// ISO 8601 with the offset from UTC.
    datetime: String,
    /// English name of the weekday.
    day_of_week: String,
    /// Whether daylight saving time holds.
    is_dst: bool,
}

/// One moment in two zones.
#[derive(Output)]
pub struct Conversion {
    /// The given time in its own zone.
    source: Moment,
    /// The same moment in the other zone.
    target: Moment,
    /// How far the target's clocks are ahead, in hours: `+1.0h`, `-5.5h`.
    time_difference: String,
}

/// What the clocks of `zone` show at `moment`.
pub fn present(name: &str, zone: &TimeZone, moment: Timestamp) -> Moment {
    let offset = zone.to_offset(moment);
    let shown = offset.to_datetime(moment);
    Moment {
        timezone: name.to_owned(),
        datetime: iso(shown, offset.seconds()),
        day_of_week: day_name(shown.date().weekday()).to_owned(),
        is_dst: is_dst(name, zone, moment),
    }
}

/// The time `written` (HH:MM) of today, `source`'s day at `now`, in both zones.
///
/// # Errors
/// A time that is not written so, or that the clocks of `source` skip today.
pub fn convert(
    (source_name, source): (&str, &TimeZone),
    written: &str,
    (target_name, target): (&str, &TimeZone),
    now: Timestamp,
) -> Result<Conversion, String> {
    let (hour, minute) =
        parse(written).ok_or("Invalid time format. Expected HH:MM [24-hour format]")?;
    let today = source.to_datetime(now).date();
    let shown = today.at(hour, minute, 0, 0);
    let moment = resolve(source, shown).ok_or_else(|| {
        format!(
            "Invalid time: {written} does not exist in {source_name} on {} (skipped by a clock change)",
            iso_date(today)
        )
    })?;
    let ahead_s = target.to_offset(moment).seconds() - source.to_offset(moment).seconds();
    Ok(Conversion {
        source: present(source_name, source, moment),
        target: present(target_name, target, moment),
        time_difference: hours(ahead_s),
    })
}

/// The moment when `zone`'s clocks show this: of two, the earlier; none for a skipped one.
fn resolve(zone: &TimeZone, shown: DateTime) -> Option<Timestamp> {
    let offset = match zone.to_ambiguous_timestamp(shown).offset() {
        AmbiguousOffset::Unambiguous { offset } => offset,
        AmbiguousOffset::Fold { before, .. } => before,
        AmbiguousOffset::Gap { .. } => return None,
    };
    offset.to_timestamp(shown).ok()
}

/// Hour and minute of `HH:MM`; each may be written with one digit.
fn parse(written: &str) -> Option<(i8, i8)> {
    let (hour, minute) = written.split_once(':')?;
    let two_digits = |text: &str, below: i8| {
        let fits = matches!(text.len(), 1 | 2) && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse().ok().filter(|number| fits && *number < below)
    };
    Some((two_digits(hour, 24)?, two_digits(minute, 60)?))
}

/// Date, time and offset as ISO 8601 writes them, to the second.
///
/// Spelt out here because a general formatter would weigh more than all of our code.
fn iso(shown: DateTime, offset_s: i32) -> String {
    let (hour, minute, second) = (shown.hour(), shown.minute(), shown.second());
    format!(
        "{}T{hour:02}:{minute:02}:{second:02}{}",
        iso_date(shown.date()),
        signed(offset_s)
    )
}

fn iso_date(date: Date) -> String {
    format!("{:04}-{:02}-{:02}", date.year(), date.month(), date.day())
}

fn day_name(day: Weekday) -> &'static str {
    match day {
        Weekday::Monday => "Monday",
        Weekday::Tuesday => "Tuesday",
        Weekday::Wednesday => "Wednesday",
        Weekday::Thursday => "Thursday",
        Weekday::Friday => "Friday",
        Weekday::Saturday => "Saturday",
        Weekday::Sunday => "Sunday",
    }
}

/// An offset as ISO 8601 writes it: `+05:45`, with seconds only where there are some.
fn signed(offset_s: i32) -> String {
    let sign = if offset_s < 0 { '-' } else { '+' };
    let size_s = offset_s.unsigned_abs();
    let (hours, minutes, seconds) = (size_s / 3600, size_s / 60 % 60, size_s % 60);
    if seconds == 0 {
        format!("{sign}{hours:02}:{minutes:02}")
    } else {
        format!("{sign}{hours:02}:{minutes:02}:{seconds:02}")
    }
}

/// A difference in hours: `+1.0h` for whole ones, else two decimals without closing zeros.
fn hours(ahead_s: i32) -> String {
    let hours = f64::from(ahead_s) / 3600.0;
    if hours.fract() == 0.0 {
        return format!("{hours:+.1}h");
    }
    let written = format!("{hours:+.2}");
    format!("{}h", written.trim_end_matches('0').trim_end_matches('.'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::zone::find;

    fn at(written: &str) -> Timestamp {
        written.parse().unwrap()
    }

    fn converted(
        source: &str,
        written: &str,
        target: &str,
        now: &str,
    ) -> Result<Conversion, String> {
        let zones = (find(source).unwrap(), find(target).unwrap());
        convert((source, &zones.0), written, (target, &zones.1), at(now))
    }

    #[test]
    fn daylight_saving_follows_the_date() {
        let paris = find("Europe/Paris").unwrap();
        let winter = present("Europe/Paris", &paris, at("2026-01-15T12:00:00Z"));
        assert_eq!(
            (winter.datetime.as_str(), winter.is_dst),
            ("2026-01-15T13:00:00+01:00", false)
        );
        let summer = present("Europe/Paris", &paris, at("2026-07-15T12:00:00Z"));
        assert_eq!(
            (summer.datetime.as_str(), summer.is_dst),
            ("2026-07-15T14:00:00+02:00", true)
        );
        assert_eq!(summer.day_of_week, "Wednesday");
    }

    #[test]
    fn half_hours_and_quarters_are_kept() {
        let day = "2026-07-15T00:30:00Z";
        let there = converted("Asia/Kolkata", "9:05", "Asia/Kathmandu", day).unwrap();
        assert_eq!(there.time_difference, "+0.25h");
        assert_eq!(there.target.datetime, "2026-07-15T09:20:00+05:45");
        assert_eq!(
            converted("UTC", "0:00", "Asia/Kolkata", day)
                .unwrap()
                .time_difference,
            "+5.5h"
        );
        assert_eq!(
            converted("UTC", "0:00", "America/Lima", day)
                .unwrap()
                .time_difference,
            "-5.0h"
        );
        assert_eq!(
            converted("UTC", "0:00", "UTC", day)
                .unwrap()
                .time_difference,
            "+0.0h"
        );
    }

    #[test]
    fn a_skipped_time_is_refused_and_a_repeated_one_is_the_first() {
        let skipped = converted("Europe/Paris", "02:30", "UTC", "2026-03-29T12:00:00Z");
        assert_eq!(
            skipped.err().unwrap(),
            "Invalid time: 02:30 does not exist in Europe/Paris on 2026-03-29 (skipped by a clock change)"
        );
        let repeated = converted("Europe/Paris", "02:30", "UTC", "2026-10-25T12:00:00Z").unwrap();
        assert_eq!(repeated.target.datetime, "2026-10-25T00:30:00+00:00");
        assert!(repeated.source.is_dst);
    }

    #[test]
    fn today_is_the_day_in_the_source_zone() {
        let there =
            converted("Pacific/Kiritimati", "01:00", "UTC", "2026-12-31T11:00:00Z").unwrap();
        assert_eq!(there.source.datetime, "2027-01-01T01:00:00+14:00");
        assert_eq!(there.target.datetime, "2026-12-31T11:00:00+00:00");
    }

    #[test]
    fn a_time_is_hours_and_minutes() {
        assert_eq!(parse("23:59"), Some((23, 59)));
        assert_eq!(parse("9:5"), Some((9, 5)));
        for wrong in [
            "24:00", "1:60", "001:00", "-1:00", "+1:00", " 1:00", "1:00 ", "1:00:00", "1", "", ":",
            "1:",
        ] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }
}
