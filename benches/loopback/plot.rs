//! The plots, as SVG that can be read on light and on dark ground. Knows where lines go, and not what they mean.

use std::fmt::Write;
use std::time::Duration;

use super::figures::{count, NEVER};

const WIDTH: f64 = 760.0;
/// The room around what is drawn: for the title above, numbers below, and names at the left or the right.
const TOP: f64 = 58.0;
const BOTTOM: f64 = 46.0;
const NAMES: f64 = 222.0;
const NUMBERS: f64 = 64.0;
const EDGE: f64 = 30.0;
/// The distance between two names.
const LINE_HEIGHT: f64 = 17.0;

/// One colour for each program, in the order of the comparison: on light ground, and on dark.
const COLOURS: [(&str, &str); 6] = [
    ("#0969da", "#58a6ff"),
    ("#1a7f37", "#3fb950"),
    ("#9a6700", "#d29922"),
    ("#8250df", "#bc8cff"),
    ("#bf3989", "#f778ba"),
    ("#cf222e", "#ff7b72"),
];

/// Points of one program.
pub struct Series<'a> {
    /// The name that stands beside the points, where each `` ` `` is left out.
    pub name: &'a str,
    /// Its number in the comparison.
    pub colour: usize,
    /// From left to right; [`NEVER`] is drawn at the end of the scale.
    pub points: Vec<(f64, Duration)>,
}

/// A logarithmic scale between two lengths on the paper.
struct Scale {
    least: f64,
    most: f64,
    start: f64,
    end: f64,
}

impl Scale {
    /// A scale with room for all `values`, out to the next powers of ten.
    fn around(values: impl Iterator<Item = f64>, start: f64, end: f64) -> Scale {
        let (mut least, mut most) = (f64::INFINITY, 0.0_f64);
        for value in values.filter(|value| *value > 0.0) {
            least = least.min(value);
            most = most.max(value);
        }
        if least > most {
            (least, most) = (1.0, 10.0);
        }
        let least = 10_f64.powf(least.log10().floor());
        let most = 10_f64.powf(most.log10().ceil()).max(least * 10.0);
        Scale { least, most, start, end }
    }

    fn at(&self, value: f64) -> f64 {
        let part = (value / self.least).log10() / (self.most / self.least).log10();
        self.start + part.clamp(0.0, 1.0) * (self.end - self.start)
    }

    fn powers(&self) -> impl Iterator<Item = f64> + '_ {
        let mut value = self.least;
        std::iter::from_fn(move || {
            let this = value;
            value *= 10.0;
            (this <= self.most * 1.001).then_some(this)
        })
    }
}

struct Paper {
    text: String,
    height: f64,
}

impl Paper {
    fn new(height: f64, title: &str, below: &str) -> Paper {
        let mut paper = Paper { text: String::new(), height };
        paper.words(EDGE, 26.0, "start", "ink title", title);
        paper.words(EDGE, 44.0, "start", "dim", below);
        paper
    }

    fn add(&mut self, what: std::fmt::Arguments) {
        // Writing to a string does not fail.
        let _ = writeln!(self.text, "{what}");
    }

    fn words(&mut self, x: f64, y: f64, anchor: &str, class: &str, words: &str) {
        let words = words.replace('`', "").replace('&', "&amp;").replace('<', "&lt;");
        self.add(format_args!(
            r#"<text x="{x:.1}" y="{y:.1}" text-anchor="{anchor}" class="{class}">{words}</text>"#
        ));
    }

    fn line(&mut self, from: (f64, f64), to: (f64, f64), class: &str) {
        let ((x1, y1), (x2, y2)) = (from, to);
        self.add(format_args!(
            r#"<line x1="{x1:.1}" y1="{y1:.1}" x2="{x2:.1}" y2="{y2:.1}" class="{class}"/>"#
        ));
    }

    fn dot(&mut self, x: f64, y: f64, radius: f64, class: &str) {
        self.add(format_args!(r#"<circle cx="{x:.1}" cy="{y:.1}" r="{radius}" class="{class}"/>"#));
    }

    fn cross(&mut self, x: f64, y: f64, class: &str) {
        self.line((x - 5.0, y - 5.0), (x + 5.0, y + 5.0), class);
        self.line((x - 5.0, y + 5.0), (x + 5.0, y - 5.0), class);
    }

    fn finish(self) -> String {
        let mut colours = String::new();
        for (number, (light, _)) in COLOURS.iter().enumerate() {
            colours += &format!(".c{number}{{fill:{light};stroke:{light}}}");
        }
        let mut dark = String::new();
        for (number, (_, colour)) in COLOURS.iter().enumerate() {
            dark += &format!(".c{number}{{fill:{colour};stroke:{colour}}}");
        }
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" \
             height=\"{height}\" font-family=\"system-ui, sans-serif\" font-size=\"13\">\n<style>\n\
             .paper{{fill:#fff}}.ink{{fill:#1f2328}}.dim{{fill:#59636e}}.title{{font-size:16px;font-weight:600}}\n\
             .grid{{stroke:#d1d9e0;stroke-width:1}}.line{{stroke-width:2}}.thick{{stroke-width:3}}\n\
             .cloud{{fill-opacity:.35;stroke:none}}.name{{stroke:none}}\n{colours}\n\
             @media (prefers-color-scheme: dark){{.paper{{fill:#0d1117}}.ink{{fill:#f0f6fc}}.dim{{fill:#9198a1}}\
             .grid{{stroke:#3d444d}}{dark}}}\n\
             .cloud,.name{{stroke:none}}\n</style>\n\
             <rect width=\"{WIDTH}\" height=\"{height}\" class=\"paper\"/>\n{text}</svg>\n",
            height = self.height,
            text = self.text,
        )
    }
}

/// Draws where each single time lies: a row for each program, with a mark at the median.
pub fn distribution(title: &str, below: &str, rows: &[Series]) -> String {
    const ROW: f64 = 44.0;
    let height = TOP + ROW * rows.len() as f64 + BOTTOM;
    let mut paper = Paper::new(height, title, below);
    let times = rows.iter().flat_map(|row| &row.points).map(|(_, time)| *time);
    let times = times.filter(|time| *time != NEVER).map(|time| time.as_secs_f64());
    let scale = Scale::around(times, NAMES, WIDTH - EDGE - 20.0);
    for power in scale.powers() {
        let x = scale.at(power);
        paper.line((x, TOP), (x, height - BOTTOM), "grid");
        paper.words(x, height - BOTTOM + 20.0, "middle", "dim", &seconds(power));
    }
    for (number, row) in rows.iter().enumerate() {
        let y = TOP + ROW * (number as f64 + 0.5);
        paper.words(NAMES - 14.0, y + 4.0, "end", "ink", row.name);
        let colour = format!("c{}", row.colour);
        for (index, (_, time)) in row.points.iter().enumerate() {
            // Equal times lie beside each other, so that many can be told from one.
            let aside = (index % 7) as f64 * 3.0 - 9.0;
            match *time {
                NEVER => paper.cross(WIDTH - EDGE, y + aside, &format!("{colour} line")),
                time => {
                    let x = scale.at(time.as_secs_f64());
                    paper.dot(x, y + aside, 3.0, &format!("{colour} cloud"));
                }
            }
        }
        let times: Vec<Duration> = row.points.iter().map(|(_, time)| *time).collect();
        if let Some(median) = super::figures::median(&times).filter(|median| *median != NEVER) {
            let x = scale.at(median.as_secs_f64());
            paper.line((x, y - 16.0), (x, y + 16.0), &format!("{colour} thick"));
        }
    }
    paper.finish()
}

/// Draws how time grows with a number: a line for each program.
pub fn growth(title: &str, below: &str, number: &str, lines: &[Series]) -> String {
    let height = 420.0;
    let (left, right, floor) = (NUMBERS, WIDTH - NAMES, height - BOTTOM);
    let mut paper = Paper::new(height, title, below);
    let points = || lines.iter().flat_map(|line| &line.points);
    let numbers = Scale::around(points().map(|(number, _)| *number), left, right - 20.0);
    let times = points().map(|(_, time)| *time).filter(|time| *time != NEVER);
    let times = Scale::around(times.map(|time| time.as_secs_f64()), floor, TOP + 16.0);
    for power in times.powers() {
        let y = times.at(power);
        paper.line((left, y), (right, y), "grid");
        paper.words(left - 8.0, y + 4.0, "end", "dim", &seconds(power));
    }
    for power in numbers.powers() {
        paper.words(numbers.at(power), floor + 20.0, "middle", "dim", &count(power as usize));
    }
    paper.words(right - 20.0, floor + 38.0, "end", "dim", number);

    let mut names: Vec<(f64, &Series)> = Vec::new();
    // The first program is drawn last, and so lies on top.
    for line in lines.iter().rev() {
        let colour = format!("c{}", line.colour);
        let mut before: Option<(f64, f64)> = None;
        for (number, time) in &line.points {
            let x = numbers.at(*number);
            let place = (*time != NEVER).then(|| (x, times.at(time.as_secs_f64())));
            if let (Some(before), Some(place)) = (before, place) {
                paper.line(before, place, &format!("{colour} line"));
            }
            match place {
                Some((x, y)) => paper.dot(x, y, 4.0, &colour),
                None => paper.cross(x, TOP + 4.0, &format!("{colour} line")),
            }
            before = place;
        }
        // The name stands beside the last point. If that is a time that never came, it stands at the top.
        names.push((before.map_or(TOP + 4.0, |(_, y)| y), line));
    }
    names.sort_by(|(a, _), (b, _)| a.total_cmp(b));
    let mut free = f64::NEG_INFINITY;
    for (y, line) in names {
        let y = y.max(free);
        free = y + LINE_HEIGHT;
        paper.words(right + 6.0, y + 4.0, "start", &format!("c{} name", line.colour), line.name);
    }
    paper.finish()
}

fn seconds(seconds: f64) -> String {
    match seconds {
        small if small < 0.000_9 => format!("{:.1} ms", seconds * 1e3),
        small if small < 0.9 => format!("{:.0} ms", seconds * 1e3),
        _ => format!("{seconds:.0} s"),
    }
}
