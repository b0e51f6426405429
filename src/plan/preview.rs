//! Namespaces that are made for a branch or a user, and may go again.

use jiff::{SignedDuration, Timestamp};

use crate::{
    config::{PreviewSettings, Settings},
    model::{LiveNamespace, NamespaceMarks, Record, Target},
};

use super::{
    PlanError,
    target::{branch_or_tag, user},
};

/// What the configuration says about the target's namespace.
pub(crate) fn preview(settings: &Settings, target: &Target) -> PreviewSettings {
    let environment = settings.environment_named(&target.environment.value);
    environment.map(|environment| environment.preview.clone()).unwrap_or_default()
}

/// What is written on the target's namespace where shipway makes it, or has made it.
pub(crate) fn marks(settings: &Settings, target: &Target, now: Timestamp) -> NamespaceMarks {
    let environment = settings.environment_named(&target.environment.value);
    // a namespace that was named by hand is nobody's branch
    let template = environment.filter(|_| settings.namespace.is_none()).and_then(|found| found.namespace.as_ref());
    let named_after = |name: &str| template.is_some_and(|template| template.value.contains(name));
    let ttl = environment.and_then(|found| found.preview.ttl.as_ref());
    NamespaceMarks {
        app: Some(target.app.clone()),
        environment: Some(target.environment.value.clone()),
        created: true,
        branch: branch_or_tag(settings).filter(|_| named_after("{branch}")).map(str::to_owned),
        user: user(settings).filter(|_| named_after("{user}")).map(str::to_owned),
        expires: ttl.and_then(|ttl| expiry(now, ttl.value)),
    }
}

/// None where it is further away than time goes.
fn expiry(now: Timestamp, seconds: f64) -> Option<Timestamp> {
    now.checked_add(SignedDuration::try_from_secs_f64(seconds).ok()?).ok()
}

/// True once the time to live has passed; one without an expiry lives on.
pub(crate) fn is_expired(marks: &NamespaceMarks, now: Timestamp) -> bool {
    marks.expires.is_some_and(|expires| expires <= now)
}

/// Refuses a namespace that was made for another branch, user, environment or app: names of 63 characters may meet.
/// `latest` is the newest record of this app and environment in it.
///
/// # Errors
/// [`PlanError::OthersNamespace`] with both names.
pub(crate) fn may_enter(ours: &NamespaceMarks, live: &LiveNamespace, latest: Option<&Record>) -> Result<(), PlanError> {
    let refused = |what: &'static str, theirs: &str, ours: &str| {
        Err(PlanError::OthersNamespace {
            namespace: live.name.clone(),
            what,
            theirs: theirs.to_owned(),
            ours: ours.to_owned(),
        })
    };
    let rows = [
        ("app", &live.marks.app, &ours.app, live.marks.created),
        ("environment", &live.marks.environment, &ours.environment, live.marks.created),
        ("branch", &live.marks.branch, &ours.branch, true),
        ("user", &live.marks.user, &ours.user, true),
    ];
    for (what, theirs, ours, counts) in rows {
        if let (Some(theirs), Some(ours), true) = (theirs, ours, counts)
            && theirs != ours
        {
            return refused(what, theirs, ours);
        }
    }
    // one that shipway did not make bears no marks, but its records tell
    match (&ours.branch, latest.and_then(|record| record.branch.as_ref())) {
        (Some(ours), Some(theirs)) if live.marks.branch.is_none() && theirs != ours => refused("branch", theirs, ours),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::RecordState;

    fn marks(app: &str, environment: &str, branch: Option<&str>) -> NamespaceMarks {
        NamespaceMarks {
            app: Some(app.into()),
            environment: Some(environment.into()),
            created: true,
            branch: branch.map(str::to_owned),
            ..NamespaceMarks::default()
        }
    }

    fn live(marks: NamespaceMarks) -> LiveNamespace {
        LiveNamespace {
            name: "demo-cart".into(),
            uid: "u".into(),
            resource_version: "1".into(),
            leaving: false,
            marks,
            remains: Vec::new(),
            body: serde_json::Value::Null,
        }
    }

    fn record(branch: &str) -> Record {
        let record = serde_json::json!({
            "revision": 1, "app": "demo", "environment": "preview", "state": RecordState::Succeeded, "commit": null,
            "branch": branch, "tag": "t", "images": [], "color": null, "by": "alice",
            "at": Timestamp::UNIX_EPOCH, "applied": [],
        });
        serde_json::from_value(record).unwrap()
    }

    #[test]
    fn a_namespace_refuses_all_but_its_own() {
        let ours = marks("demo", "preview", Some("feature/a-b"));
        let foreign = NamespaceMarks { created: false, branch: None, ..marks("other", "x", None) };
        let rows = [
            (marks("demo", "preview", Some("feature/a-b")), None, true),
            (marks("demo", "preview", Some("feature/a_b")), None, false),
            (marks("other", "preview", Some("feature/a-b")), None, false),
            (marks("demo", "qa", Some("feature/a-b")), None, false),
            (NamespaceMarks::default(), None, true),
            (NamespaceMarks::default(), Some("feature/a-b"), true),
            (NamespaceMarks::default(), Some("feature/a_b"), false),
            // labels on a namespace that shipway did not make are no claim
            (foreign, None, true),
        ];
        for (theirs, deployed, enters) in rows {
            let latest = deployed.map(record);
            let answer = may_enter(&ours, &live(theirs.clone()), latest.as_ref());
            assert_eq!(answer.is_ok(), enters, "{theirs:?} {deployed:?}");
        }
        // a namespace that is the same for all branches has none of its own
        let shared = marks("demo", "qa", None);
        assert!(may_enter(&shared, &live(NamespaceMarks::default()), Some(&record("other"))).is_ok());
    }

    #[test]
    fn a_preview_expires_after_its_time() {
        let deployed: Timestamp = "2026-11-20T12:00:00Z".parse().unwrap();
        let expires = expiry(deployed, 72.0 * 3600.0);
        assert_eq!(expires.unwrap().to_string(), "2026-11-23T12:00:00Z");
        let marks = NamespaceMarks { expires, ..NamespaceMarks::default() };
        for (now, expired) in [
            ("2026-11-20T12:00:00Z", false),
            ("2026-11-23T11:59:59Z", false),
            ("2026-11-23T12:00:00Z", true),
            ("2027-01-01T00:00:00Z", true),
        ] {
            assert_eq!(is_expired(&marks, now.parse().unwrap()), expired, "{now}");
        }
        assert!(!is_expired(&NamespaceMarks::default(), Timestamp::MAX));
        assert_eq!(expiry(deployed, f64::MAX), None);
    }
}
