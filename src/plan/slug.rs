//! Names for namespaces out of branches.

use sha2::{Digest as _, Sha256};

use crate::model::hex;

pub(super) const LONGEST: usize = 63;

/// Less than this tells nobody which branch it is.
const SHORTEST: usize = 8;

/// Why a template makes no name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unfit {
    /// What stands around the placeholders leaves too little for them.
    NoRoom,
    /// Characters that a namespace may not have.
    NoLabel,
}

/// The template with its placeholders filled. What is `whole` is put in as it is; each value is cut where the whole
/// would be longer than a DNS label.
pub(super) fn fill(template: &str, whole: (&str, &str), values: &[(&str, &str)]) -> Result<String, Unfit> {
    let template = template.replace(whole.0, whole.1);
    let used: Vec<&(&str, &str)> = values.iter().filter(|(name, _)| template.contains(name)).collect();
    let fixed = used.iter().fold(template.clone(), |text, (name, _)| text.replace(name, ""));
    let room = LONGEST.checked_sub(fixed.len()).ok_or(Unfit::NoRoom)?;
    let natural = |value: &str| slug(value, LONGEST).map_or(LONGEST, |slug| slug.len());
    let mut text = template.clone();
    for (name, value) in &used {
        // what the others do not need is free for this one
        let others: usize = used.iter().filter(|(other, _)| other != name).map(|(_, value)| natural(value)).sum();
        let share = (room / used.len()).max(room.saturating_sub(others));
        if share < SHORTEST && natural(value) > share {
            return Err(Unfit::NoRoom);
        }
        text = text.replace(name, &slug(value, share).ok_or(Unfit::NoRoom)?);
    }
    if is_label(&text) { Ok(text) } else { Err(Unfit::NoLabel) }
}

/// The text itself where it is a label; else made one, with four hex digits of the text, so that `feature/a-b` and
/// `feature/a_b` do not meet.
pub(super) fn slug(text: &str, room: usize) -> Option<String> {
    if is_label(text) && text.len() <= room {
        return Some(text.to_owned());
    }
    let hash = Sha256::digest(text.as_bytes());
    let mark = hex(&hash[..2]);
    let mapped: String = text
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' })
        .take(room.checked_sub(mark.len() + 1)?)
        .collect();
    let bare = mapped.trim_matches('-');
    Some(if bare.is_empty() { mark } else { format!("{bare}-{mark}") })
}

pub(super) fn is_label(text: &str) -> bool {
    let inner = text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    !text.is_empty() && text.len() <= LONGEST && inner && !text.starts_with('-') && !text.ends_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_branch_that_is_no_label_gets_four_digits_of_itself() {
        for (branch, expected) in [
            ("cart", "cart"),
            ("cart-2", "cart-2"),
            ("feature/a-b", "feature-a-b-10b8"),
            ("feature/a_b", "feature-a-b-6231"),
            ("Cart", "cart-6d2d"),
            ("-cart-", "cart-71d1"),
            ("日本", "cf2a"),
        ] {
            assert_eq!(slug(branch, 63).as_deref(), Some(expected), "{branch}");
            assert!(is_label(expected), "{expected}");
        }
        let long = slug(&"x".repeat(100), 20).unwrap();
        assert_eq!((long.len(), is_label(&long)), (20, true));
        assert_ne!(Some(long), slug(&"x".repeat(101), 20));
    }

    #[test]
    fn templates_are_filled_within_a_label() {
        let long = "feature/".repeat(20);
        let app = "a".repeat(50);
        let full = format!("{app}-preview-cart");
        let rows = [
            ("{app}-{branch}", "demo", "cart", "alice", Ok("demo-cart")),
            ("{app}-{user}-{branch}", "demo", "cart", "alice", Ok("demo-alice-cart")),
            ("fixed", "demo", "cart", "alice", Ok("fixed")),
            ("{app}", &app, "cart", "alice", Ok(app.as_str())),
            ("{app}-preview-{branch}", &app, "cart", "alice", Ok(full.as_str())),
            ("{app}-preview-{branch}", &app, "feature/cart", "alice", Err(Unfit::NoRoom)),
            ("{app}-{app}-{branch}", &app, "cart", "alice", Err(Unfit::NoRoom)),
            ("Upper-{branch}", "demo", "cart", "alice", Err(Unfit::NoLabel)),
        ];
        for (template, app, branch, user, expected) in rows {
            let filled = fill(template, ("{app}", app), &[("{branch}", branch), ("{user}", user)]);
            assert_eq!(filled.as_deref().map_err(|unfit| *unfit), expected, "{template} {branch}");
        }
        let cut =
            fill("{app}-{user}-{branch}", ("{app}", "demo"), &[("{branch}", &long), ("{user}", "alice")]).unwrap();
        assert_eq!((cut.len(), is_label(&cut), cut.starts_with("demo-alice-feature-")), (63, true, true), "{cut}");
    }
}
