//! Names for namespaces out of branches.

use sha2::{Digest as _, Sha256};

use crate::model::hex;

pub(super) const LONGEST: usize = 63;

/// The template with its placeholders filled; each is cut so that the whole is a DNS label. None where it cannot be one.
pub(super) fn fill(template: &str, values: &[(&str, Option<&str>)]) -> Option<String> {
    let fixed = values.iter().fold(template.to_owned(), |text, (name, _)| text.replace(name, ""));
    let used = values.iter().filter(|(name, _)| template.contains(name)).count();
    let room = LONGEST.checked_sub(fixed.len())? / used.max(1);
    let mut text = template.to_owned();
    for (name, value) in values {
        if text.contains(name) {
            text = text.replace(name, &slug((*value)?, room)?);
        }
    }
    is_label(&text).then_some(text)
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
    fn branches_stay_apart() {
        assert_eq!(slug("cart", 63).as_deref(), Some("cart"));
        let (one, other) = (slug("feature/a-b", 63).unwrap(), slug("feature/a_b", 63).unwrap());
        assert!(one.starts_with("feature-a-b-") && other.starts_with("feature-a-b-"));
        assert_ne!(one, other);
        assert_ne!(slug("Cart", 63), slug("cart", 63));
        let long = slug(&"x".repeat(100), 20).unwrap();
        assert_eq!((long.len(), is_label(&long)), (20, true));
        assert!(is_label(&slug("日本", 63).unwrap()));
    }

    #[test]
    fn templates_are_filled_within_a_label() {
        let values = |branch| [("{app}", Some("demo")), ("{branch}", branch)];
        assert_eq!(fill("{app}-{branch}", &values(Some("cart"))).as_deref(), Some("demo-cart"));
        assert_eq!(fill("fixed", &values(None)).as_deref(), Some("fixed"));
        assert_eq!(fill("{app}-{branch}", &values(None)), None);
        let branch = "feature/".repeat(20);
        let long = fill("{app}-{branch}", &values(Some(&branch))).unwrap();
        assert!(is_label(&long), "{long}");
        assert_eq!(fill("Upper", &values(None)), None);
    }
}
