//! How a run ended.

use serde::Serialize;

use super::{Change, DeployHistory, Digest, Environments, Exit, Image, ObjectId, Plan, Problem, Reference, Status};

/// The last word of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    pub exit: Exit,
    pub app: Option<String>,
    pub environment: Option<String>,
    pub namespace: Option<String>,
    /// The full hash.
    pub commit: Option<String>,
    pub tag: Option<String>,
    pub images: Vec<PodsOnImage>,
    pub objects: Vec<ObjectOutcome>,
    pub problems: Vec<Problem>,
    /// What is true now, in one sentence, also after a failure: what serves.
    pub truth: Option<String>,
    /// True where the run gave way to a newer one of its branch.
    pub superseded: bool,
    /// What the verb was asked for, on stdout.
    pub answer: Answer,
    pub seconds: f64,
}

impl Outcome {
    pub fn new(exit: Exit) -> Self {
        Self {
            exit,
            app: None,
            environment: None,
            namespace: None,
            commit: None,
            tag: None,
            images: Vec::new(),
            objects: Vec::new(),
            problems: Vec::new(),
            truth: None,
            superseded: false,
            answer: Answer::Nothing,
            seconds: 0.0,
        }
    }

    /// A run that ended with one problem before it did anything.
    pub fn failed(problem: Problem) -> Self {
        Self { problems: vec![problem.clone()], ..Self::new(problem.exit) }
    }
}

/// How many pods are proven to run an image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PodsOnImage {
    pub name: String,
    pub tag: String,
    pub digest: Option<Digest>,
    pub pods: usize,
}

impl PodsOnImage {
    /// The image, while no pod is proven to run it.
    pub fn none(image: &Image) -> Self {
        Self {
            name: image.reference.repository.to_string(),
            tag: image.reference.tag.clone().unwrap_or_default(),
            digest: image.reference.digest.clone(),
            pods: 0,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ObjectOutcome {
    #[serde(flatten)]
    pub id: ObjectId,
    pub change: Change,
    /// waiting, ready, assumed, failed, gone
    pub verdict: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<Problem>,
    /// The cluster it is in, where there are several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context: Option<String>,
}

/// The data a verb answers with; the reports know how to write it.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Answer {
    #[default]
    Nothing,
    /// Written as it is: manifests, schema, completions.
    Text(String),
    /// A JSON value: `config --output json`. `rows` are its form for people: name, value, origin.
    Data {
        json: serde_json::Value,
        rows: Vec<[String; 3]>,
    },
    Pushed(Vec<Image>),
    Built(Vec<Reference>),
    Plan(Box<Plan>),
    /// One for each cluster of an environment.
    Plans(Vec<Plan>),
    Status(Box<Status>),
    Environments(Box<Environments>),
    History(Box<DeployHistory>),
    /// One for each cluster of an environment that gave it.
    Histories(Vec<DeployHistory>),
}
