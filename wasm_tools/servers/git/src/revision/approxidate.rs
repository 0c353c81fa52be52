//! Moments as people write them: `2 weeks ago`, `yesterday noon`, `2024-01-15T14:30:25`.
//!
//! Follows the rules of git's date.c, whose results people know: a full date is taken as
//! written, and anything else is guessed word by word. Local time is UTC.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::revision::calendar::{civil, days};

const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];
const WEEKDAYS: [&str; 7] = [
    "sunday",
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
];
const NUMBERS: [&str; 11] = [
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
];
const UNITS: [(&str, i64); 5] = [
    ("seconds", 1),
    ("minutes", 60),
    ("hours", 3600),
    ("days", 86_400),
    ("weeks", 604_800),
];
const ZONES: [(&str, i64); 10] = [
    ("utc", 0),
    ("gmt", 0),
    ("est", -5),
    ("edt", -4),
    ("cst", -6),
    ("cdt", -5),
    ("mst", -7),
    ("mdt", -6),
    ("pst", -8),
    ("pdt", -7),
];

/// Seconds since 1970, now.
pub fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs() as i64)
}

/// The moment that a text means, seen from `now`.
pub fn approximate(text: &str, now: i64) -> i64 {
    exact(text).unwrap_or_else(|| guess(text, now))
}

/// Fields of a date; -1 is unknown. Months from 0, years in full.
#[derive(Clone, Copy)]
struct Fields {
    year: i64,
    month: i64,
    day: i64,
    hour: i64,
    minute: i64,
    second: i64,
    /// Seconds east of Greenwich, where the text tells.
    zone: Option<i64>,
}

impl Fields {
    const UNKNOWN: Fields = Fields {
        year: -1,
        month: -1,
        day: -1,
        hour: -1,
        minute: -1,
        second: -1,
        zone: None,
    };

    fn at(seconds: i64) -> Self {
        let (year, month, day) = civil(seconds.div_euclid(86_400));
        let second = seconds.rem_euclid(86_400);
        Fields {
            year,
            month: month - 1,
            day,
            hour: second / 3600,
            minute: second / 60 % 60,
            second: second % 60,
            zone: None,
        }
    }

    fn seconds(&self) -> i64 {
        days(self.year, self.month + 1, self.day) * 86_400
            + self.hour * 3600
            + self.minute * 60
            + self.second
    }

    fn set_date(&mut self, year: i64, month: i64, day: i64) -> bool {
        if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
            return false;
        }
        let year = match year {
            -1 => self.year,
            1970..=2099 => year,
            70..=99 => year + 1900,
            0..=37 => year + 2000,
            _ => return false,
        };
        (self.year, self.month, self.day) = (year, month - 1, day);
        true
    }
}

/// How many letters of `text` agree with `word`; 0 where a letter differs.
fn agreement(text: &[u8], word: &str) -> usize {
    let mut count = 0;
    for (at, byte) in text.iter().enumerate() {
        match word.as_bytes().get(at) {
            Some(letter) if letter.eq_ignore_ascii_case(byte) => count = at + 1,
            _ if !byte.is_ascii_alphanumeric() => break,
            _ => return 0,
        }
    }
    count
}

fn digits(text: &[u8]) -> usize {
    text.iter().take_while(|byte| byte.is_ascii_digit()).count()
}

fn number(text: &[u8]) -> i64 {
    text[..digits(text)].iter().fold(0i64, |sum, byte| {
        sum.saturating_mul(10)
            .saturating_add(i64::from(byte - b'0'))
    })
}

/// A date that says all of it, or seconds since 1970 after `@`.
fn exact(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    if bytes.first() == Some(&b'@') && digits(&bytes[1..]) > 0 {
        return Some(number(&bytes[1..]));
    }
    dated(text).map(|(seconds, _)| seconds)
}

/// Seconds since 1970, and seconds east of Greenwich, of a date that says all of it.
pub fn dated(text: &str) -> Option<(i64, i64)> {
    let bytes = text.as_bytes();
    let mut fields = Fields::UNKNOWN;
    let mut at = 0;
    while at < bytes.len() && bytes[at] != b'\n' {
        let rest = &bytes[at..];
        let taken = match rest[0] {
            byte if byte.is_ascii_alphabetic() => exact_word(rest, &mut fields),
            byte if byte.is_ascii_digit() => match exact_number(rest, &mut fields) {
                Ok(taken) => taken,
                Err(seconds) => return Some((seconds, 0)),
            },
            b'+' | b'-' if fields.hour >= 0 => zone(rest, &mut fields),
            _ => 0,
        };
        at += taken.max(1);
    }
    let known = fields.year >= 0 && fields.month >= 0 && fields.day >= 0;
    let timed = fields.hour >= 0 && fields.minute >= 0 && fields.second >= 0;
    let zone = fields.zone.unwrap_or(0);
    (known && timed).then(|| (fields.seconds() - zone, zone))
}

fn exact_word(text: &[u8], fields: &mut Fields) -> usize {
    for (at, month) in MONTHS.iter().enumerate() {
        let count = agreement(text, month);
        if count >= 3 {
            fields.month = at as i64;
            return count;
        }
    }
    for day in WEEKDAYS {
        let count = agreement(text, day);
        if count >= 3 {
            return count;
        }
    }
    for (name, hours) in ZONES {
        if agreement(text, name) == 3 {
            fields.zone.get_or_insert(hours * 3600);
            return 3;
        }
    }
    for (name, afternoon) in [("pm", 12), ("am", 0)] {
        if agreement(text, name) == 2 {
            fields.hour = fields.hour.max(0) % 12 + afternoon;
            return 2;
        }
    }
    match text[0] {
        b'Z' | b'z' if fields.hour >= 0 => fields.zone = Some(0),
        b'T' if text.get(1).is_some_and(u8::is_ascii_digit) => {
            if fields.hour < 0 {
                (fields.minute, fields.second) = (0, 0);
            }
            return 1;
        }
        _ => {}
    }
    text.iter()
        .take_while(|byte| byte.is_ascii_alphabetic())
        .count()
}

/// How many bytes were read; or at once the moment, for seconds since 1970.
fn exact_number(text: &[u8], fields: &mut Fields) -> Result<usize, i64> {
    let count = digits(text);
    let value = number(text);
    if value >= 100_000_000 && fields.year < 0 && fields.month < 0 && fields.day < 0 {
        return Err(value);
    }
    if let Some(taken) = several(text, fields) {
        return Ok(taken);
    }
    match count {
        // 20240115T143025
        8 if fields.year < 0 && fields.set_date(value / 10_000, value / 100 % 100, value % 100) => {
            return Ok(count)
        }
        6 if fields.day >= 0 && fields.hour < 0 => {
            (fields.hour, fields.minute, fields.second) =
                (value / 10_000, value / 100 % 100, value % 100);
            return Ok(count);
        }
        4 if (1900..2100).contains(&value) => fields.year = value,
        1 | 2 => {
            if (1..32).contains(&value) && fields.day < 0 {
                fields.day = value;
            } else if count == 2
                && fields.year < 0
                && (value >= 70 || (value < 10 && fields.day >= 0))
            {
                fields.year = if value >= 70 {
                    1900 + value
                } else {
                    2000 + value
                };
            } else if (1..13).contains(&value) && fields.month < 0 {
                fields.month = value - 1;
            }
        }
        _ => {}
    }
    Ok(count)
}

/// `14:30`, `14:30:25`, `2024-01-15`, `1/15/2024`, `15.01.2024`.
fn several(text: &[u8], fields: &mut Fields) -> Option<usize> {
    let first = number(text);
    let mut at = digits(text);
    let between = *text.get(at).filter(|byte| b":-/.".contains(byte))?;
    if !text.get(at + 1)?.is_ascii_digit() {
        return None;
    }
    let second = number(&text[at + 1..]);
    at += 1 + digits(&text[at + 1..]);
    let mut third = -1;
    if text.get(at) == Some(&between) && text.get(at + 1).is_some_and(u8::is_ascii_digit) {
        third = number(&text[at + 1..]);
        at += 1 + digits(&text[at + 1..]);
    }
    if between == b':' {
        let third = third.max(0);
        if first < 25 && second < 60 && third <= 60 {
            (fields.hour, fields.minute, fields.second) = (first, second, third);
            if text.get(at) == Some(&b'.') && text.get(at + 1).is_some_and(u8::is_ascii_digit) {
                at += 1 + digits(&text[at + 1..]);
            }
            return Some(at);
        }
        return None;
    }
    let fits = if first > 70 {
        third >= 0
            && (fields.set_date(first, second, third) || fields.set_date(first, third, second))
    } else {
        (between != b'.' && fields.set_date(third, first, second))
            || fields.set_date(third, second, first)
            || (between == b'.' && fields.set_date(third, first, second))
    };
    fits.then_some(at)
}

fn zone(text: &[u8], fields: &mut Fields) -> usize {
    let count = digits(&text[1..]);
    let value = number(&text[1..]);
    let (hours, minutes, taken) = match (count, text.get(1 + count)) {
        (2, Some(b':')) if digits(&text[4..]) == 2 => (value, number(&text[4..]), 6),
        (1 | 2, _) => (value, 0, 1 + count),
        (3 | 4, _) => (value / 100, value % 100, 1 + count),
        _ => return 1,
    };
    if hours < 24 && minutes < 60 {
        let size = hours * 3600 + minutes * 60;
        fields.zone = Some(if text[0] == b'-' { -size } else { size });
    }
    taken
}

/// A text read word by word; what it doesn't say is as it is now.
fn guess(text: &str, now: i64) -> i64 {
    let mut fields = Fields {
        year: -1,
        month: -1,
        day: -1,
        ..Fields::at(now)
    };
    let mut pending = 0;
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let rest = &bytes[at..];
        at += if rest[0].is_ascii_digit() {
            settle(&mut fields, &mut pending);
            several(rest, &mut fields).unwrap_or_else(|| {
                let count = digits(rest);
                if rest[0] != b'0' || count <= 2 {
                    pending = number(rest);
                }
                count
            })
        } else if rest[0].is_ascii_alphabetic() {
            guess_word(rest, &mut fields, &mut pending, now);
            rest.iter()
                .take_while(|byte| byte.is_ascii_alphabetic())
                .count()
        } else {
            1
        };
    }
    settle(&mut fields, &mut pending);
    go_back(&mut fields, now, 0)
}

/// Fills in the day from `now` where it is unknown, and goes back by some seconds.
fn go_back(fields: &mut Fields, now: i64, seconds: i64) -> i64 {
    let today = Fields::at(now);
    if fields.day < 0 {
        fields.day = today.day;
    }
    if fields.month < 0 {
        fields.month = today.month;
    }
    if fields.year < 0 {
        fields.year = today.year - i64::from(fields.month > today.month);
    }
    let then = fields.seconds().saturating_sub(seconds);
    *fields = Fields::at(then);
    then
}

/// A number that no word has claimed is a day, a month or a year.
fn settle(fields: &mut Fields, pending: &mut i64) {
    let value = std::mem::take(pending);
    if value == 0 {
        return;
    }
    if fields.day < 0 && value < 32 {
        fields.day = value;
    } else if fields.month < 0 && value < 13 {
        fields.month = value - 1;
    } else if fields.year < 0 {
        fields.year = match value {
            1970..=2099 => value,
            70..=99 => 1900 + value,
            0..=37 => 2000 + value,
            _ => -1,
        };
    }
}

fn guess_word(text: &[u8], fields: &mut Fields, pending: &mut i64, now: i64) {
    if let Some(month) = MONTHS.iter().position(|name| agreement(text, name) >= 3) {
        fields.month = month as i64;
        return;
    }
    if special_word(text, fields, pending, now) {
        return;
    }
    if *pending == 0 {
        let named = NUMBERS
            .iter()
            .skip(1)
            .position(|name| agreement(text, name) == name.len());
        let last = (agreement(text, "last") == 4).then_some(0);
        // Units and weekdays mean nothing without a number.
        *pending = named.or(last).map_or(0, |at| at as i64 + 1);
        return;
    }
    for (unit, seconds) in UNITS {
        if agreement(text, unit) >= unit.len() - 1 {
            go_back(fields, now, seconds.saturating_mul(std::mem::take(pending)));
            return;
        }
    }
    if let Some(day) = WEEKDAYS.iter().position(|name| agreement(text, name) >= 3) {
        let today = (now.div_euclid(86_400) + 4).rem_euclid(7);
        let mut weeks = std::mem::take(pending) - 1;
        let back = today - day as i64;
        weeks += i64::from(back <= 0);
        go_back(fields, now, (back + 7 * weeks).saturating_mul(86_400));
    } else if agreement(text, "months") >= 5 {
        go_back(fields, now, 0);
        let months = fields.year * 12 + fields.month - std::mem::take(pending);
        (fields.year, fields.month) = (months.div_euclid(12), months.rem_euclid(12));
    } else if agreement(text, "years") >= 4 {
        go_back(fields, now, 0);
        fields.year -= std::mem::take(pending);
    }
}

fn special_word(text: &[u8], fields: &mut Fields, pending: &mut i64, now: i64) -> bool {
    let is = |word: &str| agreement(text, word) == word.len();
    for (word, hour) in [("midnight", 0), ("noon", 12), ("tea", 17)] {
        if is(word) {
            settle(fields, pending);
            if fields.day < 0 && fields.hour < hour {
                go_back(fields, now, 86_400);
            }
            (fields.hour, fields.minute, fields.second) = (hour, 0, 0);
            return true;
        }
    }
    for (word, afternoon) in [("pm", 12), ("am", 0)] {
        if is(word) {
            let value = std::mem::take(pending);
            if value > 0 {
                (fields.hour, fields.minute, fields.second) = (value, 0, 0);
            }
            fields.hour = fields.hour % 12 + afternoon;
            return true;
        }
    }
    if is("yesterday") {
        *pending = 0;
        go_back(fields, now, 86_400);
    } else if is("now") || is("today") {
        *pending = 0;
        go_back(fields, now, 0);
    } else if is("never") {
        *pending = 0;
        *fields = Fields::at(0);
    } else {
        return false;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Wednesday, 2024-05-15 12:00:00.
    const NOW: i64 = 1_715_774_400;

    #[test]
    fn full_dates_are_taken_as_written() {
        for (text, seconds) in [
            ("2024-01-15T14:30:25", 1_705_329_025),
            ("2024-01-15 14:30:25 +0200", 1_705_321_825),
            ("2024-01-15T14:30:25Z", 1_705_329_025),
            ("Mon Jan 15 14:30:25 2024 -0500", 1_705_347_025),
            ("@1705329025", 1_705_329_025),
            ("1705329025", 1_705_329_025),
            ("Mon, 15 Jan 2024 14:30:25 GMT", 1_705_329_025),
        ] {
            assert_eq!(approximate(text, NOW), seconds, "{text}");
        }
    }

    #[test]
    fn other_words_are_seen_from_now() {
        for (text, seconds) in [
            ("yesterday", NOW - 86_400),
            ("2 weeks ago", NOW - 14 * 86_400),
            ("3.hours.ago", NOW - 3 * 3600),
            ("2024-01-15", 1_705_320_000),
            ("Jan 15 2024", 1_705_320_000),
            ("last monday", NOW - 2 * 86_400),
            ("one month ago", 1_713_182_400),
            ("noon yesterday", NOW - 86_400),
        ] {
            assert_eq!(approximate(text, NOW), seconds, "{text}");
        }
    }
}
