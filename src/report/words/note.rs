//! Remarks.

use super::Said;
use crate::{
    model::Note,
    report::style::{Line, Sign},
};

pub(super) fn said(note: &Note) -> Vec<Said> {
    let text = note.text.as_str();
    if note.attention {
        vec![Said::new(note.step, Sign::Attention, Line::new().attention(text)).attention()]
    } else {
        vec![Said::new(note.step, Sign::None, text)]
    }
}
