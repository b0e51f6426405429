//! Image tags out of branches and commits.

use crate::model::Commit;

const LONGEST: usize = 128;

/// Fills a template. What a tag may not hold becomes `_`; over 128 characters the branch is cut, the hash never. None
/// where the template alone is too long or needs a branch that is not there.
pub(super) fn fill(template: &str, branch: Option<&str>, commit: &Commit, dirty: Option<&str>) -> Option<String> {
    let suffix = dirty.map(|dirty| format!("-dirty-{dirty}")).unwrap_or_default();
    let with_commit = template.replace("{sha8}", commit.short()).replace("{sha}", &commit.sha) + &suffix;
    let count = with_commit.matches("{branch}").count();
    let tag = if count == 0 {
        with_commit
    } else {
        let fixed = with_commit.len() - count * "{branch}".len();
        let room = LONGEST.checked_sub(fixed)? / count;
        let branch: String = clean(branch?).chars().take(room).collect();
        with_commit.replace("{branch}", &branch)
    };
    let mut tag = clean(&tag);
    if tag.starts_with(['.', '-']) {
        tag.replace_range(..1, "_");
    }
    is_tag(&tag).then_some(tag)
}

fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-') { c } else { '_' }).collect()
}

pub(super) fn is_tag(tag: &str) -> bool {
    !tag.is_empty() && tag.len() <= LONGEST && !tag.starts_with(['.', '-']) && clean(tag) == tag
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_made_of_branch_and_commit() {
        let commit = Commit { sha: "fc59806301".repeat(4), subject: String::new(), author: String::new(), time: 0 };
        for (template, branch, dirty, tag) in [
            ("{branch}-{sha8}", Some("master"), None, "master-fc598063"),
            ("{branch}-{sha8}", Some("feature/cart#1"), None, "feature_cart_1-fc598063"),
            ("{branch}-{sha8}", Some("über"), None, "_ber-fc598063"),
            ("{branch}-{sha8}", Some("-x"), None, "_x-fc598063"),
            ("{branch}-{sha8}", Some("x"), Some("0011aabb"), "x-fc598063-dirty-0011aabb"),
            ("{sha}", None, None, &"fc59806301".repeat(4)),
        ] {
            assert_eq!(fill(template, branch, &commit, dirty).as_deref(), Some(tag), "{template} {branch:?}");
        }
        assert_eq!(fill("{branch}-{sha8}", None, &commit, None), None);
    }

    #[test]
    fn a_long_branch_is_cut_and_the_hash_stays() {
        let commit = Commit { sha: "fc59806301".repeat(4), subject: String::new(), author: String::new(), time: 0 };
        let tag = fill("{branch}-{sha8}", Some(&"b".repeat(200)), &commit, Some("0011aabb")).unwrap();
        assert_eq!(tag.len(), 128);
        assert!(tag.ends_with("b-fc598063-dirty-0011aabb"), "{tag}");
    }
}
