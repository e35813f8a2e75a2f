//! From measured times to a printed table: percentiles, ratios, goals. Measures nothing; called by `main`.

use std::fmt;
use std::time::Duration;

/// The smallest of `times` that `percent` of them do not exceed (nearest rank); zero for none. Sorts them.
pub fn percentile(times: &mut [Duration], percent: usize) -> Duration {
    times.sort_unstable();
    let rank = (times.len() * percent).div_ceil(100);
    times.get(rank.saturating_sub(1)).copied().unwrap_or_default()
}

/// `time` as a multiple of `base`.
pub fn ratio(time: Duration, base: Duration) -> f64 {
    time.as_secs_f64() / base.as_secs_f64()
}

/// For a table's cell.
pub fn millis(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1000.0)
}

const NAME_WIDTH: usize = 48;
const CELL_WIDTH: usize = 13;

/// Lines of one width, shown by `Display`.
pub struct Table {
    lines: Vec<String>,
}

impl Table {
    /// A table with its heading.
    pub fn new(title: &str, columns: &[&str]) -> Table {
        let mut table = Table { lines: Vec::new() };
        let columns: Vec<String> = columns.iter().map(|column| column.to_string()).collect();
        table.row(title, &columns);
        let width = NAME_WIDTH + 3 * CELL_WIDTH;
        table.lines.push("-".repeat(width));
        table
    }

    /// One measured thing.
    pub fn row(&mut self, name: &str, cells: &[String]) {
        let cells: String = cells.iter().map(|cell| format!("{cell:>CELL_WIDTH$}")).collect();
        self.lines.push(format!("{name:<NAME_WIDTH$}{cells}").trim_end().to_string());
    }

    /// Whether a figure is as small as it should be.
    pub fn goal(&mut self, what: &str, figure: f64, figure_max: f64) {
        let verdict = if figure <= figure_max { "met" } else { "MISSED" };
        self.lines.push(format!(
            "goal: {what}: {} of at most {}: {verdict}",
            short(figure),
            short(figure_max)
        ));
    }
}

/// Decimals where there are any: one more than the table, so that a near miss shows.
fn short(figure: f64) -> String {
    if figure.fract() == 0.0 {
        format!("{figure:.0}")
    } else {
        format!("{figure:.3}")
    }
}

impl fmt::Display for Table {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.lines {
            writeln!(out, "{line}")?;
        }
        Ok(())
    }
}
