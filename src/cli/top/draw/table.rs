//! Rows in columns, in whatever room there is.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::Span;
use ratatui::widgets::Widget as _;
use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

/// No column that holds a name is made narrower than this for another's sake.
const NARROW: u16 = 6;
/// A column that takes the rest has at least so much, where there is room for it at all.
const REST: u16 = 10;

/// How wide a column is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Width {
    /// As wide as its widest cell that is seen, up to this.
    Fit(u16),
    /// What the others leave.
    Rest,
}

/// How a cell lies in its column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lie {
    /// From the left, and what is too long ends in `…`.
    Left,
    /// At the right, as numbers.
    Right,
    /// From the left, and of what is too long the end is seen.
    End,
}

/// A column.
#[derive(Clone, Copy, Debug)]
pub(super) struct Column {
    pub(super) head: &'static str,
    pub(super) width: Width,
    pub(super) lie: Lie,
    /// It is there where the table has at least this width.
    pub(super) from: u16,
}

impl Column {
    pub(super) const fn new(head: &'static str, width: Width, lie: Lie, from: u16) -> Column {
        Column { head, width, lie, from }
    }
}

/// A cell.
pub(super) type Cell = (String, Style);

/// The rows that are seen of so many: those around the chosen one.
pub(super) fn window(count: usize, chosen: usize, height: usize) -> std::ops::Range<usize> {
    let start = chosen.saturating_sub(height / 2).min(count.saturating_sub(height));
    start..count.min(start + height)
}

/// Draws rows that are seen below their heads. Where there is room for one line alone, it is the chosen row's.
pub(super) fn draw(
    buffer: &mut Buffer,
    area: Rect,
    columns: &[Column],
    rows: &[Vec<Cell>],
    head: Style,
    chosen: Option<(usize, Style)>,
) {
    let is_empty = |column: usize| rows.iter().all(|row| row.get(column).is_none_or(|(text, _)| text.is_empty()));
    let columns: Vec<(usize, Column)> = columns
        .iter()
        .copied()
        .enumerate()
        .filter(|(index, column)| area.width >= column.from && !is_empty(*index))
        .collect();
    let widths = widths(&columns, rows, area.width);
    let mut y = area.y;
    let mut line = |cells: &dyn Fn(usize, Column) -> Cell, style: Option<Style>| {
        if y >= area.bottom() {
            return;
        }
        let mut x = area.x;
        for ((index, column), width) in columns.iter().zip(&widths) {
            let (text, style) = cells(*index, *column);
            let room = Rect::new(x, y, *width, 1).intersection(area);
            Span::styled(fitted(&text, room.width, column.lie), style).render(room, buffer);
            x = x.saturating_add(*width).saturating_add(1);
        }
        if let Some(style) = style {
            buffer.set_style(Rect::new(area.x, y, area.width, 1), style);
        }
        y += 1;
    };
    if area.height > 1 {
        line(&|_, column| (column.head.to_string(), head), None);
    }
    for (number, row) in rows.iter().enumerate() {
        let style = chosen.and_then(|(chosen, style)| (chosen == number).then_some(style));
        line(&|index, _| row.get(index).cloned().unwrap_or_default(), style);
    }
}

fn widths(columns: &[(usize, Column)], rows: &[Vec<Cell>], room: u16) -> Vec<u16> {
    let mut widths: Vec<u16> = columns
        .iter()
        .map(|(index, column)| match column.width {
            Width::Rest => 0,
            Width::Fit(most) => {
                let cells = rows.iter().filter_map(|row| row.get(*index)).map(|(text, _)| text.width());
                (cells.chain([column.head.width()]).max().unwrap_or(0) as u16).min(most)
            }
        })
        .collect();
    let n_rest = columns.iter().filter(|(_, column)| column.width == Width::Rest).count() as u16;
    let gaps = (columns.len() as u16).saturating_sub(1);
    let room = room.saturating_sub(gaps);
    // The widest give way first.
    while widths.iter().sum::<u16>() + n_rest * REST > room {
        match widths.iter_mut().max() {
            Some(widest) if *widest > NARROW => *widest -= 1,
            _ => break,
        }
    }
    let left = room.saturating_sub(widths.iter().sum());
    for ((_, column), width) in columns.iter().zip(&mut widths) {
        if column.width == Width::Rest {
            *width = left / n_rest.max(1);
        }
    }
    widths
}

/// A text in so much room.
fn fitted(text: &str, room: u16, lie: Lie) -> String {
    let room = usize::from(room);
    let width = text.width();
    match lie {
        Lie::Right if width <= room => format!("{}{text}", " ".repeat(room - width)),
        _ if width <= room => text.to_string(),
        Lie::End => text.chars().skip(text.chars().count().saturating_sub(room)).collect(),
        Lie::Left | Lie::Right => {
            let mut used = 1;
            let kept: String = text
                .chars()
                .take_while(|c| {
                    used += c.width().unwrap_or(0);
                    used <= room
                })
                .collect();
            if room == 0 { kept } else { format!("{kept}…") }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_long_ends_in_a_mark_and_of_bars_the_newest_are_seen() {
        assert_eq!(fitted("web-10", 6, Lie::Left), "web-10");
        assert_eq!(fitted("web-10", 5, Lie::Left), "web-…");
        assert_eq!(fitted("值班表", 4, Lie::Left), "值…");
        assert_eq!(fitted("web-10", 0, Lie::Left), "");
        assert_eq!(fitted("12", 4, Lie::Right), "  12");
        assert_eq!(fitted("▁▂▃▄", 2, Lie::End), "▃▄");
    }

    #[test]
    fn the_chosen_row_is_always_among_those_that_are_seen() {
        for count in 0..30 {
            for height in 1..12 {
                for chosen in 0..count {
                    let window = window(count, chosen, height);
                    assert!(window.contains(&chosen) && window.len() == height.min(count), "{count} {height} {chosen}");
                }
            }
        }
        assert_eq!(window(10, 9, 0), 9..9);
    }
}
