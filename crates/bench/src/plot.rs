//! `braid-bench plot`: the speed-up over threads as a picture, from lines that `braid-bench exec --json` printed.
//!
//! Each workload has a panel of its own: what was measured, what would be ideal, and the critical path, which no number of
//! threads passes as long as transactions wait for storage and code. Updates that commute do not, so they may pass it.

use std::{collections::BTreeMap, fmt::Write as _, fs, path::PathBuf, process::ExitCode};

use clap::Args;
use eyre::{WrapErr as _, ensure};
use serde::Deserialize;

/// Arguments of `braid-bench plot`.
#[derive(Args, Clone, Debug)]
pub(crate) struct PlotArgs {
    /// Files of JSON lines, from runs with several numbers of threads; of several lines for one number the middle counts
    #[arg(required = true, value_name = "LINES")]
    lines: Vec<PathBuf>,
    /// File to write, an SVG
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// What is read of a line.
#[derive(Debug, Deserialize)]
struct Measured {
    workload: String,
    threads: u32,
    speedup: f64,
    identical: bool,
    critical_path: f64,
}

/// What was measured of one workload.
#[derive(Debug, Default, PartialEq)]
struct Curve {
    /// Speed-ups by number of threads.
    speedups: BTreeMap<u32, Vec<f64>>,
    critical_paths: Vec<f64>,
}

/// Runs the command.
///
/// # Errors
/// If a file cannot be read or written, a line is malformed, or its results were not those of the plain loop.
pub(crate) fn run(args: &PlotArgs) -> eyre::Result<ExitCode> {
    let mut curves = Vec::new();
    for path in &args.lines {
        let text = fs::read_to_string(path).wrap_err_with(|| format!("failed to read {}", path.display()))?;
        read(&text, &mut curves).wrap_err_with(|| format!("failed to use {}", path.display()))?;
    }
    ensure!(!curves.is_empty(), "there is nothing to draw");
    fs::write(&args.out, draw(&curves)).wrap_err_with(|| format!("failed to write {}", args.out.display()))?;
    Ok(ExitCode::SUCCESS)
}

/// Adds what lines say to the curves, which stay in the order of the workloads' first lines. Of a folder of blocks only the sum
/// counts.
fn read(text: &str, curves: &mut Vec<(String, Curve)>) -> eyre::Result<()> {
    for (number, line) in (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty()) {
        let Measured { workload, threads, speedup, identical, critical_path } =
            serde_json::from_str(line).wrap_err_with(|| format!("line {number} is malformed"))?;
        ensure!(identical, "line {number}: the results of {workload} on {threads} threads differ");
        ensure!(threads > 0, "line {number}: {workload} was executed on no thread");
        if workload.contains('/') {
            continue;
        }
        let at = curves.iter().position(|(name, _)| *name == workload).unwrap_or_else(|| {
            curves.push((workload, Curve::default()));
            curves.len() - 1
        });
        let curve = &mut curves[at].1;
        curve.speedups.entry(threads).or_default().push(speedup);
        curve.critical_paths.push(critical_path);
    }
    Ok(())
}

/// The middle of some figures, of two the lower.
fn middle(figures: &[f64]) -> f64 {
    let mut figures = figures.to_vec();
    figures.sort_unstable_by(f64::total_cmp);
    figures.get(figures.len().saturating_sub(1) / 2).copied().unwrap_or_default()
}

/// Panels side by side.
const COLUMNS: usize = 5;
/// A panel with its name, and the part of it between the axes.
const PANEL_WIDTH: f64 = 190.0;
const PANEL_HEIGHT: f64 = 150.0;
const PLOT_WIDTH: f64 = 150.0;
const PLOT_HEIGHT: f64 = 90.0;
const MARGIN: f64 = 24.0;
/// What stands above the panels.
const LEGEND_HEIGHT: f64 = 30.0;

/// Colours that can be told apart, also by those who confuse red and green (Okabe and Ito, 2008).
const MEASURED: &str = "#0072b2";
const CRITICAL: &str = "#d55e00";
const IDEAL: &str = "#999999";

/// Where the values of all panels end: the most threads, and the speed-up at the top.
#[derive(Clone, Copy, Debug)]
struct Scale {
    threads: f64,
    top: f64,
}

/// The picture.
#[expect(clippy::float_arithmetic, clippy::cast_precision_loss, reason = "coordinates of a picture")]
fn draw(curves: &[(String, Curve)]) -> String {
    let threads = curves.iter().filter_map(|(_, curve)| curve.speedups.keys().last()).max().copied().unwrap_or(1);
    let speedups = curves.iter().flat_map(|(_, curve)| curve.speedups.values()).map(|figures| middle(figures));
    let scale = Scale { threads: f64::from(threads), top: speedups.fold(2.0, f64::max).ceil() };
    let columns = COLUMNS.min(curves.len());
    let rows = curves.len().div_ceil(columns.max(1));
    let width = (2.0 * MARGIN + PANEL_WIDTH * columns as f64).max(600.0);
    let height = 2.0 * MARGIN + LEGEND_HEIGHT + PANEL_HEIGHT * rows as f64;
    let mut svg = String::new();
    // Writing to a string cannot fail.
    let _ = writeln!(
        svg,
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="10">
<title>Speed-up of the parallel executor over threads</title>
<rect width="100%" height="100%" fill="#ffffff"/>
<text x="{MARGIN}" y="{MARGIN}" font-size="12">Speed-up over a plain loop, by number of threads:
<tspan fill="{MEASURED}">measured</tspan>, <tspan fill="{IDEAL}">ideal</tspan>, <tspan fill="{CRITICAL}">any number of threads, if storage and code are waited for</tspan></text>"##
    );
    for (index, (name, curve)) in curves.iter().enumerate() {
        let left = MARGIN + PANEL_WIDTH * (index % columns) as f64;
        let top = MARGIN + LEGEND_HEIGHT + PANEL_HEIGHT * (index / columns) as f64;
        let _ = writeln!(svg, r#"<g transform="translate({left:.0} {top:.0})">"#);
        panel(&mut svg, name, curve, scale);
        let _ = writeln!(svg, "</g>");
    }
    svg.push_str("</svg>\n");
    svg
}

/// One workload.
#[expect(clippy::float_arithmetic, reason = "coordinates of a picture")]
fn panel(svg: &mut String, name: &str, curve: &Curve, scale: Scale) {
    let x = |threads: f64| PLOT_WIDTH * (threads - 1.0) / (scale.threads - 1.0).max(1.0);
    let y = |speedup: f64| PLOT_HEIGHT * (1.0 - speedup / scale.top);
    let mut add = |element: String| {
        let _ = writeln!(svg, "{element}");
    };
    let critical = middle(&curve.critical_paths);
    // Folders of blocks may be called anything.
    let name = name.replace('&', "&amp;").replace('<', "&lt;");
    add(format!(r#"<text y="-14" font-weight="bold">{name}</text>"#));
    add(format!(r#"<text y="-3" fill="{CRITICAL}">{critical:.1}×</text>"#));
    for value in (0..).map(f64::from).take_while(|&value| value <= scale.top) {
        let at = y(value);
        add(format!(r##"<line x1="0" y1="{at:.1}" x2="{PLOT_WIDTH}" y2="{at:.1}" stroke="#dddddd"/>"##));
        add(format!(r#"<text x="-4" y="{:.1}" text-anchor="end">{value}</text>"#, at + 3.0));
    }
    let end = scale.threads.min(scale.top);
    let (from, to) = ((x(1.0), y(1.0)), (x(end), y(end)));
    let line = format!(r#"x1="{:.1}" y1="{:.1}" x2="{:.1}" y2="{:.1}""#, from.0, from.1, to.0, to.1);
    add(format!(r#"<line {line} stroke="{IDEAL}" stroke-dasharray="4 3"/>"#));
    if critical <= scale.top {
        let at = y(critical);
        add(format!(
            r#"<line x1="0" y1="{at:.1}" x2="{PLOT_WIDTH}" y2="{at:.1}" stroke="{CRITICAL}" stroke-dasharray="2 2"/>"#
        ));
    }
    let points = curve.speedups.iter().map(|(&threads, figures)| (threads, middle(figures)));
    let path: Vec<_> =
        points.clone().map(|(threads, speedup)| format!("{:.1},{:.1}", x(f64::from(threads)), y(speedup))).collect();
    add(format!(r#"<polyline points="{}" fill="none" stroke="{MEASURED}" stroke-width="2"/>"#, path.join(" ")));
    for (threads, speedup) in points {
        let (x, y) = (x(f64::from(threads)), y(speedup));
        add(format!(r#"<circle cx="{x:.1}" cy="{y:.1}" r="2.5" fill="{MEASURED}"/>"#));
        add(format!(
            r#"<text x="{x:.1}" y="{:.1}" text-anchor="middle" fill="{MEASURED}">{speedup:.2}</text>"#,
            y - 6.0
        ));
        add(format!(r#"<text x="{x:.1}" y="{:.1}" text-anchor="middle">{threads}</text>"#, PLOT_HEIGHT + 12.0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(workload: &str, threads: u32, speedup: f64) -> String {
        format!(
            r#"{{"workload":"{workload}","threads":{threads},"speedup":{speedup},"identical":true,"critical_path":5.4,"gas":1}}"#
        )
    }

    fn curves(lines: &[String]) -> Vec<(String, Curve)> {
        let mut curves = Vec::new();
        read(&lines.join("\n"), &mut curves).unwrap();
        curves
    }

    #[test]
    fn lines_become_curves_and_single_blocks_are_left_out() {
        let lines = [line("one", 2, 1.9), line("folder/7", 2, 1.0), line("folder", 2, 1.5), line("one", 1, 0.9)];
        let found = curves(&lines);
        assert_eq!(found.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["one", "folder"]);
        assert_eq!(found[0].1.speedups, BTreeMap::from([(1, vec![0.9]), (2, vec![1.9])]));
    }

    #[test]
    fn of_several_rounds_the_middle_counts() {
        assert_eq!(middle(&[1.7, 1.2, 1.5]), 1.5);
        assert_eq!(middle(&[1.7, 1.2]), 1.2);
        assert_eq!(middle(&[]), 0.0);
    }

    #[test]
    fn wrong_results_and_malformed_lines_are_refused() {
        let error = |text: &str| read(text, &mut Vec::new()).unwrap_err().to_string();
        assert_eq!(error("\n{"), "line 2 is malformed");
        let different = line("one", 2, 1.9).replace("true", "false");
        assert_eq!(error(&different), "line 1: the results of one on 2 threads differ");
        assert_eq!(error(&line("one", 0, 1.9)), "line 1: one was executed on no thread");
    }

    #[test]
    fn every_workload_has_a_panel_with_a_point_for_each_number_of_threads() {
        let lines = [line("one", 1, 0.97), line("one", 2, 1.91), line("one", 3, 2.5), line("other", 1, 1.0)];
        let svg = draw(&curves(&lines));
        assert_eq!((svg.matches("<polyline").count(), svg.matches("<circle").count()), (2, 4));
        assert!(svg.contains(">one</text>") && svg.contains(">1.91</text>") && svg.contains(">5.4×</text>"), "{svg}");
        assert!(svg.starts_with("<svg ") && svg.trim_end().ends_with("</svg>"));
        assert!(!svg.contains("NaN"), "{svg}");
    }

    #[test]
    fn names_are_no_elements() {
        assert!(draw(&curves(&[line("a<b&c", 1, 0.97)])).contains(">a&lt;b&amp;c</text>"));
    }

    #[test]
    fn one_thread_can_be_drawn() {
        assert!(!draw(&curves(&[line("one", 1, 0.97)])).contains("NaN"));
    }
}
