//! The report as Markdown: headings, paragraphs, tables, goals. Knows nothing of what the figures mean.

use std::fmt;

/// Text that grows; shown by `Display`.
#[derive(Default)]
pub struct Document {
    text: String,
}

impl Document {
    /// A heading; `level` is the number of its signs.
    pub fn heading(&mut self, level: usize, title: &str) {
        self.block(&format!("{} {title}", "#".repeat(level)));
    }

    /// A paragraph, or anything else that stands between two empty lines.
    pub fn paragraph(&mut self, text: &str) {
        self.block(text);
    }

    /// A plot that lies beside the report.
    pub fn picture(&mut self, what: &str, file: &str) {
        self.block(&format!("![{what}]({file})"));
    }

    /// A table, with its goals below.
    pub fn table(&mut self, table: Table) {
        self.block(table.to_string().trim_end());
        if !table.goals.is_empty() {
            self.block(&table.goals.join("\n"));
        }
    }

    fn block(&mut self, text: &str) {
        if !self.text.is_empty() {
            self.text.push('\n');
        }
        self.text.push_str(text);
        self.text.push('\n');
    }
}

impl fmt::Display for Document {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.text)
    }
}

/// Rows of the same number of cells, the first of which says what the row is about.
pub struct Table {
    rows: Vec<Vec<String>>,
    goals: Vec<String>,
}

impl Table {
    /// A table with its heading.
    pub fn new(columns: &[&str]) -> Table {
        let heading = columns.iter().map(|column| column.to_string()).collect();
        Table { rows: vec![heading], goals: Vec::new() }
    }

    /// Adds a row. Cells that are missing stay empty.
    pub fn row(&mut self, cells: &[String]) {
        let mut cells = cells.to_vec();
        cells.resize(self.rows[0].len(), String::new());
        self.rows.push(cells);
    }

    /// Adds a goal, and whether the figure is as small as it should be.
    pub fn goal(&mut self, what: &str, figure: Option<f64>, figure_max: f64) {
        let verdict = match figure {
            None => "not measured".to_string(),
            Some(figure) if figure <= figure_max => format!("{} **met**", short(figure)),
            Some(figure) => format!("{} **MISSED**", short(figure)),
        };
        self.goals.push(format!("- goal: {what}: at most {}: {verdict}", short(figure_max)));
    }

    /// Adds a line below the goals.
    pub fn remark(&mut self, remark: &str) {
        self.goals.push(format!("- {remark}"));
    }
}

/// With one decimal more than the table has, so that a near miss shows; without any if it is a whole number.
fn short(figure: f64) -> String {
    if figure.fract() == 0.0 {
        format!("{figure:.0}")
    } else {
        format!("{figure:.3}")
    }
}

impl fmt::Display for Table {
    /// The columns are aligned, so that it can be read in a terminal as well.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = |column: usize| {
            self.rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0).max(3)
        };
        let widths: Vec<usize> = (0..self.rows[0].len()).map(width).collect();
        for (number, row) in self.rows.iter().enumerate() {
            out.write_str("|")?;
            for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
                match column {
                    0 => write!(out, " {cell:<width$} |")?,
                    _ => write!(out, " {cell:>width$} |")?,
                }
            }
            out.write_str("\n")?;
            if number == 0 {
                out.write_str("|")?;
                for (column, width) in widths.iter().enumerate() {
                    let line = "-".repeat(width + 1);
                    match column {
                        0 => write!(out, "{line}-|")?,
                        _ => write!(out, "{line}:|")?,
                    }
                }
                out.write_str("\n")?;
            }
        }
        Ok(())
    }
}
