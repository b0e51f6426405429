//! Of two runs of one branch, which is the newer.

use crate::model::{Ancestry, Claim, Head};

/// True where the two are of one branch; only then is one of them newer.
pub(crate) fn of_one_branch(ours: &Head, theirs: &Claim) -> bool {
    theirs.head.as_ref().is_some_and(|theirs| theirs.branch == ours.branch)
}

/// True where we are the newer run of the branch: `ancestry` is how our commit stands to theirs. Where git cannot tell,
/// whoever came later is.
pub(crate) fn is_newer(ancestry: Ancestry, they_came_before: bool) -> bool {
    match ancestry {
        Ancestry::Follows(_) => true,
        Ancestry::Same | Ancestry::Precedes => false,
        Ancestry::Diverged | Ancestry::Unknown => they_came_before,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn git_decides_and_else_who_came_later() {
        for (ancestry, before, newer) in [
            (Ancestry::Follows(1), true, true),
            (Ancestry::Follows(1), false, true),
            (Ancestry::Same, true, false),
            (Ancestry::Precedes, true, false),
            (Ancestry::Diverged, true, true),
            (Ancestry::Diverged, false, false),
            (Ancestry::Unknown, true, true),
            (Ancestry::Unknown, false, false),
        ] {
            assert_eq!(is_newer(ancestry, before), newer, "{ancestry:?} {before}");
        }
    }

    #[test]
    fn other_branches_and_runs_without_one_are_no_rivals() {
        let head = |branch: &str| Head { branch: branch.to_owned(), commit: "a".repeat(40) };
        let claim = |head| Claim { run: "1".to_owned(), by: "alice".to_owned(), head, over: Vec::new() };
        assert!(of_one_branch(&head("cart"), &claim(Some(head("cart")))));
        assert!(!of_one_branch(&head("cart"), &claim(Some(head("search")))));
        assert!(!of_one_branch(&head("cart"), &claim(None)));
    }
}
