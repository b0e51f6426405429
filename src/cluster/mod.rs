//! The API server: connect, survey, rehearse, apply, watch, logs, lease, records, traffic.
//!
//! `connect` and `kubeconfig` make the client; every request goes through `request`, which bounds, repeats and explains
//! it. Objects are JSON values throughout: typed structs would drop what they do not know.

mod answer;
mod apply;
mod concurrency;
mod connect;
mod copies;
mod credential;
mod definition;
mod discovery;
mod error;
mod fence;
mod fields;
mod inventory;
mod kubeconfig;
mod lease;
mod listing;
mod logs;
mod namespace;
mod objects;
mod open;
mod owners;
mod patience;
mod proof;
mod proxy;
mod queue;
mod record;
mod refusal;
mod renewal;
mod replicas;
mod request;
mod rights;
mod schema;
mod survey;
mod traffic;
mod unlock;
mod watch;
#[cfg(test)]
mod wire;

pub(crate) use apply::Rehearsed;
pub(crate) use connect::Cluster;
pub(crate) use copies::{is_copy, is_same_secret};
pub(crate) use discovery::Served;
pub(crate) use error::ClusterError;
pub(crate) use lease::{LeaseRequest, SeenLease};
pub(crate) use namespace::{made_for, read_namespace};
pub(crate) use objects::Packed;
pub(crate) use proof::{applied, owns_all};
pub(crate) use record::{History, read_record, records_of, without_records};
pub(crate) use renewal::Lease;
pub(crate) use rights::Rules;
pub(crate) use survey::{Survey, Surveyed};
pub(crate) use traffic::traffic_of;
pub(crate) use unlock::{Holder, lock_of};
