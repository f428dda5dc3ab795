//! Durations and sizes as words: `"30m"`, `"8MiB"`, and back again for messages and documentation.

use std::time::Duration;

/// Reads a duration: a whole number and one of `ms`, `s`, `m`, `h`, `d`, `w`. Parts may be joined: `"1h30m"`.
///
/// The error says what would have been understood.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let meant = || {
        format!("{text:?} is not a duration: write a number and ms, s, m, h, d or w, as in \"30m\"")
    };
    let mut total = Duration::ZERO;
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err(meant());
    }
    while !rest.is_empty() {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let number: u64 = rest[..digits].parse().map_err(|_| meant())?;
        rest = rest[digits..].trim_start();
        let letters = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_alphabetic()).len();
        let milliseconds: u64 = match &rest[..letters] {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            "w" => 604_800_000,
            _ => return Err(meant()),
        };
        let part = number.checked_mul(milliseconds).map(Duration::from_millis);
        // A thousand years is more than anybody means and leaves room for arithmetic on instants.
        total = part
            .and_then(|part| total.checked_add(part))
            .filter(|total| total.as_secs() <= 31_557_600_000)
            .ok_or_else(|| format!("{text:?} is too long a duration"))?;
        rest = rest[letters..].trim_start();
    }
    Ok(total)
}

/// Reads a size in bytes: a whole number and one of `B`, `KiB`, `MiB`, `GiB`, `kB`, `MB`, `GB`.
pub fn parse_size(text: &str) -> Result<u64, String> {
    let meant =
        || format!("{text:?} is not a size: write a number and B, KiB, MiB or GiB, as in \"8MiB\"");
    let text = text.trim();
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let number: u64 = text[..digits].parse().map_err(|_| meant())?;
    let unit = match text[digits..].trim() {
        "B" => 1,
        "kB" | "KB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return Err(meant()),
    };
    number.checked_mul(unit).filter(|&bytes| bytes <= 1 << 40).ok_or_else(meant)
}

/// Writes a duration the way [`parse_duration`] reads it, in the largest unit that leaves no rest.
pub fn format_duration(duration: Duration) -> String {
    let milliseconds = duration.as_millis();
    for (unit, size) in
        [("w", 604_800_000), ("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000)]
    {
        if milliseconds > 0 && milliseconds.is_multiple_of(size) {
            return format!("{}{unit}", milliseconds / size);
        }
    }
    if milliseconds == 0 { "0s".to_owned() } else { format!("{milliseconds}ms") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_in_words() {
        for (text, seconds) in [
            ("30m", 1_800),
            ("1h30m", 5_400),
            ("7d", 604_800),
            ("0s", 0),
            ("1 h", 3_600),
            ("2w", 1_209_600),
        ] {
            assert_eq!(parse_duration(text).unwrap().as_secs(), seconds, "{text}");
        }
        assert_eq!(parse_duration("250ms").unwrap(), Duration::from_millis(250));
        for text in ["", "30", "m", "-5m", "1.5h", "5 minutes", "99999999999999999999s", "9999999w"]
        {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn sizes_are_read_in_words() {
        for (text, bytes) in [("16MiB", 16 << 20), ("1 KiB", 1_024), ("10kB", 10_000), ("7B", 7)] {
            assert_eq!(parse_size(text).unwrap(), bytes, "{text}");
        }
        for text in ["", "16", "16M", "MiB", "-1B", "99999999999GiB"] {
            assert!(parse_size(text).is_err(), "{text}");
        }
    }

    #[test]
    fn durations_are_written_as_they_are_read() {
        for text in ["30m", "7d", "1h", "90s", "250ms", "0s"] {
            let duration = parse_duration(text).unwrap();
            assert_eq!(parse_duration(&format_duration(duration)).unwrap(), duration);
        }
        assert_eq!(format_duration(Duration::from_secs(5_400)), "90m");
    }
}
