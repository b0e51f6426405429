//! What watches see becomes verdicts: a reducer without clock or network.

mod conclusion;
mod event_time;
mod reducer;
mod saved;
mod selections;
mod track;
mod traffic;
mod view;

pub(crate) use conclusion::{Conclusion, Proof};
pub(crate) use reducer::{Effect, Input, Rollout};
pub(crate) use saved::judge_saved;
pub(crate) use traffic::{Endpoints, TrafficReady, endpoints, traffic_ready};
