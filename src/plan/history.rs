//! Which records are kept, and which release a rollback goes back to.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::PlanError;
use crate::model::{BlueGreen, ObjectId, Record, RecordState};

/// The release that is gone back to: the revision that is wanted, else what stands before the current one. `records` are
/// the oldest first.
///
/// # Errors
/// There is none, or it was never proven.
pub(crate) fn choose(records: &[Record], wanted: Option<u64>) -> Result<&Record, PlanError> {
    let Some(revision) = wanted else {
        return before(&records.iter().collect::<Vec<_>>()).ok_or(PlanError::NoWayBack);
    };
    let found = records.iter().find(|record| record.revision == revision);
    found.filter(|record| record.state == RecordState::Succeeded).ok_or_else(|| PlanError::NoRelease {
        revision,
        state: found.map(|record| record.state),
        known: proven(records),
    })
}

/// What another cluster has of the release that was chosen in the first one: their numbers need not agree, where a run
/// failed in one of them. Of several with its commit, tag and images that with most of its objects, and then the newest.
///
/// # Errors
/// It was never proven there.
pub(crate) fn counterpart<'r>(records: &'r [Record], chosen: &Record) -> Result<&'r Record, PlanError> {
    let sha = |record: &Record| record.commit.as_ref().map(|commit| commit.sha.clone());
    let is_alike = |record: &&Record| {
        record.state == RecordState::Succeeded
            && (sha(record), &record.tag, &record.images) == (sha(chosen), &chosen.tag, &chosen.images)
    };
    let common = |record: &&Record| {
        let theirs: BTreeSet<_> = record.applied.iter().map(|applied| (&applied.id, &applied.hash)).collect();
        let shared = chosen.applied.iter().filter(|applied| theirs.contains(&(&applied.id, &applied.hash))).count();
        (shared, record.revision)
    };
    let found = records.iter().filter(is_alike).max_by_key(common);
    found.ok_or_else(|| PlanError::NoCounterpart { tag: chosen.tag.clone(), known: proven(records) })
}

/// `7 (master-9c1f0d2e)`, the newest first.
fn proven(records: &[Record]) -> Vec<String> {
    let proven = records.iter().rev().filter(|record| record.state == RecordState::Succeeded);
    proven.map(|record| format!("{} ({})", record.revision, record.tag)).collect()
}

/// Whether a release can be gone back to in an app of two colours: not where the idle colour holds it as it was, for
/// then a switch is all it takes.
///
/// # Errors
/// A switch is the remedy, or the release has a colour that the app does not have.
pub(crate) fn may_go_back(
    source: &Record,
    records: &[Record],
    blue_green: Option<&BlueGreen>,
    live: Option<&str>,
) -> Result<(), PlanError> {
    let Some(color) = &source.color else { return Ok(()) };
    let known = blue_green.map(|blue_green| blue_green.colors.as_slice()).unwrap_or_default();
    if !known.contains(color) {
        return Err(PlanError::UnknownColor { color: color.clone(), known: known.join(", ") });
    }
    let newest = records.iter().rev().find(|record| record.color.as_ref() == Some(color));
    let holds = newest.is_some_and(|newest| newest.state == RecordState::Succeeded && !differs(newest, source));
    if holds && live.is_some_and(|live| live != color) {
        return Err(PlanError::OnlyTraffic { color: color.clone(), revision: source.revision });
    }
    Ok(())
}

/// True where a release left something in the cluster that another one does not have.
fn has_more(failed: &Record, good: &Record) -> bool {
    let lasting = failed.applied.iter().filter(|applied| applied.id.kind != "Job");
    let is_of = |record: &Record, id: &ObjectId, hash: &str| {
        record.applied.iter().any(|applied| applied.id == *id && applied.hash == hash)
    };
    { lasting }.any(|applied| !is_of(good, &applied.id, &applied.hash))
}

/// What stands before the current release: after a failure the newest that succeeded, else the newest earlier success
/// with other objects. `records` are the oldest first.
fn before<'r>(records: &[&'r Record]) -> Option<&'r Record> {
    let (newest, earlier) = records.split_last()?;
    let mut good = good_before(earlier.iter().rev().copied(), newest);
    match newest.state {
        RecordState::Succeeded => good.find(|record| differs(record, newest)),
        RecordState::Failed | RecordState::Running | RecordState::Superseded => good.next(),
    }
}

/// The releases that succeeded, of the sort of `newest`: what another renderer handed over may be a part of the app, and
/// would not bring the rest of it back.
fn good_before<'r>(
    newest_first: impl Iterator<Item = &'r Record>,
    newest: &Record,
) -> impl Iterator<Item = &'r Record> {
    let given = newest.given;
    newest_first.filter(move |record| record.state == RecordState::Succeeded && record.given == given)
}

/// The last release that succeeded before one that failed, where that left something in the cluster that the good one
/// does not have. `records` are the oldest first.
pub(crate) fn to_put_back<'r>(records: &'r [Record], failed: &Record) -> Option<&'r Record> {
    good_before(records.iter().rev(), failed).next().filter(|good| has_more(failed, good))
}

/// The objects whose last deploy succeeded. A run that did not may have written more than it recorded: of those before it
/// none is left. `records` are the oldest first.
pub(crate) fn proven_last(records: &[Record]) -> HashSet<&ObjectId> {
    let proven = records.iter().rev().take_while(|record| record.state == RecordState::Succeeded);
    proven.flat_map(|record| &record.applied).map(|applied| &applied.id).collect()
}

/// True for each object that `-f` brought last, false where the app's own manifests did. `records` are the oldest first.
pub(crate) fn brought_by_given(records: &[Record]) -> HashMap<&ObjectId, bool> {
    // of two records the later one counts
    records.iter().flat_map(|record| record.applied.iter().map(|applied| (&applied.id, record.given))).collect()
}

/// What the app's own manifests brought.
pub(crate) fn own(records: &[Record]) -> BTreeSet<ObjectId> {
    let own = records.iter().filter(|record| !record.given);
    own.flat_map(|record| &record.applied).map(|applied| applied.id.clone()).collect()
}

/// What the cluster has of the other colour than that of `source`, each with its colour, as its own source wrote it.
/// `records` are the oldest first.
pub(crate) fn of_the_other_color<'r>(records: &'r [Record], source: &Record) -> BTreeMap<&'r ObjectId, &'r str> {
    let Some(ours) = &source.color else { return BTreeMap::new() };
    let colors: BTreeSet<&str> = records.iter().filter_map(|record| record.color.as_deref()).collect();
    let theirs = colors.into_iter().filter(|color| color != ours);
    let applied = |color| since_success(records, color, source.given).flat_map(|record| &record.applied);
    theirs.flat_map(|color| applied(color).map(move |applied| (&applied.id, color))).collect()
}

/// The records of a colour that the cluster may have something of, by each source for itself: what one of them handed over
/// may be a part of the app. `records` are the oldest first.
pub(crate) fn held_by<'r>(records: &'r [Record], color: &str) -> impl Iterator<Item = &'r Record> {
    [false, true].into_iter().flat_map(move |given| since_success(records, color, given))
}

/// The last success of a colour from one source, and what came after it: a later run may have ended before it wrote anything.
fn since_success<'r>(records: &'r [Record], color: &str, given: bool) -> impl Iterator<Item = &'r Record> + use<'r> {
    let is_of = |record: &&Record| record.given == given && record.color.as_deref() == Some(color);
    let mut theirs: Vec<&Record> = records.iter().filter(is_of).collect();
    let proven = theirs.iter().rposition(|record| record.state == RecordState::Succeeded).unwrap_or(0);
    theirs.split_off(proven).into_iter()
}

/// True where two releases do not have the same objects. Jobs do not count: each release has its own.
fn differs(one: &Record, other: &Record) -> bool {
    let set = |record: &Record| -> BTreeSet<(ObjectId, String)> {
        let lasting = record.applied.iter().filter(|applied| applied.id.kind != "Job");
        lasting.map(|applied| (applied.id.clone(), applied.hash.clone())).collect()
    };
    set(one) != set(other)
}

/// The records beyond the newest `kept`, but neither the last that succeeded, of each colour and from each renderer, nor
/// what a rollback would go back to, now or after the next success. `records` are the oldest first.
pub(crate) fn surplus<'r>(records: &[&'r Record], kept: usize) -> Vec<&'r Record> {
    let mut sorts = BTreeSet::new();
    let succeeded = records.iter().rev().filter(|record| record.state == RecordState::Succeeded);
    let last = succeeded.clone().filter(|record| sorts.insert((&record.color, record.given))).copied();
    let proven = records.iter().rposition(|record| record.state == RecordState::Succeeded);
    let behind = proven.and_then(|proven| before(&records[..=proven]));
    let precious: BTreeSet<u64> = last.chain(behind).chain(before(records)).map(|record| record.revision).collect();
    let beyond = records.iter().take(records.len().saturating_sub(kept));
    beyond.filter(|record| !precious.contains(&record.revision)).copied().collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::model::{Applied, Exit, Explain as _, Resource};
    use RecordState::{Failed, Running, Succeeded};

    /// Records from 1 on, each with the content of its Deployment, and with a Job of its own.
    fn records(rows: &[(RecordState, &str)]) -> Vec<Record> {
        let applied = |kind: &str, name: String, hash: &str| Applied {
            id: ObjectId { group: String::new(), kind: kind.into(), namespace: None, name },
            resource: Resource {
                group: String::new(),
                version: "v1".into(),
                kind: kind.into(),
                plural: String::new(),
                namespaced: true,
            },
            uid: String::new(),
            generation: 0,
            resource_version: String::new(),
            hash: hash.into(),
            ours: None,
            template: None,
            at: None,
        };
        let record = |(number, (state, content)): (usize, &(RecordState, &str))| {
            let revision = number as u64 + 1;
            let job = applied("Job", format!("migrate-{revision}"), "");
            Record {
                applied: vec![applied("Deployment", "web".into(), content).into(), job.into()],
                ..Record::sample(revision, *state)
            }
        };
        rows.iter().enumerate().map(record).collect()
    }

    #[test]
    fn what_was_proven_last() {
        let web = |rows: &[(RecordState, &str)]| {
            proven_last(&records(rows)).iter().any(|id| (id.kind.as_str(), id.name.as_str()) == ("Deployment", "web"))
        };
        assert!(web(&[(Failed, "a"), (Succeeded, "a")]));
        assert!(!web(&[]));
        for state in [Failed, Running, RecordState::Superseded] {
            assert!(!web(&[(Succeeded, "a"), (state, "a")]), "{state:?}");
        }
        // what stands in no record of it says nothing
        let mut records = records(&[(Succeeded, "a"), (Succeeded, "b"), (Failed, "b"), (Succeeded, "c")]);
        records[3].applied.remove(0);
        assert!(!proven_last(&records).iter().any(|id| id.kind == "Deployment"));
        records.remove(2);
        assert!(proven_last(&records).iter().any(|id| id.kind == "Deployment"));
    }

    #[test]
    fn the_same_release_in_another_cluster() {
        let tagged = |rows: &[(RecordState, &str)], tags: &[&str]| -> Vec<Record> {
            let found = records(rows).into_iter().zip(tags);
            found.map(|(record, tag)| Record { tag: (*tag).into(), ..record }).collect()
        };
        let first = tagged(&[(Succeeded, "a"), (Succeeded, "b"), (Failed, "c")], &["t1", "t2", "t3"]);
        let found = |records: &[Record], chosen: &Record| counterpart(records, chosen).map(|record| record.revision);
        // the second cluster never got the release that failed in the first, and has others
        let second = tagged(
            &[(Failed, "a"), (Succeeded, "a"), (Succeeded, "b"), (Succeeded, "x"), (Succeeded, "b")],
            &["t1", "t1", "t2", "t2", "t2"],
        );
        assert_eq!(found(&second, &first[0]), Ok(2));
        assert_eq!(found(&second, &first[1]), Ok(5));
        assert_eq!(found(&second[..4], &first[1]), Ok(3));
        let unknown = found(&second[..2], &first[1]).unwrap_err();
        assert_eq!((unknown.code(), unknown.exit()), ("revision-unknown", Exit::Input));
        assert_eq!(unknown.to_string(), "t2 was never proven here");
        assert!(unknown.hints()[0].contains("2 (t1)"), "{:?}", unknown.hints());
    }

    #[test]
    fn what_stands_before_the_current_release() {
        for (rows, expected) in [
            (&[][..], None),
            (&[(Succeeded, "a")], None),
            (&[(Succeeded, "a"), (Succeeded, "b")], Some(1)),
            // the same again is no way back
            (&[(Succeeded, "a"), (Succeeded, "b"), (Succeeded, "b")], Some(1)),
            (&[(Succeeded, "a"), (Succeeded, "a")], None),
            (&[(Succeeded, "a"), (Failed, "b")], Some(1)),
            (&[(Succeeded, "a"), (Running, "b")], Some(1)),
            (&[(Succeeded, "a"), (Succeeded, "b"), (Failed, "c"), (Failed, "c")], Some(2)),
            // a failure is never gone back to
            (&[(Succeeded, "a"), (Failed, "b"), (Succeeded, "c")], Some(1)),
            (&[(Failed, "a"), (Succeeded, "b")], None),
            (&[(Failed, "a"), (Running, "b")], None),
            // a rollback is a release like any other
            (&[(Succeeded, "a"), (Succeeded, "b"), (Succeeded, "a")], Some(2)),
        ] {
            let records = records(rows);
            let found = before(&records.iter().collect::<Vec<_>>()).map(|record| record.revision);
            assert_eq!(found, expected, "{rows:?}");
        }
    }

    #[test]
    fn what_another_renderer_handed_over_is_of_another_sort() {
        let mut records = records(&[(Succeeded, "a"), (Succeeded, "b"), (Succeeded, "c"), (Failed, "d")]);
        records[1].given = true;
        records[2].given = true;
        let before = |records: &[Record]| choose(records, None).map(|record| record.revision);
        assert_eq!(before(&records), Ok(1));
        assert_eq!(before(&records[..3]), Ok(2));
        assert_eq!(before(&records[..2]), Err(PlanError::NoWayBack));
        assert_eq!(to_put_back(&records[..3], &records[3]).map(|record| record.revision), Some(1));
        records[3].given = true;
        assert_eq!(to_put_back(&records[..3], &records[3]).map(|record| record.revision), Some(3));
    }

    /// Records from 1 on, each with its colour, the name of its only object, and true where that was handed over.
    fn colored(rows: &[(RecordState, &str, &str, bool)]) -> Vec<Record> {
        let states: Vec<(RecordState, &str)> = rows.iter().map(|row| (row.0, "a")).collect();
        let mut records = records(&states);
        for (record, (_, color, name, given)) in records.iter_mut().zip(rows) {
            (record.color, record.given) = (Some((*color).to_owned()), *given);
            record.applied.truncate(1);
            Arc::make_mut(&mut record.applied[0]).id.name = (*name).to_owned();
        }
        records
    }

    #[test]
    fn what_a_failed_run_has_not_written_is_still_of_its_colour() {
        let found = |rows: &[(RecordState, &str, &str, bool)], color: Option<&str>| {
            let records = colored(rows);
            let source = Record { color: color.map(str::to_owned), ..Record::sample(9, Succeeded) };
            let theirs = of_the_other_color(&records, &source);
            theirs.into_iter().map(|(id, color)| format!("{color} {}", id.name)).collect::<Vec<_>>()
        };
        let rows = [
            (Succeeded, "blue", "older", false),
            (Succeeded, "blue", "pods", false),
            (Succeeded, "green", "ours", false),
            (Failed, "blue", "flags", false),
            // a part of the app, from another renderer
            (Succeeded, "blue", "part", true),
            (Running, "blue", "more", false),
        ];
        assert_eq!(found(&rows, Some("green")), ["blue flags", "blue more", "blue pods"]);
        assert_eq!(found(&rows, Some("blue")), ["green ours"]);
        assert_eq!(found(&rows[3..4], Some("green")), ["blue flags"]);
        assert!(found(&rows, None).is_empty() && found(&rows[..2], Some("blue")).is_empty());
    }

    #[test]
    fn a_colour_holds_what_each_source_wrote_since_its_last_success() {
        let found = |rows: &[(RecordState, &str, &str, bool)], color: &str| {
            let records = colored(rows);
            let applied = held_by(&records, color).flat_map(|record| record.applied.clone());
            applied.map(|applied| applied.id.name.clone()).collect::<Vec<_>>()
        };
        let rows = [
            (Succeeded, "blue", "older", false),
            (Succeeded, "green", "first", false),
            (Succeeded, "blue", "all", false),
            // a part of the same commit, from a file
            (Succeeded, "blue", "part", true),
            // ready later, and switched to by name
            (Failed, "green", "worker", false),
            (Running, "blue", "more", true),
        ];
        assert_eq!(found(&rows, "blue"), ["all", "part", "more"]);
        assert_eq!(found(&rows, "green"), ["first", "worker"]);
        assert_eq!(found(&rows[4..], "green"), ["worker"]);
        assert!(found(&rows[..1], "green").is_empty());
    }

    #[test]
    fn an_object_is_the_ones_that_brought_it_last() {
        let mut records = records(&[(Succeeded, "a"), (Failed, "b"), (Succeeded, "c")]);
        let web = records[0].applied[0].id.clone();
        let first_job = records[0].applied[1].id.clone();
        assert_eq!(brought_by_given(&[]).get(&web), None);
        assert_eq!(brought_by_given(&records).get(&web), Some(&false));
        records[2].given = true;
        assert_eq!(brought_by_given(&records).get(&web), Some(&true));
        assert_eq!(brought_by_given(&records).get(&first_job), Some(&false));
        assert!(own(&records).contains(&web) && !own(&records[2..]).contains(&web));
    }

    #[test]
    fn a_revision_by_its_number() {
        let records = records(&[(Succeeded, "a"), (Failed, "b"), (Succeeded, "c"), (Running, "d")]);
        assert_eq!(choose(&records, Some(1)).map(|record| record.revision), Ok(1));
        assert_eq!(choose(&records, None).map(|record| record.revision), Ok(3));
        for (wanted, text) in [
            (2, "revision 2 failed, and was never proven"),
            (4, "revision 4 was never proven: its run has not ended"),
            (9, "there is no revision 9 to go back to"),
        ] {
            let error = choose(&records, Some(wanted)).unwrap_err();
            assert_eq!((error.to_string().as_str(), error.exit()), (text, Exit::Input));
            assert_eq!(error.hints(), ["there are 3 (feature_a-0c2a77d1), 1 (feature_a-0c2a77d1)"]);
        }
        assert_eq!(choose(&records[..1], None), Err(PlanError::NoWayBack));
    }

    #[test]
    fn where_the_idle_colour_holds_it_a_switch_is_the_remedy() {
        let of = |number: usize, color: &str, state, content| {
            let record = records(&[(state, content)]).remove(0);
            Record { revision: number as u64, color: Some(color.into()), ..record }
        };
        let blue_green =
            BlueGreen { service: "web".into(), label: "color".into(), colors: ["blue".into(), "green".into()] };
        let records = [of(1, "blue", Succeeded, "a"), of(2, "green", Succeeded, "b"), of(3, "green", Failed, "c")];
        let asked = |records: &[Record], live| may_go_back(&records[0], records, Some(&blue_green), Some(live));
        assert_eq!(asked(&records, "blue"), Ok(()));
        assert!(matches!(asked(&records, "green"), Err(PlanError::OnlyTraffic { revision: 1, .. })));
        // the idle colour was deployed over since
        assert_eq!(asked(&records[1..], "blue"), Ok(()));
        assert!(matches!(asked(&records[1..2], "blue"), Err(PlanError::OnlyTraffic { .. })));
        assert!(matches!(may_go_back(&records[0], &records, None, None), Err(PlanError::UnknownColor { .. })));
    }

    #[test]
    fn what_a_failed_release_left() {
        let of = |content| records(&[(Succeeded, content)]).remove(0);
        assert!(has_more(&of("b"), &of("a")));
        assert!(!has_more(&of("a"), &of("a")));
        // nothing but its Job
        let mut job = of("b");
        job.applied.remove(0);
        assert!(!has_more(&job, &of("a")));
    }

    #[test]
    fn what_is_kept() {
        for (rows, kept, expected) in [
            (&[(Succeeded, "a"), (Succeeded, "b"), (Succeeded, "c")][..], 2, &[1][..]),
            (&[(Succeeded, "a"), (Succeeded, "b"), (Succeeded, "c")], 10, &[]),
            // the last success stays, whatever came after it
            (&[(Succeeded, "a"), (Failed, "b"), (Failed, "c"), (Failed, "d")], 1, &[2, 3]),
            // and the one before it, which is the way back once a rollback to the last has succeeded
            (&[(Succeeded, "a"), (Succeeded, "b"), (Failed, "c"), (Failed, "d"), (Failed, "e")], 1, &[3, 4]),
            // so does what a rollback would go back to
            (&[(Succeeded, "a"), (Succeeded, "b"), (Succeeded, "b"), (Succeeded, "b")], 1, &[2, 3]),
        ] {
            assert_eq!(beyond(&records(rows), kept), expected, "{rows:?} {kept}");
        }
    }

    fn beyond(records: &[Record], kept: usize) -> Vec<u64> {
        let found = surplus(&records.iter().collect::<Vec<_>>(), kept);
        found.into_iter().map(|record| record.revision).collect()
    }

    #[test]
    fn the_last_success_of_each_colour_and_renderer_is_kept() {
        let mut records = records(&[(Succeeded, "a"), (Succeeded, "b"), (Succeeded, "c"), (Failed, "d")]);
        assert_eq!(beyond(&records, 1), [1]);
        records[0].color = Some("blue".into());
        records[1].color = Some("green".into());
        records[2].color = Some("green".into());
        assert_eq!(beyond(&records, 1), [0; 0]);
        records[0].given = true;
        records[2].color = Some("blue".into());
        assert_eq!(beyond(&records, 1), [0; 0]);
    }
}
