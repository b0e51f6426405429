//! Which colour serves next.

use crate::model::{BlueGreen, Record, RecordState, Traffic};

use super::PlanError;

/// What was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    /// The colour of the newest proven release.
    Newest,
    /// The colour that does not serve now.
    Back,
    Color(String),
}

/// Pods of one colour that match the future selector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Readiness {
    pub ready: usize,
    /// As many as the workloads behind it want.
    pub wanted: usize,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Decision {
    Nothing {
        color: String,
        why: String,
    },
    /// `from` is what the selector says now: none where it has no such label.
    Move {
        from: Option<String>,
        to: String,
    },
    Refuse(PlanError),
}

/// Decides about a switch. `records` are newest first; `readiness` is asked about the colour that would serve.
///
/// A colour is only taken for the newest proven release if nothing was deployed over it since.
pub(crate) fn switch(
    traffic: &Traffic,
    blue_green: &BlueGreen,
    records: &[Record],
    wish: &Wish,
    readiness: impl Fn(&str) -> Readiness,
) -> Decision {
    let (to, why) = match wanted(traffic, blue_green, records, wish) {
        Ok(found) => found,
        Err(error) => return Decision::Refuse(error),
    };
    if traffic.color.as_deref() == Some(to.as_str()) {
        return Decision::Nothing { why: why.to_owned(), color: to };
    }
    if *wish == Wish::Newest
        && let Some(over) = deployed_over(records, &to)
    {
        return Decision::Refuse(PlanError::Overwritten { color: to, revision: over.revision });
    }
    let Readiness { ready, wanted } = readiness(&to);
    if ready == 0 || ready < wanted {
        return Decision::Refuse(PlanError::NotReady { color: to, ready, wanted });
    }
    Decision::Move { from: traffic.color.clone(), to }
}

fn wanted(
    traffic: &Traffic,
    blue_green: &BlueGreen,
    records: &[Record],
    wish: &Wish,
) -> Result<(String, &'static str), PlanError> {
    let known = |color: &&String| blue_green.colors.contains(color);
    match wish {
        Wish::Color(color) if known(&color) => Ok((color.clone(), "")),
        Wish::Color(color) => {
            Err(PlanError::UnknownColor { color: color.clone(), known: blue_green.colors.join(", ") })
        }
        Wish::Back => match traffic.color.as_ref().filter(known) {
            Some(live) => Ok((blue_green.other(Some(live)).to_owned(), "")),
            None => Err(PlanError::NothingServes { service: traffic.service.to_string() }),
        },
        Wish::Newest => newest(blue_green, records)
            .map(|color| (color.to_owned(), "with the newest proven release"))
            .ok_or(PlanError::NothingProven),
    }
}

/// The colour of the newest proven release. `records` are newest first.
pub(crate) fn newest<'r>(blue_green: &BlueGreen, records: &'r [Record]) -> Option<&'r str> {
    let proven = records.iter().filter(|record| record.state == RecordState::Succeeded);
    proven
        .filter_map(|record| record.color.as_ref())
        .find(|color| blue_green.colors.contains(color))
        .map(String::as_str)
}

/// A newer record of this colour than its newest proven one: it failed, or its run was killed.
fn deployed_over<'r>(records: &'r [Record], color: &str) -> Option<&'r Record> {
    records
        .iter()
        .find(|record| record.color.as_deref() == Some(color))
        .filter(|record| record.state != RecordState::Succeeded)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ObjectId;

    fn record(revision: u64, color: &str, state: RecordState) -> Record {
        Record { color: Some(color.into()), ..Record::sample(revision, state) }
    }

    fn decide(live: &str, records: &[Record], wish: Wish, ready: usize) -> Decision {
        let service =
            ObjectId { group: String::new(), kind: "Service".into(), namespace: None, name: "demo-bg".into() };
        let color = Some(live.to_owned()).filter(|live| !live.is_empty());
        let traffic = Traffic { service, selector: [].into_iter().collect(), resource_version: "1".into(), color };
        let blue_green =
            BlueGreen { service: "demo-bg".into(), label: "color".into(), colors: ["blue".into(), "green".into()] };
        switch(&traffic, &blue_green, records, &wish, |_| Readiness { ready, wanted: 3 })
    }

    fn moved(from: &str, to: &str) -> Decision {
        Decision::Move { from: Some(from.to_owned()).filter(|from| !from.is_empty()), to: to.to_owned() }
    }

    #[test]
    fn traffic_moves_to_the_newest_proven_release_once() {
        use RecordState::{Failed, Running, Succeeded};
        let records = [record(2, "green", Succeeded), record(1, "blue", Succeeded)];
        assert_eq!(decide("blue", &records, Wish::Newest, 3), moved("blue", "green"));
        assert!(matches!(decide("green", &records, Wish::Newest, 3), Decision::Nothing { .. }));
        assert_eq!(decide("green", &records, Wish::Back, 3), moved("green", "blue"));
        assert_eq!(decide("green", &records, Wish::Color("blue".into()), 3), moved("green", "blue"));
        // a placeholder, or nothing yet
        assert_eq!(decide("switch", &records, Wish::Newest, 3), moved("switch", "green"));
        assert_eq!(decide("", &records, Wish::Newest, 3), moved("", "green"));
        for state in [Failed, Running] {
            let failed = [record(3, "green", state), record(2, "green", Succeeded)];
            let refused = Decision::Refuse(PlanError::Overwritten { color: "green".into(), revision: 3 });
            assert_eq!(decide("blue", &failed, Wish::Newest, 3), refused);
        }
        // a failure on the idle colour does not undo what serves
        let failed = [record(3, "blue", Failed), record(2, "green", Succeeded)];
        assert!(matches!(decide("green", &failed, Wish::Newest, 3), Decision::Nothing { .. }));
    }

    #[test]
    fn what_is_not_ready_does_not_serve() {
        let records = [record(2, "green", RecordState::Succeeded)];
        let refused = |ready| Decision::Refuse(PlanError::NotReady { color: "green".into(), ready, wanted: 3 });
        assert_eq!(decide("blue", &records, Wish::Newest, 2), refused(2));
        assert_eq!(decide("blue", &records, Wish::Color("green".into()), 0), refused(0));
        assert_eq!(decide("blue", &[], Wish::Newest, 3), Decision::Refuse(PlanError::NothingProven));
        assert!(matches!(decide("", &records, Wish::Back, 3), Decision::Refuse(PlanError::NothingServes { .. })));
        let pink = decide("blue", &records, Wish::Color("pink".into()), 3);
        assert!(matches!(pink, Decision::Refuse(PlanError::UnknownColor { .. })));
    }
}
