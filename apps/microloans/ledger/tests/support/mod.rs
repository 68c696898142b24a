//! Databases for tests: SQLite in a folder of its own, and PostgreSQL on a server that is started for the test, where it is installed.

#![allow(dead_code, reason = "every test uses a part of it")]
#![allow(unreachable_pub, reason = "it is a module of several test programs")]
#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use std::{
    io::ErrorKind,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use sqlx::Connection as _;
use tempfile::TempDir;

/// How long a server may take to start on a machine that does something else.
const START_SECONDS: u32 = 120;

/// A database in a file.
pub struct Sqlite {
    pub url: String,
    pub folder: TempDir,
}

pub fn sqlite() -> Sqlite {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}?mode=rwc", folder.path().join("books.sqlite").display());
    Sqlite { url, folder }
}

/// A PostgreSQL server with a folder of its own, ended when it is dropped.
pub struct Postgres {
    server: Child,
    port: u16,
    _folder: TempDir,
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

impl Postgres {
    /// Starts a server; `None` where PostgreSQL is not installed.
    pub async fn start() -> Option<Self> {
        let programs = programs()?;
        let folder = tempfile::tempdir().unwrap();
        // PostgreSQL refuses to run as root: there it runs as the user that its package makes.
        let is_root = std::env::var("USER").is_ok_and(|user| user == "root") || is_owned_by_root(folder.path());
        if is_root && !run(Command::new("chown").arg("postgres").arg(folder.path())) {
            return None;
        }
        let data = folder.path().join("data");
        let mut init = command(&programs.join("initdb"), is_root);
        init.args(["--auth=trust", "--username=braid", "--no-sync", "--pgdata"]).arg(&data);
        if !run(&mut init) {
            return None;
        }
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut server = command(&programs.join("postgres"), is_root);
        server.arg("-D").arg(&data).arg("-k").arg(folder.path()).args(["-h", "127.0.0.1", "-p", &port.to_string()]);
        server.args(["-c", "fsync=off"]).stdout(Stdio::null()).stderr(Stdio::null());
        let server = Self { server: server.spawn().unwrap(), port, _folder: folder };
        for _ in 0..START_SECONDS * 5 {
            if sqlx::AnyConnection::connect(&server.url("postgres")).await.is_ok() {
                return Some(server);
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        panic!("PostgreSQL did not start within {START_SECONDS} seconds");
    }

    fn url(&self, database: &str) -> String {
        format!("postgres://braid@127.0.0.1:{}/{database}", self.port)
    }

    /// A new database.
    pub async fn database(&self, name: &str) -> String {
        let mut connection = sqlx::AnyConnection::connect(&self.url("postgres")).await.unwrap();
        let statement = sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}"));
        sqlx::raw_sql(statement).execute(&mut connection).await.unwrap();
        self.url(name)
    }
}

/// The folder of PostgreSQL's programs.
fn programs() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    if let Ok(versions) = std::fs::read_dir("/usr/lib/postgresql") {
        folders.extend(versions.flatten().map(|version| version.path().join("bin")));
    }
    folders.into_iter().find(|folder| folder.join("initdb").exists() && folder.join("postgres").exists())
}

fn is_owned_by_root(path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    std::fs::metadata(path).unwrap().uid() == 0
}

fn command(program: &Path, as_postgres: bool) -> Command {
    if !as_postgres {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]).arg(program).current_dir("/");
    command
}

fn run(command: &mut Command) -> bool {
    match command.stdout(Stdio::null()).stderr(Stdio::null()).status() {
        Ok(status) => status.success(),
        Err(error) if error.kind() == ErrorKind::NotFound => false,
        Err(error) => panic!("{command:?}: {error}"),
    }
}
