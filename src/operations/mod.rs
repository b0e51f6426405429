//! The verbs: the only place where rooms meet.
//!
//! A file a verb; what several share stands beside them: `context` (what every verb is given), `outcome` (how a verb
//! ends), `checkout` (facts and settings), `application` (manifests and images), `prepare` (what is asked before the
//! first write), `delivery` (the one way to the cluster), `follow` (a rollout to its end).

mod addresses;
mod application;
mod apply;
pub(crate) mod build;
mod checkout;
mod clusters;
mod consent;
mod context;
mod definitions;
mod delivery;
pub(crate) mod deploy;
pub(crate) mod destroy;
mod elsewhere;
pub(crate) mod envs;
mod evidence;
mod failure;
mod faults;
mod follow;
pub(crate) mod history;
mod hook_logs;
mod hooks;
mod look;
mod namespace;
mod observe;
mod order;
mod ownership;
mod picture;
mod places;
pub(crate) mod plan;
mod planned;
mod prepare;
mod prune;
pub(crate) mod push;
mod record;
mod recorded;
mod rehearsal;
pub(crate) mod release;
pub(crate) mod render;
mod replicas;
mod rights;
pub(crate) mod rollback;
mod secret;
pub(crate) mod settings;
mod sight;
mod sites;
pub(crate) mod status;
mod status_watch;
pub(crate) mod switch;
pub(crate) mod unlock;

pub(crate) use context::Context;
