//! Days, months and years, and how moments are shown.

/// Year, month (from 1) and day of a day since 1970-01-01, after Howard Hinnant,
/// "chrono-compatible low-level date algorithms".
pub fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = (from_march + 2) % 12 + 1;
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

/// Days since 1970-01-01 of a date; a month past the year's end goes on into the next.
pub fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = year + (month - 1).div_euclid(12);
    let month = (month - 1).rem_euclid(12) + 1;
    let year = year - i64::from(month <= 2);
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5;
    let of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + of_year;
    era * 146_097 + of_era - 719_468 + day - 1
}

/// `2024-01-15 14:30:25` at an offset.
pub fn date_time(seconds: i64, offset_min: i32) -> String {
    let local = seconds.saturating_add(i64::from(offset_min) * 60);
    let (year, month, day) = civil(local.div_euclid(86_400));
    let second = local.rem_euclid(86_400);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}")
}

/// `+0130`, or `+01:30` with a colon.
pub fn offset(offset_min: i32, between: &str) -> String {
    let sign = if offset_min < 0 { '-' } else { '+' };
    let size = offset_min.abs();
    format!("{sign}{:02}{between}{:02}", size / 60, size % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_its_date() {
        for day in [-1_000_000, -1, 0, 59, 11_016, 19_782, 2_000_000] {
            let (year, month, date) = civil(day);
            assert_eq!(days(year, month, date), day);
        }
        assert_eq!(date_time(1_705_329_025, 90), "2024-01-15 16:00:25");
        assert_eq!(offset(-330, ":"), "-05:30");
    }
}
