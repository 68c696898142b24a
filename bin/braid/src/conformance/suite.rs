//! Runs a judge over every fixture file that the command line names, on all cores.
//!
//! A thread holds one file at a time, so memory is bounded by the largest files. Threads are plain ones rather than
//! rayon's: state roots use rayon inside, and a worker that waits there would otherwise begin another file.

use std::{
    fs,
    io::{self, IsTerminal},
    num::NonZeroUsize,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    process::ExitCode,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

use braid_exec::{Config, Statistics};
use clap::Args;
use eyre::WrapErr as _;
use parking_lot::Mutex;

use super::report::{Case, Report, Style};

/// Deepest nesting of folders that are searched for fixtures.
const MAX_FOLDER_DEPTH: usize = 32;

/// Stack of a thread that runs cases: generous, as fixtures contain the deepest calls there are.
const STACK_SIZE_BYTES: usize = 64 << 20;

/// Arguments that all conformance commands share.
#[derive(Args, Clone, Debug)]
pub(crate) struct SuiteArgs {
    /// Fixture files, or folders that are searched for them
    #[arg(required = true, value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    /// Print one JSON object a line
    #[arg(long)]
    pub(crate) json: bool,
    /// Print every case, not failures alone
    #[arg(long)]
    pub(crate) verbose: bool,
}

impl SuiteArgs {
    /// How to print what the arguments ask for.
    pub(crate) const fn style(&self) -> Style {
        match (self.json, self.verbose) {
            (true, _) => Style::Json,
            (false, true) => Style::Verbose,
            (false, false) => Style::Brief,
        }
    }
}

/// Arguments of the commands that run files side by side.
#[derive(Args, Clone, Debug)]
pub(crate) struct ThreadArgs {
    /// Files to run at once [default: all cores]
    #[arg(long)]
    threads: Option<NonZeroUsize>,
    /// Worker threads inside each block; --threads runs files side by side [default: 1]
    #[arg(long, default_value = "1", hide_default_value = true)]
    block_threads: NonZeroUsize,
}

impl ThreadArgs {
    /// All cores, or as many files at once as were asked for.
    pub(crate) fn files(&self) -> NonZeroUsize {
        self.threads.or_else(|| thread::available_parallelism().ok()).unwrap_or(NonZeroUsize::MIN)
    }

    /// How blocks are executed.
    pub(crate) fn config(&self) -> Config {
        Config { threads: self.block_threads, ..Config::default() }
    }
}

/// A block that several threads began and one had to finish shows a defect, even if its outcome is right.
///
/// # Errors
/// If that happened.
pub(crate) fn check_no_fallback(statistics: &Statistics) -> Result<(), String> {
    if statistics.fallbacks > 0 { Err("the threads gave up".to_owned()) } else { Ok(()) }
}

/// Judges every fixture file whose name ends in `extension`, prints the report, and says how to exit.
///
/// # Errors
/// If threads cannot be started or the report cannot be printed.
pub(crate) fn run(
    args: &SuiteArgs,
    extension: &str,
    threads: NonZeroUsize,
    judge: impl Fn(&Path, &[u8]) -> Vec<Case> + Sync,
) -> eyre::Result<ExitCode> {
    let (files, mut report) = collect(&args.paths, extension);
    let (next, done) = (AtomicUsize::new(0), Mutex::new(Vec::with_capacity(files.len())));
    let progress = Progress::new(files.len(), args.style());
    let work = || {
        // Ordering: the counter alone hands out files; nothing else is published through it.
        while let Some(path) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
            let cases = judge_file(path, &judge);
            done.lock().push((path.clone(), cases));
            progress.advance();
        }
    };
    thread::scope(|scope| -> io::Result<()> {
        for _ in 0..threads.get().min(files.len()) {
            thread::Builder::new().stack_size(STACK_SIZE_BYTES).spawn_scoped(scope, work)?;
        }
        Ok(())
    })
    .wrap_err("failed to start threads")?;
    progress.finish();
    for (path, cases) in done.into_inner() {
        report.add(path, cases);
    }
    Ok(report.print(args.style())?)
}

fn judge_file(path: &Path, judge: &impl Fn(&Path, &[u8]) -> Vec<Case>) -> Vec<Case> {
    match fs::read(path) {
        Ok(content) => judge(path, &content),
        Err(error) => vec![Case::broken_file(format!("cannot be read: {error}"))],
    }
}

/// Runs one case so that a panic in the code under test is that case's failure alone.
pub(crate) fn guarded(case: impl FnOnce() -> Result<(), String>) -> Result<(), String> {
    catch_unwind(AssertUnwindSafe(case)).unwrap_or_else(|payload| {
        let message = payload.downcast_ref::<String>().cloned();
        let message = message.or_else(|| payload.downcast_ref::<&str>().map(ToString::to_string));
        Err(format!("panicked: {}", message.unwrap_or_default()))
    })
}

/// The files to run, sorted; a path that does not lead to one is reported as a failure.
fn collect(paths: &[PathBuf], extension: &str) -> (Vec<PathBuf>, Report) {
    let (mut files, mut report) = (Vec::new(), Report::default());
    for path in paths {
        let before = files.len();
        match find(path, extension, MAX_FOLDER_DEPTH, &mut files) {
            Ok(()) if files.len() > before => {}
            Ok(()) => report.add(path.clone(), vec![Case::broken_file(format!("holds no *{extension} file"))]),
            Err(error) => report.add(path.clone(), vec![Case::broken_file(format!("cannot be read: {error}"))]),
        }
    }
    files.sort();
    files.dedup();
    (files, report)
}

/// Adds `path` if it is a file, whatever its name, or the matching files below it. Hidden folders hold tools' own
/// data and are left out, as are folders behind links, which could form a circle.
fn find(path: &Path, extension: &str, depth: usize, files: &mut Vec<PathBuf>) -> io::Result<()> {
    if fs::metadata(path)?.is_file() {
        files.push(path.to_owned());
        return Ok(());
    }
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with('.') {
            continue;
        }
        let is_folder = entry.file_type()?.is_dir();
        if is_folder && depth > 0 {
            find(&entry.path(), extension, depth - 1, files)?;
        } else if !is_folder && name.ends_with(extension) {
            files.push(entry.path());
        }
    }
    Ok(())
}

/// A line on the terminal that says how far the run is.
struct Progress {
    total: usize,
    done: AtomicUsize,
    is_shown: bool,
}

impl Progress {
    /// Files between two updates of the line.
    const STEP: usize = 16;

    fn new(total: usize, style: Style) -> Self {
        let is_shown = style == Style::Brief && io::stderr().is_terminal();
        Self { total, done: AtomicUsize::new(0), is_shown }
    }

    fn advance(&self) {
        // Ordering: a statistic; no memory depends on it.
        let done = self.done.fetch_add(1, Ordering::Relaxed) + 1;
        if self.is_shown && done.is_multiple_of(Self::STEP) {
            eprint!("\r{done} of {} files", self.total);
        }
    }

    fn finish(&self) {
        if self.is_shown {
            eprint!("\r\x1b[K");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_searched_in_order_without_hidden_ones() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("b/.meta")).unwrap();
        for name in ["b/.meta/index.json", "b/2.json", "b/1.json", "b/readme.md", "a.json"] {
            fs::write(dir.path().join(name), "{}").unwrap();
        }
        let (files, report) = collect(&[dir.path().to_owned()], ".json");
        let names: Vec<_> = files.iter().map(|file| file.strip_prefix(dir.path()).unwrap().to_owned()).collect();
        assert_eq!(names, ["a.json", "b/1.json", "b/2.json"].map(PathBuf::from));
        assert_eq!(report.print(Style::Brief).unwrap(), ExitCode::FAILURE, "an empty report is a failure");
    }

    #[test]
    fn a_panic_fails_the_case_alone() {
        let outcome = guarded(|| panic!("broken {}", 1));
        assert_eq!(outcome, Err("panicked: broken 1".to_owned()));
        assert_eq!(guarded(|| Ok(())), Ok(()));
    }
}
