//! A text as a list of lines that remember what they were in the markup.
//!
//! In: runs of text and breaks, in document order. Out: [`Lines`], whose text is clean and whose lines say whether
//! they were headings, list items, table rows, bold or links. Rules that cut mark lines here; `render` prints
//! what is left, paragraphs separated by one blank line.

use super::characters::{Fate, SPECIAL, fate};

/// What a line was in the markup.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Kind {
    #[default]
    Text,
    Heading,
    Item,
    Row,
    Caption,
    Preformatted,
}

/// One line: a byte range of [`Lines::text`] and what is known about it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Line {
    pub(super) start: usize,
    pub(super) end: usize,
    /// A blank line goes before it.
    pub(super) gap: bool,
    pub(super) kind: Kind,
    /// Bytes inside links.
    pub(super) linked: usize,
    /// Bytes inside bold, italics or links.
    pub(super) marked: usize,
    /// Where the run of bold, italics or link ends that the line begins with; `start` without one.
    pub(super) marked_until: usize,
    /// Where it stood, from begin to end, when it was found to be no furniture.
    pub(super) cleared: (usize, usize),
}

/// A clean text and its lines in order; bytes between the lines' ranges belong to no line.
#[derive(Clone, Debug, Default)]
pub(super) struct Lines {
    pub(super) text: String,
    pub(super) lines: Vec<Line>,
}

impl Lines {
    /// The text of one line.
    pub(super) fn get(&self, line: &Line) -> &str {
        &self.text[line.start..line.end]
    }

    /// Keeps the lines whose index is asked for; the gaps in front of the others stay.
    pub(super) fn keep(&mut self, mut is_kept: impl FnMut(usize) -> bool) {
        let (mut at, mut gap) = (0, false);
        self.lines.retain_mut(|line| {
            let keeps = is_kept(at);
            at += 1;
            gap |= line.gap;
            if keeps {
                line.gap = std::mem::take(&mut gap);
            }
            keeps
        });
    }

    /// Prints the lines: paragraphs separated by one blank line, the lines of one paragraph by a newline.
    pub(super) fn render(&self) -> String {
        let mut out = String::with_capacity(self.text.len() + self.lines.len());
        for line in self.lines.iter().filter(|line| line.start < line.end) {
            if !out.is_empty() {
                out.push_str(if line.gap { "\n\n" } else { "\n" });
            }
            out.push_str(if out.is_empty() { self.get(line).trim_start() } else { self.get(line) });
        }
        out
    }

    /// Prints everything as one line.
    pub(super) fn render_line(&self) -> String {
        let mut out = String::with_capacity(self.text.len());
        for line in &self.lines {
            if !out.is_empty() {
                out.push(' ');
            }
            out.push_str(self.get(line).trim());
        }
        out
    }
}

/// How far apart the next text stands from the last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Break {
    #[default]
    None,
    Line,
    Paragraph,
}

/// Builds [`Lines`] from runs of text.
#[derive(Debug, Default)]
pub(super) struct Builder {
    out: Lines,
    current: Line,
    is_open: bool,
    space: bool,
    pending: Break,
    /// The last character written to the line.
    before: Option<char>,
    /// What the next line begins with (`- `, `1. `).
    pub(super) prefix: String,
    /// Stands between the last cell of a table row and the next.
    pub(super) separators: usize,
    pub(super) kind: Kind,
    pub(super) link_depth: u32,
    pub(super) mark_depth: u32,
    /// Newlines in the text are line breaks, spaces at the start of a line are kept.
    pub(super) keeps_lines: bool,
    /// Blank lines in the text are paragraph breaks, though single newlines are spaces.
    pub(super) keeps_blank_lines: bool,
    newlines: u32,
    indent: usize,
}

impl Builder {
    pub(super) fn with_capacity(bytes: usize) -> Self {
        Self {
            out: Lines { text: String::with_capacity(bytes), lines: Vec::with_capacity(16) },
            ..Self::default()
        }
    }

    /// Asks for a break before the next text.
    pub(super) fn set_break(&mut self, wanted: Break) {
        if self.is_open || !self.out.lines.is_empty() {
            self.pending = self.pending.max(wanted);
        }
        self.space = false;
        self.separators = 0;
    }

    /// A line break that counts: the second in a row begins a paragraph.
    pub(super) fn line_break(&mut self) {
        let wanted = if self.pending == Break::None && self.is_open {
            Break::Line
        } else {
            Break::Paragraph
        };
        self.set_break(wanted);
    }

    /// Whether the line at hand holds text already.
    pub(super) fn is_inside_line(&self) -> bool {
        self.is_open && self.pending == Break::None
    }

    /// Whether nothing but whitespace stands between the last text and here.
    pub(super) fn last_character(&self) -> Option<char> {
        if self.space { Some(' ') } else { self.before }
    }

    /// Adds text as it stands between two tags, references already resolved.
    pub(super) fn text(&mut self, text: &str) {
        let bytes = text.as_bytes();
        let mut at = 0;
        while at < bytes.len() {
            let run = plain_run(&bytes[at..]);
            if run > 0 {
                self.run(&text[at..at + run]);
                at += run;
            }
            let Some(character) = text[at..].chars().next() else { break };
            self.character(character);
            at += character.len_utf8();
        }
    }

    /// Adds one character of any kind.
    pub(super) fn character(&mut self, character: char) {
        let before = self.before.filter(|_| self.is_inside_line());
        match fate(character, before) {
            Fate::Keep(kept) => self.run(kept.encode_utf8(&mut [0; 4])),
            Fate::Space if character == '\t' && self.keeps_lines => self.spaces(4),
            Fate::Space => self.spaces(1),
            Fate::LineBreak if character == '\r' => self.space |= !self.keeps_lines,
            Fate::LineBreak => self.newline(),
            Fate::Drop => {}
        }
    }

    fn spaces(&mut self, count: usize) {
        if !self.is_inside_line() {
            self.indent += count;
        }
        self.space = true;
    }

    fn newline(&mut self) {
        self.indent = 0;
        if self.keeps_lines {
            self.line_break();
            return;
        }
        self.newlines += 1;
        self.space = true;
        if self.keeps_blank_lines && self.newlines > 1 {
            self.set_break(Break::Paragraph);
        }
    }

    /// Adds a run without special characters, and without spaces but single ones inside.
    fn run(&mut self, run: &str) {
        if run.is_empty() {
            return;
        }
        self.open_line();
        let start = self.out.text.len();
        if std::mem::take(&mut self.space)
            && let Some(before) = self.before
        {
            // Scripts that write no spaces wrap their sources all the same.
            let is_wrapped = self.newlines > 0
                && joins_lines(before)
                && run.chars().next().is_some_and(joins_lines);
            if !is_wrapped {
                self.out.text.push(' ');
            }
        }
        self.out.text.push_str(run);
        self.count_marks(start);
        self.before = run.chars().next_back();
        self.newlines = 0;
    }

    /// Begins a line unless one is open; writes what belongs in front of the text.
    fn open_line(&mut self) {
        if self.pending > Break::None || !self.is_open {
            self.begin_line();
        }
        if self.separators > 0 {
            let separators =
                if self.before.is_some() { std::mem::take(&mut self.separators) } else { 0 };
            self.separators = 0;
            for _ in 0..separators {
                self.out.text.push_str(" |");
            }
            if separators > 0 {
                self.before = Some('|');
                self.space = true;
            }
        }
    }

    fn begin_line(&mut self) {
        let gap = self.pending == Break::Paragraph;
        self.close_line();
        let start = self.out.text.len();
        self.current = Line {
            start,
            end: start,
            gap,
            kind: self.kind,
            marked_until: start,
            ..Line::default()
        };
        self.is_open = true;
        self.space = false;
        self.pending = Break::None;
        self.before = None;
        if self.keeps_lines && !self.out.lines.is_empty() {
            self.out.text.extend(std::iter::repeat_n(' ', self.indent.min(40)));
        }
        self.indent = 0;
        if !self.prefix.is_empty() {
            self.out.text.push_str(&self.prefix);
            self.prefix.clear();
        }
        self.current.marked_until = self.out.text.len();
    }

    /// Keeps account of what stands in links and in bold; `start` is where the run begins.
    fn count_marks(&mut self, start: usize) {
        if self.link_depth == 0 && self.mark_depth == 0 {
            return;
        }
        let end = self.out.text.len();
        self.current.marked += end - start;
        if self.link_depth > 0 {
            self.current.linked += end - start;
        }
        if self.current.marked_until == start {
            self.current.marked_until = end;
        }
    }

    fn close_line(&mut self) {
        if !std::mem::take(&mut self.is_open) {
            return;
        }
        self.current.end = self.out.text.len();
        self.out.lines.push(self.current);
        self.out.text.push('\n');
    }

    /// The lines, hard-wrapped paragraphs joined, in normal form C.
    pub(super) fn finish(mut self) -> Lines {
        self.close_line();
        super::wrap::dedent(&mut self.out);
        super::wrap::unwrap(&mut self.out);
        self.out
    }
}

/// Bytes that are looked at together.
const BLOCK: usize = 32;

/// Bytes at the beginning of a text that are copied as they are: words with one space between them.
fn plain_run(bytes: &[u8]) -> usize {
    let mut at = 0;
    loop {
        while at > 0
            && let Some(block) = bytes[at..].first_chunk()
            && is_plain_block(block)
        {
            at += BLOCK;
        }
        let word = bytes[at..].iter().position(|b| SPECIAL[usize::from(*b)]);
        let Some(word) = word else { return bytes.len() };
        at += word;
        let is_single_space = at > 0
            && bytes[at] == b' '
            && bytes[at - 1] != b' '
            && bytes.get(at + 1).is_some_and(|b| !SPECIAL[usize::from(*b)]);
        if !is_single_space {
            return at;
        }
        at += 1;
    }
}

/// Whether a block and the byte behind it are printable ASCII without two spaces in a row, nor one at the end. Without a
/// branch, so that the compiler takes all bytes at once.
fn is_plain_block(block: &[u8; BLOCK + 1]) -> bool {
    let is_odd = block.windows(2).fold(0_u8, |odd, pair| {
        let is_special = u8::from(!(0x20..0x7f).contains(&pair[0]));
        let is_gap = u8::from(pair[0] == b' ') & u8::from(!(0x21..0x7f).contains(&pair[1]));
        odd | is_special | is_gap
    });
    is_odd == 0
}

/// Han, kana and their punctuation: written without spaces. Korean has them.
fn joins_lines(character: char) -> bool {
    matches!(
        character,
        '\u{3001}'..='\u{30ff}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{ff01}'..='\u{ff60}'
    )
}
