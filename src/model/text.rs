//! Text from outside made fit for a terminal, and short forms of lengths.

/// The text without control characters: what a name, a log line or an event carries must not steer a terminal.
/// Tabs become one space; everything else that controls, reorders or is not seen becomes its visible escape. Of an emoji
/// only the sign itself stays: terminals do not agree on the columns that it takes with a selector of its looks.
pub fn printable(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\t' => clean.push(' '),
            '\u{fe00}'..='\u{fe0f}' => {}
            c if misleads(c) => clean.extend(c.escape_default()),
            c => clean.push(c),
        }
    }
    clean
}

/// True for what acts on a terminal, reorders what stands around it, or is not seen at all. What joins letters and emoji
/// is none of it: languages are written with it.
pub fn misleads(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

/// At most `width` characters, cut in the middle, so that both ends of a long name stay.
pub fn cut_middle(text: &str, width: usize) -> String {
    let length = text.chars().count();
    if length <= width || width < 3 {
        return text.chars().take(width.max(1)).collect();
    }
    let head = (width - 1).div_ceil(2);
    let tail = width - 1 - head;
    let start: String = text.chars().take(head).collect();
    let end: String = text.chars().skip(length - tail).collect();
    format!("{start}…{end}")
}

/// `3 s`, `2 min 5 s`, `4 h 10 min`
pub fn short_duration(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 if seconds.is_multiple_of(60) => format!("{} min", seconds / 60),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ if seconds % 3600 < 60 => format!("{} h", seconds / 3600),
        _ => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
    }
}

/// `5 s ago`, `10 min ago`, `2 h ago`, `3 days ago`
pub fn short_age(seconds: i64) -> String {
    let seconds = seconds.max(0);
    match seconds {
        0..60 => format!("{seconds} s ago"),
        60..3600 => format!("{} min ago", seconds / 60),
        3600..172_800 => format!("{} h ago", seconds / 3600),
        _ => format!("{} days ago", seconds / 86_400),
    }
}

/// Two lower-case digits a byte, as digests are written.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_misleads_is_seen_and_the_rest_stays() {
        for (text, expected) in [
            ("\u{1b}[2J\u{1b}]52;c;aGk=\u{7}", "\\u{1b}[2J\\u{1b}]52;c;aGk=\\u{7}"),
            ("\u{9b}2J\u{9d}8;;http://x\u{9c}", "\\u{9b}2J\\u{9d}8;;http://x\\u{9c}"),
            ("50 %\r100 %\u{8}\u{8}\u{7f}", "50 %\\r100 %\\u{8}\\u{8}\\u{7f}"),
            ("a\u{202e}gpj.exe\u{2069}\u{61c}", "a\\u{202e}gpj.exe\\u{2069}\\u{61c}"),
            ("web\u{200b}:1\u{feff}\u{ad}\u{2028}\u{e0041}", "web\\u{200b}:1\\u{feff}\\u{ad}\\u{2028}\\u{e0041}"),
            ("\u{267b}\u{fe0f} a\tb", "\u{267b} a b"),
            ("\u{6a9}\u{200c}\u{645} \u{6f22} \u{e9}", "\u{6a9}\u{200c}\u{645} \u{6f22} \u{e9}"),
        ] {
            assert_eq!(printable(text), expected);
        }
    }
}
