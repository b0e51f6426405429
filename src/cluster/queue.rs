//! Who holds a Lease and who waits for it, in its annotations.
//!
//! A run announces itself only where it has to wait. Whoever takes the lock clears the queue, and who still waits enters
//! it again: so runs that were killed leave nothing behind.

use serde_json::{Value, json};

use crate::model::Claim;

pub(super) const HOLDER: &str = "shipway.dev/holder";
pub(super) const WAITING: &str = "shipway.dev/waiting";
/// Annotations are bounded; who does not fit in waits all the same.
const LONGEST: usize = 50;

/// Who holds the Lease, or held it last.
pub(super) fn holder(lease: &Value) -> Option<Claim> {
    read(annotation(lease, HOLDER)?)
}

/// Those who wait, who came first first.
pub(super) fn waiting(lease: &Value) -> Vec<Claim> {
    let entries = annotation(lease, WAITING).and_then(|text| serde_json::from_str(text).ok());
    let entries: Vec<Value> = entries.unwrap_or_default();
    entries.into_iter().filter_map(|entry| read(&entry.to_string())).collect()
}

/// The queue as it stands there, to be kept by who renews.
pub(super) fn waiting_text(lease: &Value) -> Option<String> {
    annotation(lease, WAITING).map(str::to_owned)
}

/// Who says to be newer than this run.
pub(super) fn newer_than(lease: &Value, run: &str) -> Option<Claim> {
    waiting(lease).into_iter().chain(holder(lease)).find(|claim| claim.over.iter().any(|older| older == run))
}

/// The Lease with the entry of a run as it is now, or without; none where it stands so already, or has no place.
pub(super) fn changed(lease: &Value, run: &str, entry: Option<&Claim>) -> Option<Value> {
    let before = waiting(lease);
    let mut after = before.clone();
    match (after.iter().position(|claim| claim.run == run), entry) {
        (Some(position), Some(entry)) => after[position] = entry.clone(),
        (Some(position), None) => drop(after.remove(position)),
        (None, Some(entry)) if after.len() < LONGEST => after.push(entry.clone()),
        (None, _) => {}
    }
    if after == before {
        return None;
    }
    let mut changed = lease.clone();
    let metadata = changed.get_mut("metadata")?;
    metadata.as_object_mut()?.remove("managedFields");
    metadata["annotations"][WAITING] = json!(json!(after).to_string());
    Some(changed)
}

fn annotation<'l>(lease: &'l Value, name: &str) -> Option<&'l str> {
    lease["metadata"]["annotations"][name].as_str()
}

/// What others wrote is taken as it is meant, or not at all: a commit is handed to git.
fn read(text: &str) -> Option<Claim> {
    let is_hash = |text: &str| matches!(text.len(), 40 | 64) && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let claim: Claim = serde_json::from_str(text).ok()?;
    claim.head.as_ref().is_none_or(|head| is_hash(&head.commit)).then_some(claim)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Head;

    fn claim(run: &str, over: &[&str]) -> Claim {
        let head = Some(Head { branch: "cart".to_owned(), commit: "a".repeat(40) });
        Claim {
            run: run.to_owned(),
            by: "alice".to_owned(),
            head,
            over: over.iter().map(|&run| run.to_owned()).collect(),
        }
    }

    #[test]
    fn a_run_enters_changes_and_leaves() {
        let empty = json!({"metadata": {"name": "l", "managedFields": []}, "spec": {"renewTime": "t"}});
        let one = changed(&empty, "1", Some(&claim("1", &[]))).unwrap();
        assert_eq!(one["spec"], empty["spec"]);
        assert!(one["metadata"].get("managedFields").is_none());
        assert_eq!(changed(&one, "1", Some(&claim("1", &[]))), None);
        let two = changed(&one, "2", Some(&claim("2", &["1"]))).unwrap();
        assert_eq!(newer_than(&two, "1").map(|newer| newer.run).as_deref(), Some("2"));
        assert_eq!(newer_than(&two, "2"), None);
        let left = changed(&two, "1", None).unwrap();
        assert_eq!(waiting(&left), [claim("2", &["1"])]);
        assert_eq!(changed(&left, "1", None), None);
    }

    #[test]
    fn the_queue_is_bounded_and_nonsense_is_passed_over() {
        let full: Vec<Claim> = (0..LONGEST).map(|number| claim(&number.to_string(), &[])).collect();
        let lease = |text: String| json!({"metadata": {"annotations": {WAITING: text, HOLDER: "x"}}});
        assert_eq!(changed(&lease(json!(full).to_string()), "new", Some(&claim("new", &[]))), None);
        let mut odd = claim("2", &["1"]);
        odd.head = Some(Head { branch: "cart".to_owned(), commit: "--output=x".to_owned() });
        for text in ["!".to_owned(), "{}".to_owned(), json!([1, odd]).to_string()] {
            let lease = lease(text);
            assert!(waiting(&lease).is_empty() && holder(&lease).is_none() && newer_than(&lease, "1").is_none());
        }
    }
}
