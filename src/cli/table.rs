//! Tables for terminals: columns in line whatever the script, as wide as their content and, where a person looks at
//! them, not wider than the screen.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::output::printable;

/// How a column behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Column {
    /// Words, never cut.
    Left,
    /// Numbers, never cut.
    Right,
    /// Text that is cut where the screen is too narrow.
    Text,
}

/// A flexible column is not cut below this, or below its own width.
const MIN_TEXT_WIDTH: usize = 12;
const GAP: &str = "  ";

/// Rows under a header.
#[derive(Clone, Debug)]
pub(super) struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with its header and no rows.
    pub(super) fn new(columns: &[(&str, Column)]) -> Self {
        Self {
            columns: columns.iter().map(|(_, column)| *column).collect(),
            rows: vec![columns.iter().map(|(name, _)| (*name).to_owned()).collect()],
        }
    }

    /// Adds a row; its cells are made safe for a terminal.
    pub(super) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().map(|cell| printable(&cell)).collect());
    }

    /// The table as lines, at most `width` columns wide where that can be had.
    pub(super) fn render(&self, width: Option<usize>) -> String {
        let widths = self.widths(width);
        let mut out = String::new();
        for row in &self.rows {
            let cells: Vec<String> = row
                .iter()
                .zip(&widths)
                .zip(&self.columns)
                .map(|((cell, &width), column)| fit(cell, width, *column))
                .collect();
            out.push_str(cells.join(GAP).trim_end());
            out.push('\n');
        }
        out
    }

    fn widths(&self, limit: Option<usize>) -> Vec<usize> {
        let widest =
            |at: usize| self.rows.iter().map(|row| row[at].width()).max().unwrap_or_default();
        let mut widths: Vec<usize> = (0..self.columns.len()).map(widest).collect();
        let Some(limit) = limit else { return widths };
        let gaps = GAP.len() * self.columns.len().saturating_sub(1);
        while widths.iter().sum::<usize>() + gaps > limit {
            let flexible = (0..widths.len()).filter(|&at| self.columns[at] == Column::Text);
            match flexible.max_by_key(|&at| widths[at]) {
                Some(at) if widths[at] > MIN_TEXT_WIDTH => widths[at] -= 1,
                _ => break,
            }
        }
        widths
    }
}

fn fit(cell: &str, width: usize, column: Column) -> String {
    let cell = shortened(cell, width);
    let padding = " ".repeat(width.saturating_sub(cell.width()));
    if column == Column::Right { format!("{padding}{cell}") } else { format!("{cell}{padding}") }
}

/// The text, or as much of it as fits into `width` columns with an ellipsis.
pub(super) fn shortened(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut short = String::new();
    let mut used = 1;
    for c in text.chars() {
        used += c.width().unwrap_or(0);
        if used > width {
            break;
        }
        short.push(c);
    }
    short.push('…');
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table =
            Table::new(&[("id", Column::Right), ("feed", Column::Left), ("title", Column::Text)]);
        table.row(["7", "港新聞", "Harbour reopens"].map(str::to_owned));
        table.row(["12", "Gazette", "東京で地震、津波の心配なし"].map(str::to_owned));
        table
    }

    #[test]
    fn columns_stand_in_line_in_every_script() {
        assert_eq!(
            table().render(None),
            "id  feed     title\n 7  港新聞   Harbour reopens\n12  Gazette  東京で地震、津波の心配なし\n"
        );
    }

    #[test]
    fn text_is_cut_to_the_screen_between_characters() {
        assert_eq!(
            table().render(Some(26)),
            "id  feed     title\n 7  港新聞   Harbour reop…\n12  Gazette  東京で地震、…\n"
        );
        assert_eq!(table().render(Some(1)), table().render(Some(25)), "never to nothing");
        assert_eq!(shortened("地震", 3), "地…");
    }

    #[test]
    fn cells_cannot_break_the_table() {
        let mut table = Table::new(&[("title", Column::Text)]);
        table.row(["a\nb\u{1b}[31m".to_owned()]);
        assert_eq!(table.render(None), "title\na\\u{a}b\\u{1b}[31m\n");
    }
}
