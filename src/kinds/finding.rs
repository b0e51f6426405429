//! What was found to be wrong with a pod, or with the making of pods, before it becomes a verdict.

use crate::model::{Evidence, Exit, ObjectId, Problem, Question, Verdict};

/// Seconds between two looks at what cannot come right: what just changes may look so at the first.
pub(super) const TWO_LOOKS: f64 = 2.0;

/// How sure it is that waiting does not mend it, the mildest first.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub(super) enum Weight {
    /// It may well come right.
    Wait,
    /// A failure if it stays so for so many seconds.
    Grace(f64),
    /// A failure.
    Now,
}

impl Weight {
    /// Orders weights; a shorter grace is the heavier one.
    pub(super) fn rank(self) -> f64 {
        match self {
            Self::Wait => -1.0,
            Self::Grace(seconds) => 1.0 / (1.0 + seconds.max(0.0)),
            Self::Now => 2.0,
        }
    }
}

/// One thing found; alike ones on other pods have the same code and text.
#[derive(Clone, Debug)]
pub(super) struct Finding {
    pub code: &'static str,
    /// What is wrong, without the names of object and pod: `container \`web\` exits with code 3`.
    pub text: String,
    pub weight: Weight,
    pub hints: Vec<String>,
    pub evidence: Vec<Evidence>,
    /// What must be asked to be surer.
    pub question: Option<Question>,
    /// The container whose log explains it, and whether its instance before the running one is meant.
    pub log: Option<(String, bool)>,
    /// What is remarkable about the pod: `third exit after 18 s`.
    pub remark: Option<String>,
    /// What a pod does that has it, where the pod alone does not tell.
    pub awaiting: Option<&'static str>,
}

impl Finding {
    pub(super) fn new(code: &'static str, weight: Weight, text: impl Into<String>) -> Self {
        Self {
            code,
            text: text.into(),
            weight,
            hints: Vec::new(),
            evidence: Vec::new(),
            question: None,
            log: None,
            remark: None,
            awaiting: None,
        }
    }

    #[must_use]
    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    #[must_use]
    pub(super) fn with(mut self, label: &str, line: impl Into<String>) -> Self {
        let line = line.into();
        if !line.is_empty() {
            self.evidence.push(Evidence::new(label, [line]));
        }
        self
    }

    #[must_use]
    pub(super) fn log_of(mut self, container: &str, previous: bool) -> Self {
        self.log = Some((container.to_owned(), previous));
        self
    }

    /// The problem of an object: `deployment/web does not start: container ..`.
    pub(super) fn problem(&self, object: &ObjectId, lead: &str) -> Problem {
        let mut problem = Problem::new(self.code, Exit::Rollout, format!("{object} {lead}: {}", self.text));
        problem.object = Some(object.clone());
        problem.hints.clone_from(&self.hints);
        problem.evidence.clone_from(&self.evidence);
        problem
    }

    pub(super) fn verdict(&self, problem: Problem) -> Verdict {
        match self.weight {
            Weight::Wait => Verdict::Waiting { problem: Some(problem) },
            Weight::Grace(grace) => Verdict::Suspect { problem, grace },
            Weight::Now => Verdict::Failed { problem },
        }
    }
}
