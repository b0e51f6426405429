//! Decisions, without a clock or a network: where a release goes, whether it may, what it changes, which colour serves.

mod admit;
mod changes;
mod destroy;
mod diff;
mod environment;
mod error;
mod history;
mod owner;
mod preview;
mod prune;
mod queue;
mod replicas;
mod rights;
mod saved;
mod slug;
mod switch;
mod tag;
mod target;
mod values;

pub(crate) use admit::{admit, ancestry, order};
pub(crate) use changes::change;
pub(crate) use destroy::{Destruction, destroyable, destruction};
pub(crate) use error::PlanError;
pub(crate) use history::{
    brought_by_given, choose, counterpart, held_by, may_go_back, of_the_other_color, own, proven_last, surplus,
    to_put_back,
};
pub(crate) use preview::{is_expired, marks, may_enter, preview};
pub(crate) use prune::{PruneRules, is_recorded, protection, prune, where_to_look};
pub(crate) use queue::{is_newer, of_one_branch};
pub(crate) use replicas::{Autoscaler, Replicas, has_count, kept_by_hand, replicas};
pub(crate) use rights::{rights, rights_to_delete};
pub(crate) use saved::{Content, Planned, PlannedObject, decode, differences, encode, keyed, moved_on, state, uids};
pub(crate) use switch::{Decision, Readiness, Wish, newest as newest_color, switch};
pub(crate) use target::{environment_names, environments, notes, target};
pub(crate) use values::values;

/// The environment that is guarded even where no file says so.
const PRODUCTION: &str = "production";
const QA: &str = "qa";
