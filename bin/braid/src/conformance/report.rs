//! What became of the test cases, as text for people or as JSON, one object a line.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    io::{self, Write},
    path::{Path, PathBuf},
    process::ExitCode,
};

use serde_json::json;

/// What became of one case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Everything that the fixture states holds.
    Passed,
    /// Something does not, or the fixture cannot be read.
    Failed(String),
    /// The case was not tried, for this reason.
    Skipped(String),
}

impl Verdict {
    const fn name(&self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed(_) => "failed",
            Self::Skipped(_) => "skipped",
        }
    }

    fn reason(&self) -> Option<&str> {
        match self {
            Self::Passed => None,
            Self::Failed(reason) | Self::Skipped(reason) => Some(reason),
        }
    }
}

impl From<Result<(), String>> for Verdict {
    fn from(result: Result<(), String>) -> Self {
        match result {
            Ok(()) => Self::Passed,
            Err(reason) => Self::Failed(reason),
        }
    }
}

/// One case of a fixture file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Case {
    /// Name within the file; empty if the file is one case.
    pub(crate) name: String,
    /// What became of it.
    pub(crate) verdict: Verdict,
}

impl Case {
    pub(crate) fn new(name: impl Into<String>, verdict: impl Into<Verdict>) -> Self {
        Self { name: name.into(), verdict: verdict.into() }
    }

    /// The case that a file which cannot be read counts as.
    pub(crate) fn broken_file(reason: impl Into<String>) -> Self {
        Self::new("", Verdict::Failed(reason.into()))
    }
}

/// How much to print.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    /// Failures and the summary.
    Brief,
    /// Every case and the summary.
    Verbose,
    /// Every case as a JSON object on its line, and the summary as the last one.
    Json,
}

/// Everything that was run, by file.
#[derive(Debug, Default)]
pub(crate) struct Report {
    files: Vec<(PathBuf, Vec<Case>)>,
}

/// Cases by verdict.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Totals {
    passed: usize,
    failed: usize,
    skipped: usize,
}

impl Report {
    /// Adds the cases of a file.
    pub(crate) fn add(&mut self, path: PathBuf, cases: Vec<Case>) {
        self.files.push((path, cases));
    }

    /// Prints the cases and the summary, and says how the process should exit: with an error if a case failed or
    /// there was none.
    pub(crate) fn print(mut self, style: Style) -> io::Result<ExitCode> {
        self.files.sort_by(|(one, _), (other, _)| one.cmp(other));
        let mut out = io::stdout().lock();
        for (path, cases) in &self.files {
            for case in cases {
                print_case(&mut out, style, path, case)?;
            }
        }
        let totals = self.totals();
        if style == Style::Json {
            let Totals { passed, failed, skipped } = totals;
            writeln!(out, "{}", json!({ "passed": passed, "failed": failed, "skipped": skipped }))?;
        } else {
            self.print_skipped(&mut out)?;
            writeln!(out, "{} passed, {} failed, {} skipped", totals.passed, totals.failed, totals.skipped)?;
        }
        out.flush()?;
        let is_empty = totals == Totals::default();
        if is_empty {
            eprintln!("no test case found");
        }
        Ok(if totals.failed > 0 || is_empty { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }

    fn totals(&self) -> Totals {
        let mut totals = Totals::default();
        for case in self.files.iter().flat_map(|(_, cases)| cases) {
            match case.verdict {
                Verdict::Passed => totals.passed += 1,
                Verdict::Failed(_) => totals.failed += 1,
                Verdict::Skipped(_) => totals.skipped += 1,
            }
        }
        totals
    }

    fn print_skipped(&self, out: &mut impl Write) -> io::Result<()> {
        let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
        for case in self.files.iter().flat_map(|(_, cases)| cases) {
            if let Verdict::Skipped(reason) = &case.verdict {
                *reasons.entry(reason).or_default() += 1;
            }
        }
        for (reason, count) in reasons {
            writeln!(out, "skipped {count}: {reason}")?;
        }
        Ok(())
    }
}

fn print_case(out: &mut impl Write, style: Style, path: &Path, case: &Case) -> io::Result<()> {
    let Case { name, verdict } = case;
    match style {
        Style::Json => {
            let (file, outcome) = (path.display().to_string(), verdict.name());
            writeln!(out, "{}", json!({ "file": file, "case": name, "outcome": outcome, "reason": verdict.reason() }))
        }
        Style::Brief if !matches!(verdict, Verdict::Failed(_)) => Ok(()),
        Style::Brief | Style::Verbose => writeln!(out, "{}", line(path, case)),
    }
}

/// `failed path: case: reason`, with the further lines of the reason indented.
fn line(path: &Path, case: &Case) -> String {
    let mut line = format!("{} {}", case.verdict.name(), path.display());
    if !case.name.is_empty() {
        let _ = write!(line, ": {}", case.name);
    }
    if let Some(reason) = case.verdict.reason() {
        let _ = write!(line, ": {}", reason.replace('\n', "\n    "));
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(verdicts: &[Verdict]) -> Report {
        let cases = verdicts.iter().map(|verdict| Case::new("case", verdict.clone())).collect();
        Report { files: vec![(PathBuf::from("file.json"), cases)] }
    }

    #[test]
    fn totals_count_each_verdict() {
        let failed = Verdict::Failed("wrong".to_owned());
        let totals = report(&[Verdict::Passed, failed.clone(), failed]).totals();
        assert_eq!(totals, Totals { passed: 1, failed: 2, skipped: 0 });
    }

    #[test]
    fn skipped_cases_are_grouped_by_reason() {
        let skipped = |reason: &str| Verdict::Skipped(reason.to_owned());
        let report = report(&[skipped("b"), skipped("a"), skipped("b")]);
        let mut out = Vec::new();
        report.print_skipped(&mut out).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "skipped 1: a\nskipped 2: b\n");
    }

    #[test]
    fn json_lines_are_json() {
        let mut out = Vec::new();
        let case = Case::new("a \"case\"", Verdict::Failed("line\nbreak".to_owned()));
        print_case(&mut out, Style::Json, Path::new("f.json"), &case).unwrap();
        let value: serde_json::Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(value["outcome"], "failed");
        assert_eq!(value["reason"], "line\nbreak");
    }

    #[test]
    fn brief_prints_failures_alone() {
        let mut out = Vec::new();
        print_case(&mut out, Style::Brief, Path::new("f"), &Case::new("c", Verdict::Passed)).unwrap();
        assert!(out.is_empty());
        print_case(&mut out, Style::Brief, Path::new("f"), &Case::new("c", Verdict::Failed("r".into()))).unwrap();
        assert_eq!(out, b"failed f: c: r\n");
    }
}
