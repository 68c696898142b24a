//! `braid-bench plot`: speed-up over threads as a picture.

use std::{fmt::Write as _, fs, num::NonZeroUsize, path::PathBuf, process::ExitCode, time::Duration};

use braid_bench::measure::{Plan, measure};
use clap::Args;
use eyre::{WrapErr as _, ensure};

use crate::{
    report::ratio,
    selection::{Group, Selection},
};

/// Arguments of `braid-bench plot`.
#[derive(Args, Clone, Debug)]
pub(crate) struct PlotArgs {
    #[command(flatten)]
    selection: Selection,
    /// Most threads; the picture has every number up to it
    #[arg(long, default_value = "2")]
    threads: NonZeroUsize,
    /// Timed runs of each kind [default: 11, or 5 where a run takes long]
    #[arg(long)]
    runs: Option<NonZeroUsize>,
    /// File to write, an SVG
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// Runs the command.
///
/// # Errors
/// If a workload cannot be executed, results differ, or the file cannot be written.
pub(crate) fn run(args: &PlotArgs) -> eyre::Result<ExitCode> {
    let groups = args.selection.groups()?;
    let lines = groups.iter().map(|group| curve(group, args)).collect::<eyre::Result<Vec<_>>>()?;
    fs::write(&args.out, draw(&lines, args.threads))
        .wrap_err_with(|| format!("failed to write {}", args.out.display()))?;
    Ok(ExitCode::SUCCESS)
}

/// A workload's speed-up at one thread, at two, and so on.
struct Curve {
    name: String,
    speedups: Vec<f64>,
}

fn curve(group: &Group, args: &PlotArgs) -> eyre::Result<Curve> {
    let mut sums = vec![(Duration::ZERO, Duration::ZERO); args.threads.get()];
    group.for_each(|sample| {
        for (count, (sequential, parallel)) in (1..).filter_map(NonZeroUsize::new).zip(&mut sums) {
            let measured = measure(&sample, Plan { threads: count, runs: args.runs, has_copies: false })
                .wrap_err_with(|| format!("failed to execute {}", sample.name))?;
            ensure!(measured.identical, "the results of {} on {count} threads differ", sample.name);
            *sequential += measured.sequential.wall;
            *parallel += measured.parallel.wall;
        }
        Ok(())
    })?;
    let speedups = sums.into_iter().map(|(sequential, parallel)| ratio(sequential, parallel)).collect();
    Ok(Curve { name: group.name.clone(), speedups })
}

const WIDTH: f64 = 820.0;
const MIN_HEIGHT: f64 = 480.0;
/// From one name to the next.
const NAME_HEIGHT: f64 = 14.0;
/// Where the axes cross, and where they end.
const LEFT: f64 = 56.0;
const RIGHT: f64 = 500.0;
const TOP: f64 = 24.0;
const BOTTOM: f64 = 430.0;

/// Colours that can be told apart, also by those who confuse red and green (Okabe and Ito, 2008).
const COLOURS: [&str; 8] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#8a8a00"];

/// Patterns of lines, one for each round of colours.
const DASHES: [&str; 4] = ["none", "6 3", "2 3", "8 3 2 3"];

/// The picture: one line for each workload, a name beside it, and what would be ideal.
#[expect(clippy::float_arithmetic, clippy::cast_precision_loss, reason = "coordinates of a picture")]
fn draw(curves: &[Curve], threads: NonZeroUsize) -> String {
    let count = threads.get();
    let highest = curves.iter().flat_map(|curve| &curve.speedups).fold(count as f64, |high, &value| high.max(value));
    let x = |threads: f64| LEFT + (RIGHT - LEFT) * (threads - 1.0) / (count as f64 - 1.0).max(1.0);
    let y = |speedup: f64| BOTTOM - (BOTTOM - TOP) * speedup / highest;
    let height = MIN_HEIGHT.max(2.0 * TOP + NAME_HEIGHT * curves.len() as f64);
    let mut svg = String::new();
    let mut add = |element: String| {
        // Writing to a string cannot fail.
        let _ = writeln!(svg, "{element}");
    };
    add(format!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" font-size="11">"#
    ));
    add(r##"<rect width="100%" height="100%" fill="#ffffff"/>"##.to_owned());
    for (value, at) in (0..).map(f64::from).take_while(|&value| value <= highest).map(|value| (value, y(value))) {
        add(format!(r##"<line x1="{LEFT}" y1="{at:.1}" x2="{RIGHT}" y2="{at:.1}" stroke="#dddddd"/>"##));
        add(format!(r#"<text x="{:.1}" y="{:.1}" text-anchor="end">{value}×</text>"#, LEFT - 6.0, at + 4.0));
    }
    for threads in 1..=count {
        let at = x(threads as f64);
        add(format!(r#"<text x="{at:.1}" y="{:.1}" text-anchor="middle">{threads}</text>"#, BOTTOM + 16.0));
    }
    add(format!(
        r#"<text x="{:.1}" y="{:.1}" text-anchor="middle">threads</text>"#,
        f64::midpoint(LEFT, RIGHT),
        BOTTOM + 36.0
    ));
    add(format!(
        r##"<line x1="{LEFT}" y1="{:.1}" x2="{RIGHT}" y2="{:.1}" stroke="#999999" stroke-dasharray="4 4"/>"##,
        y(1.0),
        y(count as f64)
    ));
    for (index, curve) in curves.iter().enumerate() {
        let colour = COLOURS[index % COLOURS.len()];
        let dash = DASHES[index / COLOURS.len() % DASHES.len()];
        let points: Vec<_> =
            (1..).zip(&curve.speedups).map(|(threads, &speedup)| (x(f64::from(threads)), y(speedup))).collect();
        let path: Vec<_> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        let style = format!(r#"stroke="{colour}" stroke-width="2" stroke-dasharray="{dash}""#);
        add(format!(r#"<polyline points="{}" fill="none" {style}/>"#, path.join(" ")));
        for (x, y) in points {
            add(format!(r#"<circle cx="{x:.1}" cy="{y:.1}" r="3" fill="{colour}"/>"#));
        }
        let line = TOP + NAME_HEIGHT * index as f64;
        add(format!(r#"<line x1="{}" y1="{line:.1}" x2="{}" y2="{line:.1}" {style}/>"#, RIGHT + 16.0, RIGHT + 40.0));
        let last = curve.speedups.last().copied().unwrap_or_default();
        let (at, name) = (line + 4.0, &curve.name);
        add(format!(r#"<text x="{}" y="{at:.1}">{name} {last:.2}×</text>"#, RIGHT + 46.0));
    }
    add("</svg>".to_owned());
    svg
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_curve_has_a_line_a_point_for_each_count_and_a_name() {
        let curve = |name: &str, speedups: &[f64]| Curve { name: name.to_owned(), speedups: speedups.to_vec() };
        let curves = [curve("one", &[1.0, 1.9, 2.5]), curve("other", &[0.9, 1.0, 1.0])];
        let svg = draw(&curves, NonZeroUsize::new(3).unwrap());
        assert_eq!(svg.matches("<polyline").count(), 2);
        assert_eq!(svg.matches("<circle").count(), 6);
        assert!(svg.contains(">one 2.50×</text>") && svg.contains(">other 1.00×</text>"), "{svg}");
        // The ideal at three threads is the highest point there is.
        assert!(svg.contains(&format!(r#"y2="{TOP:.1}""#)), "{svg}");
        assert!(svg.starts_with("<svg ") && svg.trim_end().ends_with("</svg>"));
    }

    #[test]
    fn one_thread_can_be_drawn() {
        let curve = Curve { name: "one".to_owned(), speedups: vec![0.97] };
        assert!(!draw(&[curve], NonZeroUsize::MIN).contains("NaN"));
    }
}
