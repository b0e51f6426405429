//! What crosses two walls: plain data, no clock, no input or output.

mod ask;
mod blue_green;
mod commit;
mod connection;
mod definition;
mod environments;
mod event;
mod group_kind;
mod history;
mod image;
mod image_path;
mod keyed;
mod lock;
mod manager;
mod manifests;
mod namespace;
mod nearest;
mod object;
mod outcome;
mod place;
mod problem;
mod release;
mod right;
mod rollout;
mod secret;
mod setting;
mod status;
mod status_rule;
mod stop;
mod text;

pub use ask::Ask;
pub use blue_green::BlueGreen;
pub use commit::{Ancestry, CiFacts, Commit, Facts, PullRequest, PullRequestRef};
pub use connection::{Connection, ConnectionOptions};
pub use definition::Definition;
pub use environments::{EnvironmentEntry, Environments};
pub use event::{
    ApplyEvent, BuildEvent, Event, LayerState, Listener, LockEvent, Note, PushEvent, RolloutEvent, SourceEvent,
    Stamped, StatusEvent, StepState, SwitchEvent, Within,
};
pub use group_kind::GroupKind;
pub use history::{DeployHistory, PastDeploy};
pub use image::{Digest, Image, ImagePlatform, Platform, Reference, ReferenceError, Repository};
pub use image_path::{ImagePath, ImagePathError};
pub use keyed::hmac_sha256;
pub use lock::{Claim, Head};
pub use manager::{
    HANDOVER, MANAGER, is_of_a_manifest, is_our_apply, is_ours, is_person, managed_fields, our_template,
};
pub use manifests::{Allow, Layers};
pub use namespace::{LiveNamespace, NamespaceMarks};
pub use nearest::nearest;
pub use object::{FieldPath, HookRules, Object, ObjectId, PathStep, Rendered, Resource, Stage, shrink_to_fit};
pub use outcome::{Answer, ObjectOutcome, Outcome, PodsOnImage};
pub use place::{DocumentRef, Place, SourceText};
pub use problem::{Evidence, Exit, Explain, Problem, joined_causes};
pub use release::{
    Applied, Change, FieldChange, Hook, HookPhase, JobRun, KeptObjects, Live, ObjectChange, Plan, Record, RecordState,
    Release, Target, Traffic,
};
pub use right::{Right, in_short, roles};
pub use rollout::{LogSource, PodStep, Progress, Question, Reply, Rules, Seen, Selection, Slim, Verdict, Watched};
pub use secret::{BuildSecret, Login, Masked, MaskedBytes, Redactor};
pub use setting::{Origin, Sourced, Variables};
pub use status::{
    Address, EnvironmentStatus, Health, LockStatus, PodStatus, Status, StatusChange, TrafficStatus, WorkloadStatus,
};
pub use status_rule::{JsonPath, StatusCondition, StatusReading, StatusRule};
pub use stop::Stop;
pub use text::{cut_middle, hex, misleads, printable, short_age, short_duration};
