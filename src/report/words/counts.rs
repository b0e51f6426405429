//! Lengths, sizes and counts in few characters.

use jiff::Timestamp;

use crate::model::short_duration;

/// `0.4 s`, `12 s`, `2 min 5 s`
pub(super) fn took(seconds: f64) -> String {
    if seconds < 9.95 { format!("{:.1} s", seconds.max(0.0)) } else { whole(seconds) }
}

/// `0 s`, `12 s`, `2 min 5 s`
pub(super) fn whole(seconds: f64) -> String {
    // a float to int cast saturates: what is negative or no number is 0
    short_duration(seconds.round() as u64)
}

/// Seconds from one moment to another, never negative.
pub(super) fn between(from: Timestamp, to: Timestamp) -> f64 {
    to.duration_since(from).as_secs_f64().max(0.0)
}

/// `12.3 MB`
pub(super) fn size(bytes: u64) -> String {
    match bytes {
        0..1_000 => format!("{bytes} B"),
        1_000..1_000_000 => format!("{:.1} kB", bytes as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", bytes as f64 / 1e6),
        _ => format!("{:.1} GB", bytes as f64 / 1e9),
    }
}

/// `1 pod`, `3 pods`
pub(super) fn many(count: usize, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

const BAR: usize = 10;

/// `███████░░░`
pub(super) fn bar(done: u64, all: u64) -> String {
    let filled = if all == 0 { 0 } else { (done.min(all) as usize * BAR) / all as usize };
    "█".repeat(filled) + &"░".repeat(BAR - filled)
}

/// ` (and 4 more alike)`, behind one of so many.
pub(super) fn alike(count: usize) -> String {
    format!(" (and {} more alike)", count - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_full_only_when_all_is_done() {
        for (done, all, expected) in [
            (0, 3, "░░░░░░░░░░"),
            (2, 3, "██████░░░░"),
            (3, 3, "██████████"),
            (999, 1000, "█████████░"),
            (0, 0, "░░░░░░░░░░"),
        ] {
            assert_eq!(bar(done, all), expected, "{done}/{all}");
        }
    }

    #[test]
    fn lengths_are_short() {
        for (seconds, expected) in
            [(0.04, "0.0 s"), (0.44, "0.4 s"), (9.96, "10 s"), (65.2, "1 min 5 s"), (-1.0, "0.0 s")]
        {
            assert_eq!(took(seconds), expected);
        }
    }
}
