//! Rows in columns for people; the last column is wrapped to the terminal, and never where there is none.

use crate::cli::terminal::{Style, Terminal};

const GAP: usize = 2;
/// Below this a wrapped column is worse than a long line.
const NARROWEST: usize = 20;

pub struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    pub fn new(titles: &[&str]) -> Self {
        Self { rows: vec![titles.iter().map(|title| (*title).to_owned()).collect()] }
    }

    pub fn row<const N: usize>(&mut self, cells: [String; N]) {
        self.rows.push(cells.into());
    }

    pub fn print(&self, terminal: &Terminal) -> std::io::Result<()> {
        let mut lines = layout(&self.rows, terminal.width());
        if let Some(titles) = lines.first_mut() {
            *titles = terminal.output.paint(Style::Bold, titles);
        }
        terminal.print_line(&terminal_safe(terminal, &lines))
    }
}

/// The titles are painted by us; everything else may come from elsewhere.
fn terminal_safe(terminal: &Terminal, lines: &[String]) -> String {
    let rest = lines.iter().skip(1).map(|line| terminal.output.foreign(line));
    lines
        .first()
        .cloned()
        .into_iter()
        .map(Into::into)
        .chain(rest)
        .collect::<Vec<std::borrow::Cow<'_, str>>>()
        .join("\n")
}

fn layout(rows: &[Vec<String>], width: Option<usize>) -> Vec<String> {
    let columns = rows.first().map_or(0, Vec::len).saturating_sub(1);
    let widest = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(widest).collect();
    let indent: usize = widths.iter().map(|width| width + GAP).sum();
    let room = width.map(|width| width.saturating_sub(indent)).filter(|room| *room >= NARROWEST);
    let mut lines = Vec::new();
    for row in rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            line.push_str(cell);
            line.push_str(&" ".repeat(width - cell.chars().count() + GAP));
        }
        for (index, part) in wrap(&row[columns], room).into_iter().enumerate() {
            let start = if index == 0 { std::mem::take(&mut line) } else { " ".repeat(indent) };
            lines.push(format!("{start}{part}").trim_end().to_owned());
        }
    }
    lines
}

/// At least one line; a word that is too long stays whole.
fn wrap(text: &str, room: Option<usize>) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let line = lines.last_mut().expect("it never is empty");
        let after = line.chars().count() + 1 + word.chars().count();
        if line.is_empty() {
            line.push_str(word);
        } else if room.is_some_and(|room| after > room) {
            lines.push(word.to_owned());
        } else {
            line.push(' ');
            line.push_str(word);
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::layout;

    #[test]
    fn the_last_column_wraps_under_itself() {
        let rows = [["id", "about"], ["a", "one two three four five six seven"], ["longer", ""]];
        let rows: Vec<Vec<String>> = rows.iter().map(|row| row.iter().map(ToString::to_string).collect()).collect();
        let wrapped = ["id      about", "a       one two three four", "        five six seven", "longer"];
        assert_eq!(layout(&rows, Some(30)), wrapped);
        assert_eq!(layout(&rows, None)[1], "a       one two three four five six seven");
        assert_eq!(layout(&rows, Some(20))[1], "a       one two three four five six seven");
    }
}
