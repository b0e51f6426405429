//! From rows to lines that fit: cleans, aligns, cuts names in the middle, wraps reasons by words.
//!
//! Words say whole texts; only here is anything cut or wrapped, after secrets and control characters are gone. Cutting
//! first would let half a secret through.

use std::collections::BTreeMap;

use unicode_width::UnicodeWidthChar;

use super::style::{Line, Meaning, Span};
use crate::model::{Redactor, printable};

/// What lines are laid out for.
#[derive(Clone)]
pub(crate) struct Paper {
    /// Columns.
    pub(crate) width: usize,
    /// False where only ASCII can be shown.
    pub(crate) unicode: bool,
    pub(crate) redactor: Redactor,
}

/// What happens to a cell that is too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fit {
    /// Nothing: it is short by nature.
    Keep,
    /// A name: cut in the middle.
    Cut,
    /// A reason: wrapped by words under its column. Only as a row's last cell.
    Wrap,
    /// Secondary: goes below where there is no room beside names in full. Only as a row's last cell.
    Below,
    /// Left out where there is no room beside names in full. Only as a row's last cell.
    Optional,
}

#[derive(Clone, Debug)]
pub(crate) struct Cell {
    line: Line,
    fit: Fit,
    /// Columns it takes at least.
    least: usize,
    /// Columns to the next cell.
    gap: usize,
    /// Of what is optional, what stands where there is no room for all of it.
    short: Line,
}

impl Cell {
    pub(crate) fn keep(line: impl Into<Line>) -> Self {
        Self { line: line.into(), fit: Fit::Keep, least: 0, gap: 2, short: Line::new() }
    }

    pub(crate) fn cut(line: impl Into<Line>) -> Self {
        Self { fit: Fit::Cut, ..Self::keep(line) }
    }

    pub(crate) fn wrap(line: impl Into<Line>) -> Self {
        Self { fit: Fit::Wrap, ..Self::keep(line) }
    }

    pub(crate) fn below(line: impl Into<Line>) -> Self {
        Self { fit: Fit::Below, ..Self::keep(line) }
    }

    pub(crate) fn optional(line: impl Into<Line>) -> Self {
        Self { fit: Fit::Optional, ..Self::keep(line) }
    }

    /// Optional, with what stands in its place where there is room for that alone.
    #[must_use]
    pub(crate) fn or(self, short: Line) -> Self {
        Self { short, ..self }
    }

    #[must_use]
    pub(crate) fn least(self, least: usize) -> Self {
        Self { least, ..self }
    }

    #[must_use]
    pub(crate) fn gap(self, gap: usize) -> Self {
        Self { gap, ..self }
    }
}

/// Cells of a line. Rows of one group share their columns; a row's last cell does not widen its column.
#[derive(Clone, Debug, Default)]
pub(crate) struct Row {
    indent: usize,
    group: usize,
    cells: Vec<Cell>,
}

impl Row {
    pub(crate) fn new(cells: impl IntoIterator<Item = Cell>) -> Self {
        Self { indent: 0, group: 0, cells: cells.into_iter().collect() }
    }

    /// A line of its own that wraps by words.
    pub(crate) fn text(line: impl Into<Line>) -> Self {
        Self::new([Cell::wrap(line)])
    }

    pub(crate) fn blank() -> Self {
        Self::default()
    }

    #[must_use]
    pub(crate) fn indent(self, indent: usize) -> Self {
        Self { indent, ..self }
    }

    /// The same with a cell before the others; its columns are those of such rows alone.
    #[must_use]
    pub(crate) fn led_by(mut self, cell: Cell) -> Self {
        if self.cells.is_empty() {
            return self;
        }
        self.cells.insert(0, cell);
        self.group += LED;
        self
    }

    /// The same with columns that it does not share with rows of its group elsewhere, where its group is above `shared`.
    #[must_use]
    pub(crate) fn apart(mut self, shared: usize, by: usize) -> Self {
        if self.group > shared {
            self.group += by;
        }
        self
    }

    #[must_use]
    pub(crate) fn group(self, group: usize) -> Self {
        Self { group, ..self }
    }
}

/// Groups of rows with a cell before the others.
const LED: usize = 1000;

/// A name is not cut below this.
const SHORTEST_CUT: usize = 12;
/// A reason is not wrapped into a column narrower than this: it goes below instead.
const NARROWEST_WRAP: usize = 24;
/// A space that does not wrap; shown as a space.
const SOLID_SPACE: char = '\u{a0}';

/// The text with spaces that do not wrap.
pub(crate) fn solid(text: &str) -> String {
    text.replace(' ', "\u{a0}")
}

type Glyph = (char, Meaning);

const LINE_END: Glyph = ('\n', Meaning::Plain);

/// Lays out rows, those of one group in the same columns.
pub(crate) fn typeset(rows: &[Row], paper: &Paper) -> Vec<Line> {
    let rows: Vec<CleanRow> = rows.iter().map(|row| CleanRow::new(row, paper)).collect();
    let mut groups: BTreeMap<usize, Vec<&CleanRow>> = BTreeMap::new();
    for row in &rows {
        groups.entry(row.group).or_default().push(row);
    }
    let widths: BTreeMap<usize, Vec<usize>> =
        groups.into_iter().map(|(group, rows)| (group, column_widths(&rows, paper.width))).collect();
    rows.iter().flat_map(|row| row.lines(&widths[&row.group], paper.width)).collect()
}

struct CleanCell {
    glyphs: Vec<Glyph>,
    /// The columns of its widest paragraph.
    natural: usize,
    short: Vec<Glyph>,
    fit: Fit,
    least: usize,
    gap: usize,
}

struct CleanRow {
    indent: usize,
    group: usize,
    cells: Vec<CleanCell>,
    /// Stands where a name was cut.
    mark: char,
}

impl CleanRow {
    fn new(row: &Row, paper: &Paper) -> Self {
        let cells = row.cells.iter().map(|cell| {
            let glyphs = clean(&cell.line, cell.fit == Fit::Wrap, paper);
            CleanCell {
                natural: widest_paragraph(&glyphs),
                glyphs,
                short: clean(&cell.short, false, paper),
                fit: cell.fit,
                least: cell.least,
                gap: cell.gap,
            }
        });
        let mark = if paper.unicode { '…' } else { stand_in('…') };
        Self { indent: row.indent, group: row.group, cells: cells.collect(), mark }
    }

    /// The columns before the last cell.
    fn offset(&self, widths: &[usize]) -> usize {
        let before = self.cells.len().saturating_sub(1);
        self.indent + (0..before).map(|column| widths[column] + self.cells[column].gap).sum::<usize>()
    }

    /// The columns it needs with columns that are so wide, and what is optional in its short form or not at all.
    fn least_width(&self, widths: &[usize], shortened: bool) -> usize {
        let Some((last, before)) = self.cells.split_last() else { return 0 };
        let offset = self.offset(widths);
        let natural = last.natural;
        match last.fit {
            Fit::Keep => offset + natural,
            Fit::Cut => offset + natural.min(SHORTEST_CUT),
            Fit::Wrap => offset + natural.min(NARROWEST_WRAP),
            Fit::Optional if shortened && !last.short.is_empty() => offset + measure(&last.short),
            Fit::Below | Fit::Optional => offset - before.last().map_or(0, |cell| cell.gap),
        }
    }

    fn lines(&self, widths: &[usize], width: usize) -> Vec<Line> {
        let Some((last, before)) = self.cells.split_last() else { return vec![Line::new()] };
        let mut start: Vec<Glyph> = spaces(self.indent);
        for (cell, width) in before.iter().zip(widths) {
            let cut = if cell.fit == Fit::Cut { cut(&cell.glyphs, *width, self.mark) } else { cell.glyphs.clone() };
            let padding = width.saturating_sub(measure(&cut)) + cell.gap;
            start.extend(cut);
            start.extend(spaces(padding));
        }
        let used = start.iter().rposition(|(c, _)| *c != ' ').map_or(0, |end| measure(&start[..=end]));
        if used > width {
            return self.flow(width);
        }
        let remaining = width.saturating_sub(self.offset(widths));
        let fits = last.natural <= remaining;
        match last.fit {
            Fit::Cut if remaining >= 3 => start.extend(cut(&last.glyphs, remaining, self.mark)),
            Fit::Optional if !fits && measure(&last.short) > remaining => {}
            Fit::Optional if !fits => start.extend(last.short.clone()),
            _ if fits && !last.glyphs.contains(&LINE_END) => start.extend(last.glyphs.clone()),
            _ => return self.wrapped(&start, last, width),
        }
        vec![line_of(&start)]
    }

    /// The last cell under its column; below the others where its column is too narrow for it.
    fn wrapped(&self, start: &[Glyph], last: &CleanCell, width: usize) -> Vec<Line> {
        let offset = measure(start);
        let remaining = width.saturating_sub(offset);
        let hang = (self.indent + 4).min(width / 2);
        let longest_word = last.glyphs.split(|(c, _)| matches!(c, ' ' | '\n')).map(measure).max().unwrap_or(0);
        let fits = last.natural <= remaining;
        let narrow = !fits && (last.fit == Fit::Below || remaining < NARROWEST_WRAP || longest_word > remaining);
        if narrow && hang < offset {
            let below = wrap(&last.glyphs, width - hang);
            let below = below.into_iter().map(|part| line_of(&[spaces(hang), part].concat()));
            let above = line_of(start);
            return std::iter::once(above).filter(|above| !above.is_empty()).chain(below).collect();
        }
        let parts = wrap(&last.glyphs, remaining.max(1));
        let lead = |number| if number == 0 { start.to_vec() } else { spaces(offset) };
        parts.into_iter().enumerate().map(|(number, part)| line_of(&[lead(number), part].concat())).collect()
    }

    /// Without columns, where the paper is too narrow for them.
    fn flow(&self, width: usize) -> Vec<Line> {
        let filled = self.cells.iter().filter(|cell| !cell.glyphs.is_empty());
        let joined: Vec<Glyph> = filled.flat_map(|cell| [cell.glyphs.clone(), spaces(1)].concat()).collect();
        let indent = self.indent.min(width / 4);
        let parts = wrap(&joined, (width - indent).max(1));
        parts.into_iter().map(|part| line_of(&[spaces(indent), part].concat())).collect()
    }
}

/// How wide each column is, so that the widest row fits: columns of names give way, the widest first, and where that is
/// not enough, what is optional.
fn column_widths(rows: &[&CleanRow], width: usize) -> Vec<usize> {
    let overflows = |widths: &[usize], shortened| rows.iter().any(|row| row.least_width(widths, shortened) > width);
    let widths = narrowed(rows, width, |widths| overflows(widths, true));
    if overflows(&widths, true) { narrowed(rows, width, |widths| overflows(widths, false)) } else { widths }
}

fn narrowed(rows: &[&CleanRow], width: usize, overflows: impl Fn(&[usize]) -> bool) -> Vec<usize> {
    let columns = rows.iter().map(|row| row.cells.len()).max().unwrap_or(0);
    let mut widths = vec![0; columns];
    let mut cuttable = vec![false; columns];
    for row in rows {
        for (column, cell) in row.cells.iter().enumerate().take(row.cells.len().saturating_sub(1)) {
            widths[column] = widths[column].max(cell.natural).max(cell.least);
            cuttable[column] |= cell.fit == Fit::Cut;
        }
    }
    // no name has more columns than the paper, however long it is
    (0..columns).filter(|column| cuttable[*column]).for_each(|column| widths[column] = widths[column].min(width));
    loop {
        let widest = (0..columns).filter(|c| cuttable[*c] && widths[*c] > SHORTEST_CUT).max_by_key(|c| widths[*c]);
        match widest {
            Some(column) if overflows(&widths) => widths[column] -= 1,
            _ => return widths,
        }
    }
}

/// Without secrets and control characters; line ends stay only where the cell may have several lines.
fn clean(line: &Line, paragraphs: bool, paper: &Paper) -> Vec<Glyph> {
    let cleaned: Vec<Span> =
        line.0.iter().map(|span| Span { meaning: span.meaning, text: paper.redactor.clean(&span.text) }).collect();
    let joined: String = cleaned.iter().map(|span| span.text.as_str()).collect();
    let whole = paper.redactor.clean(&joined);
    // a secret across spans: the styles are worth less
    let spans = if whole == joined { cleaned } else { vec![Span { meaning: Meaning::Plain, text: whole }] };
    let mut glyphs = Vec::new();
    for span in spans {
        let text = span.text.trim_end_matches(['\n', '\r']);
        for (number, part) in text.split('\n').enumerate() {
            if number > 0 {
                glyphs.push(if paragraphs { LINE_END } else { (' ', Meaning::Plain) });
            }
            let shown = printable(part.trim_end_matches('\r'));
            glyphs.extend(shown.chars().map(|c| (if paper.unicode { c } else { stand_in(c) }, span.meaning)));
        }
    }
    glyphs
}

/// What stands for our own signs where only ASCII can be shown.
fn stand_in(c: char) -> char {
    match c {
        '✓' => 'v',
        '✗' => 'x',
        '·' => '-',
        '…' => '~',
        '█' => '#',
        '░' => '.',
        _ => c,
    }
}

/// The columns that a line takes.
pub(crate) fn columns(line: &Line) -> usize {
    line.0.iter().flat_map(|span| span.text.chars()).map(|c| c.width().unwrap_or(0)).sum()
}

fn measure(glyphs: &[Glyph]) -> usize {
    glyphs.iter().map(|(c, _)| c.width().unwrap_or(0)).sum()
}

fn widest_paragraph(glyphs: &[Glyph]) -> usize {
    glyphs.split(|(c, _)| *c == '\n').map(measure).max().unwrap_or(0)
}

fn spaces(count: usize) -> Vec<Glyph> {
    vec![(' ', Meaning::Plain); count]
}

/// At most `width` columns, cut in the middle, so that both ends of a long name stay.
fn cut(glyphs: &[Glyph], width: usize, mark: char) -> Vec<Glyph> {
    if measure(glyphs) <= width || width < 3 {
        return glyphs.to_vec();
    }
    let (head, tail) = ((width - 1).div_ceil(2), (width - 1) / 2);
    let mut start: Vec<Glyph> = Vec::new();
    for glyph in glyphs {
        if measure(&start) + glyph.0.width().unwrap_or(0) > head {
            break;
        }
        start.push(*glyph);
    }
    let mut end: Vec<Glyph> = Vec::new();
    for glyph in glyphs.iter().rev() {
        if measure(&end) + glyph.0.width().unwrap_or(0) > tail {
            break;
        }
        end.push(*glyph);
    }
    start.push((mark, Meaning::Dim));
    start.extend(end.into_iter().rev());
    start
}

/// Wrapped by words; a word longer than a line is broken.
fn wrap(glyphs: &[Glyph], width: usize) -> Vec<Vec<Glyph>> {
    glyphs.split(|(c, _)| *c == '\n').flat_map(|paragraph| wrap_paragraph(paragraph, width)).collect()
}

fn wrap_paragraph(glyphs: &[Glyph], width: usize) -> Vec<Vec<Glyph>> {
    if measure(glyphs) <= width {
        return vec![glyphs.to_vec()];
    }
    let (mut lines, mut used): (Vec<Vec<Glyph>>, usize) = (vec![Vec::new()], 0);
    let loosened = loosen(glyphs, width);
    for word in loosened.split_inclusive(|(c, _)| *c == ' ') {
        let bare = match word.split_last() {
            Some(((' ', _), rest)) => rest,
            _ => word,
        };
        if used > 0 && used + measure(bare) > width {
            lines.push(Vec::new());
            used = 0;
        }
        for glyph in word {
            let columns = glyph.0.width().unwrap_or(0);
            let is_full = used + columns > width;
            if is_full && glyph.0 == ' ' {
                continue;
            }
            if is_full {
                lines.push(Vec::new());
                used = 0;
            }
            if let Some(line) = lines.last_mut() {
                line.push(*glyph);
                used += columns;
            }
        }
    }
    lines
}

/// What is kept together but is longer than a line is wrapped by its words after all.
fn loosen(glyphs: &[Glyph], width: usize) -> Vec<Glyph> {
    let words = glyphs.split_inclusive(|(c, _)| *c == ' ');
    let loose = |(c, meaning): &Glyph| (if *c == SOLID_SPACE { ' ' } else { *c }, *meaning);
    words
        .flat_map(|word| if measure(word) > width { word.iter().map(loose).collect() } else { word.to_vec() })
        .collect()
}

fn line_of(glyphs: &[Glyph]) -> Line {
    let end = glyphs.iter().rposition(|(c, _)| *c != ' ').map_or(0, |last| last + 1);
    let mut line = Line::new();
    for (c, meaning) in &glyphs[..end] {
        let c = if *c == SOLID_SPACE { ' ' } else { *c };
        match line.0.last_mut() {
            Some(span) if span.meaning == *meaning => span.text.push(c),
            _ => line.0.push(Span { meaning: *meaning, text: c.to_string() }),
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paper(width: usize) -> Paper {
        Paper { width, unicode: true, redactor: Redactor::default() }
    }

    fn laid(rows: &[Row], width: usize) -> Vec<String> {
        typeset(rows, &paper(width)).iter().map(|line| line.paint(false)).collect()
    }

    #[test]
    fn columns_align_and_the_last_cell_wraps_under_itself() {
        let rows = [
            Row::new([Cell::keep("a"), Cell::wrap("one two three")]),
            Row::new([Cell::keep("long"), Cell::wrap("four")]).indent(0),
        ];
        assert_eq!(laid(&rows, 80), ["a     one two three", "long  four"]);
        let rows = [Row::new([Cell::keep("pod").least(4), Cell::wrap("the quick brown fox jumps over the dog")])];
        assert_eq!(laid(&rows, 32), ["pod   the quick brown fox jumps", "      over the dog"]);
    }

    #[test]
    fn names_are_cut_in_the_middle_reasons_never() {
        let rows = [Row::new([
            Cell::cut("deployment/a-very-long-name-of-a-workload-somewhere"),
            Cell::wrap("image not found at the registry"),
        ])];
        let lines = laid(&rows, 40);
        assert_eq!(lines, ["deploym…ewhere  image not found at the", "                registry"]);
    }

    #[test]
    fn a_word_is_not_broken_where_it_fits_below() {
        let rows = [Row::new([Cell::keep("a-label-of-15"), Cell::wrap("see registry.example.com/team/demo")])];
        assert_eq!(laid(&rows, 42), ["a-label-of-15", "    see registry.example.com/team/demo"]);
    }

    #[test]
    fn what_is_kept_together_is_wrapped_by_words_where_it_is_longer_than_a_line() {
        let text = format!("namespace demo {}", solid("https://203.0.113.1:6443 (context prod, from KUBECONFIG)"));
        assert_eq!(
            laid(&[Row::text(text.as_str())], 40),
            ["namespace demo https://203.0.113.1:6443", "(context prod, from KUBECONFIG)"]
        );
        assert_eq!(
            laid(&[Row::text(text.as_str())], 58),
            ["namespace demo", "https://203.0.113.1:6443 (context prod, from KUBECONFIG)"]
        );
    }

    #[test]
    fn what_is_optional_is_left_out_first() {
        let rows = [Row::new([Cell::cut("deployment/worker"), Cell::optional("12 s")])];
        assert_eq!(laid(&rows, 20), ["deployment/worker"]);
        assert_eq!(laid(&rows, 30), ["deployment/worker  12 s"]);
        let rows = [Row::new([Cell::cut("deployment/worker"), Cell::optional("12 s  pulling").or("12 s".into())])];
        assert_eq!(laid(&rows, 17), ["deployment/worker"]);
        assert_eq!(laid(&rows, 20), ["deploym…worker  12 s"]);
        assert_eq!(laid(&rows, 30), ["deployment/worker  12 s"]);
        assert_eq!(laid(&rows, 40), ["deployment/worker  12 s  pulling"]);
    }

    #[test]
    fn a_narrow_paper_puts_the_reason_below() {
        let rows = [Row::new([Cell::keep("a-label-of-25-characters-"), Cell::wrap("no space left for this reason")])];
        assert_eq!(laid(&rows, 40), ["a-label-of-25-characters-", "    no space left for this reason"]);
    }

    #[test]
    fn nothing_is_wider_than_the_paper() {
        let text = "a sentence with one_word_that_is_much_longer_than_the_paper_is_wide and 漢字漢字漢字 at its end";
        for width in 10..60 {
            for line in laid(&[Row::text(text).indent(2)], width) {
                let glyphs: Vec<Glyph> = line.chars().map(|c| (c, Meaning::Plain)).collect();
                assert!(measure(&glyphs) <= width, "{width}: {line:?}");
            }
        }
    }

    #[test]
    fn secrets_go_before_anything_is_cut() {
        let paper = paper(20);
        paper.redactor.learn("correct-horse-battery");
        let rows = [
            Row::new([Cell::cut("pod/correct-horse-battery-x")]),
            Row::new([Cell::wrap(Line::new().plain("correct-horse").good("-battery"))]),
        ];
        let lines: Vec<String> = typeset(&rows, &paper).iter().map(|line| line.paint(false)).collect();
        assert_eq!(lines, ["pod/***-x", "***"]);
    }

    #[test]
    fn control_characters_never_come_through() {
        let lines = laid(&[Row::text("a\u{1b}[2Jb\nc\td\r\n")], 80);
        assert_eq!(lines, ["a\\u{1b}[2Jb", "c d"]);
    }

    #[test]
    fn signs_have_stand_ins() {
        let paper = Paper { unicode: false, ..paper(80) };
        let lines = typeset(&[Row::text("✓ ✗ a · b █░")], &paper);
        assert_eq!(lines[0].paint(false), "v x a - b #.");
    }
}
