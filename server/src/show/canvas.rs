//! A drawing of braille dots, two by four to a character, with characters laid over it.

/// What a character of the drawing shows; later layers cover earlier ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Ink {
    Plain,
    Call,
    Put,
    Curve,
}

impl Ink {
    /// The terminal's colour: calls blue, puts yellow (told apart by all eyes), the curve bright.
    pub(super) fn paint(self, text: &str, colour: bool) -> String {
        match (colour, self) {
            (false, _) | (_, Self::Plain) => text.to_owned(),
            (_, Self::Call) => format!("\x1b[94m{text}\x1b[0m"),
            (_, Self::Put) => format!("\x1b[33m{text}\x1b[0m"),
            (_, Self::Curve) => format!("\x1b[1m{text}\x1b[0m"),
        }
    }
}

#[derive(Clone, Copy)]
struct Cell {
    dots: u8,
    over: Option<char>,
    ink: Ink,
}

/// The drawing; dot (0, 0) is at the upper left.
pub(super) struct Canvas {
    columns: usize,
    cells: Vec<Cell>,
}

impl Canvas {
    pub(super) fn new(columns: usize, rows: usize) -> Self {
        Self { columns, cells: vec![Cell { dots: 0, over: None, ink: Ink::Plain }; columns * rows] }
    }

    pub(super) fn width(&self) -> usize {
        2 * self.columns
    }

    pub(super) fn height(&self) -> usize {
        4 * self.cells.len() / self.columns.max(1)
    }

    fn cell(&mut self, x: usize, y: usize) -> Option<&mut Cell> {
        if x >= self.width() {
            return None;
        }
        self.cells.get_mut(y / 4 * self.columns + x / 2)
    }

    /// Sets a dot; outside the drawing nothing happens.
    pub(super) fn dot(&mut self, x: usize, y: usize, ink: Ink) {
        // Unicode numbers the dots down the left column, then the right, with the lowest row last.
        const BITS: [[u8; 4]; 2] = [[0x01, 0x02, 0x04, 0x40], [0x08, 0x10, 0x20, 0x80]];
        let bit = BITS.get(x % 2).and_then(|column| column.get(y % 4)).copied().unwrap_or(0);
        if let Some(cell) = self.cell(x, y) {
            cell.dots |= bit;
            cell.ink = cell.ink.max(ink);
        }
    }

    /// Lays a character over the one that holds the dot.
    pub(super) fn lay(&mut self, x: usize, y: usize, over: char, ink: Ink) {
        if let Some(cell) = self.cell(x, y) {
            cell.over = Some(over);
            cell.ink = ink;
        }
    }

    /// The rows as text.
    pub(super) fn rows(&self, colour: bool) -> Vec<String> {
        self.cells
            .chunks(self.columns.max(1))
            .map(|row| {
                row.iter()
                    .map(|cell| match (cell.over, cell.dots) {
                        (Some(over), _) => cell.ink.paint(&over.to_string(), colour),
                        (None, 0) => " ".to_owned(),
                        (None, dots) => {
                            let text = char::from_u32(0x2800 + u32::from(dots)).unwrap_or(' ').to_string();
                            cell.ink.paint(&text, colour)
                        }
                    })
                    .collect()
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::{Canvas, Ink};

    #[test]
    fn dots_are_where_unicode_says() {
        let mut canvas = Canvas::new(2, 1);
        canvas.dot(0, 0, Ink::Call);
        canvas.dot(1, 3, Ink::Put);
        for y in 0..4 {
            canvas.dot(2, y, Ink::Curve);
            canvas.dot(3, y, Ink::Curve);
        }
        canvas.dot(4, 0, Ink::Curve);
        canvas.dot(0, 400, Ink::Curve);
        assert_eq!(canvas.rows(false), ["⢁⣿"]);
        canvas.lay(1, 1, 'o', Ink::Call);
        assert_eq!(canvas.rows(true)[0].matches("\x1b[94mo\x1b[0m").count(), 1);
    }
}
