//! The two colours of an app.

use serde::Serialize;

use super::ObjectId;

/// How an app is switched between two colours.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BlueGreen {
    /// The Service whose selector is switched.
    pub service: String,
    /// The label in its selector and on the pods.
    pub label: String,
    pub colors: [String; 2],
}

impl BlueGreen {
    /// The label where none is configured.
    pub const LABEL: &str = "color";

    /// The colour that is not `color`; the first one where nothing is live yet.
    pub fn other(&self, color: Option<&str>) -> &str {
        match color {
            Some(color) if color == self.colors[0] => &self.colors[1],
            _ => &self.colors[0],
        }
    }

    /// True for the Service that is switched.
    pub fn switches(&self, id: &ObjectId) -> bool {
        (id.group.as_str(), id.kind.as_str()) == ("", "Service") && id.name == self.service
    }
}
