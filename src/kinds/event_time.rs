//! When an event happened last, by the server's clock.

use jiff::Timestamp;
use serde_json::Value;

use super::read;

/// The last time it was seen: `series`, `lastTimestamp`, `eventTime` or `creationTimestamp`, whichever the writer filled.
pub(crate) fn of(event: &Value) -> Option<Timestamp> {
    [&["series", "lastObservedTime"][..], &["lastTimestamp"], &["eventTime"], &["metadata", "creationTimestamp"]]
        .iter()
        .find_map(|path| read::text(event, path).parse().ok())
}
