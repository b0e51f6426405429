//! Remarks.

use super::Said;
use crate::{
    model::Note,
    report::style::{Line, Sign},
};

pub(super) fn said(note: &Note) -> Vec<Said> {
    let text = note.text.as_str();
    if note.attention {
        let lines = note.lines.iter().map(|line| Said::new(note.step, Sign::None, line.as_str()).attention());
        std::iter::once(Said::new(note.step, Sign::Attention, Line::new().attention(text)).attention())
            .chain(lines)
            .collect()
    } else {
        vec![Said::new(note.step, Sign::None, text)]
    }
}
