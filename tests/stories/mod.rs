//! Whole runs of the real binary against real components (`script/cluster up`).

mod adoption;
mod blue_green;
mod build;
mod configuration;
mod connection;
mod deploy;
mod environments;
mod failures;
mod faults;
mod history;
mod hooks;
mod interrupted;
mod kills;
mod load;
mod lock;
mod outage;
mod page;
mod plan;
mod prune;
mod reading;
mod refusals;
mod registry;
mod release;
mod replicas;
mod secrets;
mod status;
