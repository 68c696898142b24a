//! The database: SQLite in a file, or PostgreSQL by its connection string, with the same tables and the same statements.
//!
//! **One writer at a time.** A write begins with the lock that both databases have (`BEGIN IMMEDIATE`, an advisory lock) and holds it to its end. So what a
//! write reads stays true until it is committed, numbers have no gaps, and the journal is one chain. Readers see what was committed and wait for nobody.

use std::time::Duration;

use jiff::Timestamp;
use sqlx::{
    Any, AnyPool, Executor as _, Row as _, Transaction,
    any::{AnyPoolOptions, AnyRow},
};

use crate::{
    LedgerError, limits,
    states::{LegState, LoanState, Machine},
    vault::Vault,
};

/// The version of the tables that this program writes.
const SCHEMA_VERSION: i64 = 3;

/// The advisory lock of a writer in PostgreSQL: an arbitrary number that only this program uses.
const WRITER_LOCK: i64 = 0x6272_6169_646c_6e73;

const TABLES: &str = include_str!("schema.sql");
const SQLITE_TRIGGERS: &str = include_str!("schema_sqlite.sql");
const POSTGRES_TRIGGERS: &str = include_str!("schema_postgres.sql");

/// Readers go on while one writes; a commit is on disk when it returns; what is deleted is overwritten.
const SQLITE_SETTINGS: &str = "PRAGMA busy_timeout = 30000; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
     PRAGMA foreign_keys = ON; PRAGMA secure_delete = ON";

/// Which database it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Sqlite,
    Postgres,
}

/// Who does something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    /// A name that does not change: of a caller, or of a part of the service.
    pub name: String,
    /// In which role.
    pub role: String,
}

impl Actor {
    /// A part of the service itself.
    #[must_use]
    pub fn system(name: &str) -> Self {
        Self { name: name.to_owned(), role: "system".to_owned() }
    }
}

/// The books, open.
#[derive(Clone, Debug)]
pub struct Ledger {
    pool: AnyPool,
    kind: Kind,
    vault: Vault,
    tells_chain: bool,
    tells_borrowers: bool,
}

impl Ledger {
    /// Opens the database, and makes its tables if there are none.
    ///
    /// # Errors
    /// If it cannot be opened, or its tables are of another version.
    pub async fn open(url: &str, vault: Vault) -> Result<Self, LedgerError> {
        sqlx::any::install_default_drivers();
        let kind = if url.starts_with("sqlite:") { Kind::Sqlite } else { Kind::Postgres };
        let pool = AnyPoolOptions::new()
            .max_connections(limits::MAX_CONNECTIONS)
            .acquire_timeout(Duration::from_secs(limits::LOCK_WAIT_SECONDS))
            .after_connect(move |connection, _| {
                Box::pin(async move {
                    if kind == Kind::Sqlite {
                        connection.execute(sqlx::raw_sql(SQLITE_SETTINGS)).await?;
                    }
                    Ok(())
                })
            })
            .connect(url)
            .await?;
        let ledger = Self { pool, kind, vault, tells_chain: false, tells_borrowers: false };
        ledger.prepare().await?;
        Ok(ledger)
    }

    /// The same books, of which a chain is told: what happens from now on is put into the outbox for it, and money leaves only when it knows
    /// that the borrower has agreed ([`crate::chain`]).
    #[must_use]
    pub fn telling_a_chain(self) -> Self {
        Self { tells_chain: true, ..self }
    }

    /// The same books, of which borrowers are told: what happens in their name from now on is put into the outbox for them.
    #[must_use]
    pub fn telling_borrowers(self) -> Self {
        Self { tells_borrowers: true, ..self }
    }

    /// Makes the tables, once.
    async fn prepare(&self) -> Result<(), LedgerError> {
        let mut tx = self.lock().await?;
        let exists = match self.kind {
            Kind::Sqlite => "SELECT COUNT(*) FROM sqlite_master WHERE name = 'schema_version'",
            Kind::Postgres => {
                "SELECT COUNT(*) FROM pg_tables WHERE schemaname = current_schema() AND tablename = 'schema_version'"
            }
        };
        let exists: i64 = sqlx::query(exists).fetch_one(&mut *tx).await?.try_get(0)?;
        if exists == 0 {
            let triggers = if self.kind == Kind::Sqlite { SQLITE_TRIGGERS } else { POSTGRES_TRIGGERS };
            tx.execute(sqlx::raw_sql(TABLES)).await?;
            fill_steps::<LoanState>(&mut tx).await?;
            fill_steps::<LegState>(&mut tx).await?;
            tx.execute(sqlx::raw_sql(triggers)).await?;
            sqlx::query("INSERT INTO schema_version (version) VALUES ($1)")
                .bind(SCHEMA_VERSION)
                .execute(&mut *tx)
                .await?;
        }
        let version: i64 =
            sqlx::query("SELECT MAX(version) FROM schema_version").fetch_one(&mut *tx).await?.try_get(0)?;
        if version != SCHEMA_VERSION {
            return Err(LedgerError::Corrupt(format!("tables of version {version}, not {SCHEMA_VERSION}")));
        }
        tx.commit().await?;
        Ok(())
    }

    async fn lock(&self) -> Result<Transaction<'static, Any>, LedgerError> {
        match self.kind {
            Kind::Sqlite => Ok(self.pool.begin_with("BEGIN IMMEDIATE").await?),
            Kind::Postgres => {
                let mut tx = self.pool.begin().await?;
                sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(WRITER_LOCK).execute(&mut *tx).await?;
                Ok(tx)
            }
        }
    }

    /// Begins a write. Nothing of it happens unless it is committed.
    ///
    /// # Errors
    /// If the database fails, or the writer before takes too long.
    pub async fn write(&self, at: Timestamp, by: Actor) -> Result<Write, LedgerError> {
        Ok(Write {
            tx: self.lock().await?,
            at,
            by,
            vault: self.vault.clone(),
            tells_chain: self.tells_chain,
            tells_borrowers: self.tells_borrowers,
        })
    }

    /// Begins to read: everything read through it is of one moment.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn read(&self) -> Result<Read, LedgerError> {
        let tx = match self.kind {
            Kind::Sqlite => self.pool.begin().await?,
            Kind::Postgres => self.pool.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?,
        };
        Ok(Read { tx })
    }

    /// The keys of persons' data.
    #[must_use]
    pub const fn vault(&self) -> &Vault {
        &self.vault
    }

    /// Closes all connections.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

async fn fill_steps<M: Machine>(tx: &mut Transaction<'static, Any>) -> Result<(), LedgerError> {
    for (from, to) in M::STEPS {
        let query = sqlx::query("INSERT INTO state_step (machine, from_state, to_state) VALUES ($1, $2, $3)");
        query.bind(M::NAME).bind(from.name()).bind(to.name()).execute(&mut **tx).await?;
    }
    Ok(())
}

/// A write that is under way: the only one.
#[derive(Debug)]
pub struct Write {
    pub(crate) tx: Transaction<'static, Any>,
    /// When.
    pub at: Timestamp,
    /// By whom.
    pub by: Actor,
    pub(crate) vault: Vault,
    pub(crate) tells_chain: bool,
    pub(crate) tells_borrowers: bool,
}

impl Write {
    /// Makes it so.
    ///
    /// # Errors
    /// If the database fails; then nothing has happened, or everything has, and the caller asks again with the same key.
    pub async fn commit(self) -> Result<(), LedgerError> {
        Ok(self.tx.commit().await?)
    }

    /// The moment in milliseconds.
    pub(crate) fn millis(&self) -> i64 {
        self.at.as_millisecond()
    }
}

/// A view of one moment.
#[derive(Debug)]
pub struct Read {
    pub(crate) tx: Transaction<'static, Any>,
}

/// Something that rows can be read through.
pub trait Source: Send {
    /// The transaction.
    fn rows(&mut self) -> &mut sqlx::AnyConnection;
}

impl Source for Write {
    fn rows(&mut self) -> &mut sqlx::AnyConnection {
        &mut self.tx
    }
}

impl Source for Read {
    fn rows(&mut self) -> &mut sqlx::AnyConnection {
        &mut self.tx
    }
}

/// Columns of a row by name, with the types that both databases have.
pub(crate) trait Columns {
    fn text(&self, name: &str) -> Result<String, LedgerError>;
    fn optional(&self, name: &str) -> Result<Option<String>, LedgerError>;
    fn number(&self, name: &str) -> Result<i64, LedgerError>;
    fn optional_number(&self, name: &str) -> Result<Option<i64>, LedgerError>;

    /// A value that is written as text.
    fn parsed<T: std::str::FromStr>(&self, name: &str) -> Result<T, LedgerError> {
        let text = self.text(name)?;
        text.parse().map_err(|_| LedgerError::Corrupt(format!("{text:?} as {name}")))
    }

    /// A state by its name.
    fn state<M: Machine>(&self, name: &str) -> Result<M, LedgerError> {
        let text = self.text(name)?;
        M::named(&text).ok_or_else(|| LedgerError::Corrupt(format!("{text:?} as {name}")))
    }
}

pub(crate) fn moment(millis: i64) -> Result<Timestamp, LedgerError> {
    Timestamp::from_millisecond(millis).map_err(|_| LedgerError::Corrupt(format!("{millis} as a time")))
}

impl Columns for AnyRow {
    fn text(&self, name: &str) -> Result<String, LedgerError> {
        Ok(self.try_get(name)?)
    }

    fn optional(&self, name: &str) -> Result<Option<String>, LedgerError> {
        Ok(self.try_get(name)?)
    }

    fn number(&self, name: &str) -> Result<i64, LedgerError> {
        Ok(self.try_get(name)?)
    }

    fn optional_number(&self, name: &str) -> Result<Option<i64>, LedgerError> {
        Ok(self.try_get(name)?)
    }
}

/// An amount as it is stored.
pub(crate) fn stored(minor: i128) -> Result<i64, LedgerError> {
    i64::try_from(minor).map_err(|_| LedgerError::invalid("an amount is too large"))
}
