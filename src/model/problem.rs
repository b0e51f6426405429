//! The only form in which something that went wrong is shown or serialised.

use serde::{Serialize, Serializer};

use super::{ObjectId, Place};

/// The process's exit codes, as users' pipelines know them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exit {
    Done,
    Bug,
    Input,
    Build,
    Registry,
    Cluster,
    Rollout,
    TimedOut,
    Locked,
    Superseded,
    Changes,
    Interrupted,
}

impl Exit {
    /// The number handed to the operating system.
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Bug => 1,
            Self::Input => 2,
            Self::Build => 3,
            Self::Registry => 4,
            Self::Cluster => 5,
            Self::Rollout => 6,
            Self::TimedOut => 7,
            Self::Locked => 8,
            Self::Superseded => 9,
            Self::Changes => 10,
            Self::Interrupted => 130,
        }
    }
}

impl Serialize for Exit {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u8(self.code())
    }
}

/// Facts that support a problem: a label (`last log`, `events`, `pod`) and its lines.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Evidence {
    pub label: String,
    pub lines: Vec<String>,
}

impl Evidence {
    pub fn new(label: impl Into<String>, lines: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self { label: label.into(), lines: lines.into_iter().map(Into::into).collect() }
    }
}

/// One finding: what, where, why, and what to do next.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Stable and documented: `crash-loop`, `image-not-found`, `manifest`.
    pub code: &'static str,
    pub exit: Exit,
    /// The object it is about, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object: Option<ObjectId>,
    /// The place in a file, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
    /// One sentence, lower case, no full stop.
    pub text: String,
    /// What to type or change, one remedy an item.
    pub hints: Vec<String>,
    pub evidence: Vec<Evidence>,
    /// How many objects (pods, say) failed alike; 1 for a single finding.
    pub count: usize,
}

impl Problem {
    pub fn new(code: &'static str, exit: Exit, text: impl Into<String>) -> Self {
        Self {
            code,
            exit,
            object: None,
            place: None,
            text: text.into(),
            hints: Vec::new(),
            evidence: Vec::new(),
            count: 1,
        }
    }

    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    #[must_use]
    pub fn about(mut self, object: ObjectId) -> Self {
        self.object = Some(object);
        self
    }

    #[must_use]
    pub fn at(mut self, place: Place) -> Self {
        self.place = Some(place);
        self
    }

    #[must_use]
    pub fn with(mut self, evidence: Evidence) -> Self {
        if !evidence.lines.is_empty() {
            self.evidence.push(evidence);
        }
        self
    }
}

/// How a room's error becomes a [`Problem`]; each room's error enum implements it once.
pub trait Explain: std::error::Error {
    fn code(&self) -> &'static str;
    fn exit(&self) -> Exit;
    fn hints(&self) -> Vec<String> {
        Vec::new()
    }
    fn object(&self) -> Option<ObjectId> {
        None
    }
    fn place(&self) -> Option<Place> {
        None
    }
    fn evidence(&self) -> Vec<Evidence> {
        Vec::new()
    }
}

impl<E: Explain> From<E> for Problem {
    fn from(error: E) -> Self {
        Self {
            code: error.code(),
            exit: error.exit(),
            object: error.object(),
            place: error.place(),
            text: joined_causes(&error),
            hints: error.hints(),
            evidence: error.evidence(),
            count: 1,
        }
    }
}

/// The error's text with those of its causes, each said once: libraries like to repeat their source.
pub fn joined_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        let said = next.to_string();
        if !said.is_empty() && !text.contains(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        cause = next.source();
    }
    text
}
