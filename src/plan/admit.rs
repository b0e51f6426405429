//! Never backwards by accident.

use crate::model::{Ancestry, Commit, Note, Record, RecordState, Target};

use super::{PRODUCTION, PlanError};

/// Refuses a commit that is proven to be an ancestor of what is deployed: of the same branch in a shared environment, of
/// any branch in production. `latest` is the newest successful record, and `ancestry` how the target's commit stands to
/// that record's.
///
/// # Errors
/// [`PlanError::Backwards`], unless `allow_older`.
pub(crate) fn admit(
    target: &Target,
    latest: Option<&Record>,
    ancestry: Ancestry,
    allow_older: bool,
) -> Result<Vec<Note>, PlanError> {
    let Some(latest) = latest.filter(|latest| latest.state == RecordState::Succeeded) else {
        return Ok(Vec::new());
    };
    let (Some(deployed), Some(ours)) = (&latest.commit, &target.commit) else {
        return Ok(Vec::new());
    };
    let same_branch = latest.branch.as_deref() == target.branch.as_ref().map(|branch| branch.value.as_str());
    let guarded = target.confirm || target.environment.value == PRODUCTION || same_branch;
    let said = order(&deployed.sha, ancestry);
    match ancestry {
        Ancestry::Precedes if guarded && !allow_older => Err(PlanError::Backwards {
            ours: ours.short().to_owned(),
            deployed: deployed.short().to_owned(),
            environment: target.environment.value.clone(),
        }),
        Ancestry::Precedes => Ok(vec![Note::attention("plan", said)]),
        Ancestry::Unknown => {
            Ok(vec![Note::attention("plan", format!("{said}: this clone does not hold the commits between them"))])
        }
        Ancestry::Diverged if guarded => Ok(vec![Note::attention("plan", said)]),
        Ancestry::Same | Ancestry::Follows(_) | Ancestry::Diverged => Ok(Vec::new()),
    }
}

/// How our commit stands to what is deployed. Where this clone cannot tell, because it was made before that commit was
/// there, the record of the deploy can: ours is among those that it followed.
pub(crate) fn ancestry(latest: &Record, ours: &Commit, by_git: Ancestry) -> Ancestry {
    let is_known = latest.ancestors.iter().any(|hash| hash.len() >= 16 && ours.sha.starts_with(hash.as_str()));
    if by_git == Ancestry::Unknown && is_known { Ancestry::Precedes } else { by_git }
}

/// `follows 1a2b3c4d by 2 commits`
pub(crate) fn order(deployed: &str, ancestry: Ancestry) -> String {
    let deployed = deployed.get(..8).unwrap_or(deployed);
    match ancestry {
        Ancestry::Same => format!("{deployed} is deployed already"),
        Ancestry::Follows(1) => format!("follows {deployed} by 1 commit"),
        Ancestry::Follows(count) => format!("follows {deployed} by {count} commits"),
        Ancestry::Precedes => format!("is older than {deployed}, which is deployed"),
        Ancestry::Diverged => format!("has parted from {deployed}, which is deployed"),
        Ancestry::Unknown => format!("how it stands to {deployed}, which is deployed, is not known"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Exit, Explain as _, Origin, Sourced};

    fn commit(digit: &str) -> Commit {
        Commit { sha: digit.repeat(40), subject: String::new(), author: String::new(), time: 0 }
    }

    fn sourced(text: &str) -> Sourced<String> {
        Sourced::new(text.to_owned(), Origin::Default)
    }

    fn target(environment: &str, branch: &str) -> Target {
        Target {
            branch: Some(sourced(branch)),
            commit: Some(commit("b")),
            confirm: environment == PRODUCTION,
            ..Target::sample(environment)
        }
    }

    fn record(branch: &str, state: RecordState) -> Record {
        Record { commit: Some(commit("a")), branch: Some(branch.into()), ..Record::sample(1, state) }
    }

    #[test]
    fn the_record_knows_what_this_clone_does_not() {
        let ours = commit("b");
        let known = |ancestors: &[&str]| Record {
            ancestors: ancestors.iter().map(|&hash| hash.to_owned()).collect(),
            ..record("cart", RecordState::Succeeded)
        };
        for (ancestors, by_git, expected) in [
            (&["cccccccccccccccc", "bbbbbbbbbbbbbbbb"][..], Ancestry::Unknown, Ancestry::Precedes),
            (&["cccccccccccccccc"], Ancestry::Unknown, Ancestry::Unknown),
            (&["", "bbbb"], Ancestry::Unknown, Ancestry::Unknown),
            (&["bbbbbbbbbbbbbbbb"], Ancestry::Diverged, Ancestry::Diverged),
        ] {
            assert_eq!(ancestry(&known(ancestors), &ours, by_git), expected, "{ancestors:?} {by_git:?}");
        }
    }

    #[test]
    fn only_a_proven_ancestor_is_refused() {
        use RecordState::{Failed, Succeeded};
        for (environment, branch, ancestry, state, allow_older, refused) in [
            ("production", "other", Ancestry::Precedes, Succeeded, false, true),
            ("production", "other", Ancestry::Precedes, Succeeded, true, false),
            ("production", "other", Ancestry::Precedes, Failed, false, false),
            ("qa", "cart", Ancestry::Precedes, Succeeded, false, true),
            ("qa", "other", Ancestry::Precedes, Succeeded, false, false),
            ("production", "cart", Ancestry::Unknown, Succeeded, false, false),
            ("production", "cart", Ancestry::Diverged, Succeeded, false, false),
            ("production", "cart", Ancestry::Follows(2), Succeeded, false, false),
        ] {
            let answer = admit(&target(environment, "cart"), Some(&record(branch, state)), ancestry, allow_older);
            assert_eq!(answer.is_err(), refused, "{environment} {branch} {ancestry:?}");
            if let Err(error) = answer {
                assert_eq!(error.exit(), Exit::Superseded);
            }
        }
        assert_eq!(admit(&target("qa", "x"), None, Ancestry::Unknown, false), Ok(Vec::new()));
        let unknown = admit(&target("qa", "x"), Some(&record("x", Succeeded)), Ancestry::Unknown, false).unwrap();
        assert!(unknown[0].attention);
    }
}
