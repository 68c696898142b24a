//! One validator's machine: the simulated runtime seen through a clock that is wrong and a disk that is slow and loses power.
//!
//! [`MachineContext`] is what a validator gets as its runtime. It hands everything to the deterministic runtime, except:
//!
//! - *Clock.* The time it tells is the true time plus the machine's skew. Durations are true.
//! - *Disk.* A sync takes the machine's time. Writes are remembered until a sync covers them; when the power goes, each of
//!   them is on the disk, or is not, or only its first bytes are ([`lose_power`]). That is what the runtime's storage contract
//!   allows: only what a sync has covered is sure to be there.
//! - *Power.* After it went, nothing is written any more and no call returns, until the tasks are gone.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    num::NonZeroUsize,
    ops::{Range, RangeInclusive},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};

use commonware_parallel::Rayon;
use commonware_runtime::{
    Blob, BlobVersion, Clock, Error, Handle, IoBufs, IoBufsMut, Metrics, Name, ReadOptions, Spawner, Storage,
    Strategizer, Supervisor, WriteOptions, deterministic, signal,
    telemetry::metrics::{Metric, Registered},
};
use commonware_utils::channel::oneshot;
use governor::clock::{Clock as GovernorClock, ReasonablyRealtime};
use parking_lot::Mutex;
use rand_core::{TryCryptoRng, TryRng};

use crate::{plan::Machine, random::Random};

/// A machine as its owner, the simulation, holds it. It outlives the validators that run on it.
#[derive(Debug)]
pub struct Hardware {
    skew_ms: AtomicI64,
    sync_ms: AtomicU64,
}

impl Hardware {
    /// A machine of this kind.
    pub const fn new(machine: Machine) -> Self {
        Self { skew_ms: AtomicI64::new(machine.skew_ms), sync_ms: AtomicU64::new(machine.sync_ms) }
    }

    /// Sets how far its clock is from the true time.
    pub fn set_skew_ms(&self, skew_ms: i64) {
        // Ordering: one thread runs a simulation; so for all of these.
        self.skew_ms.store(skew_ms, Ordering::Relaxed);
    }

    /// Sets how long its disk takes to make writes durable.
    pub fn set_sync_ms(&self, sync_ms: u64) {
        self.sync_ms.store(sync_ms, Ordering::Relaxed);
    }

    fn sync_time(&self) -> Duration {
        Duration::from_millis(self.sync_ms.load(Ordering::Relaxed))
    }

    fn told(&self, time: SystemTime) -> SystemTime {
        shift(time, self.skew_ms.load(Ordering::Relaxed))
    }

    fn true_time(&self, told: SystemTime) -> SystemTime {
        shift(told, -self.skew_ms.load(Ordering::Relaxed))
    }
}

fn shift(time: SystemTime, by_ms: i64) -> SystemTime {
    let by = Duration::from_millis(by_ms.unsigned_abs());
    let shifted = if by_ms < 0 { time.checked_sub(by) } else { time.checked_add(by) };
    shifted.unwrap_or(time)
}

/// From when a validator is started on a machine until the power goes.
#[derive(Debug)]
pub struct Power {
    on: AtomicBool,
    unsynced: Mutex<Unsynced>,
}

/// Changes that no sync has covered, by file, each with its number.
#[derive(Debug, Default)]
struct Unsynced {
    files: BTreeMap<File, Vec<(u64, Change)>>,
    next: u64,
}

/// Partition and name.
type File = (String, Vec<u8>);

#[derive(Clone, Debug)]
enum Change {
    Write { offset: u64, bytes: Vec<u8> },
    Resize(u64),
}

impl Default for Power {
    fn default() -> Self {
        Self { on: AtomicBool::new(true), unsynced: Mutex::default() }
    }
}

impl Power {
    /// Whether it is on.
    pub fn is_on(&self) -> bool {
        self.on.load(Ordering::Relaxed)
    }

    /// Switches it off: from now on the validator neither writes nor sends. Its tasks have to be ended, and [`lose_power`] decides
    /// what is on the disk.
    pub fn cut(&self) {
        self.on.store(false, Ordering::Relaxed);
    }

    /// Waits for ever once the power is off.
    async fn hold(&self) {
        if !self.is_on() {
            futures::future::pending::<()>().await;
        }
    }

    /// Remembers a change that is not durable; its number.
    fn remember(&self, file: &File, change: Change) -> u64 {
        let mut unsynced = self.unsynced.lock();
        let number = unsynced.next;
        unsynced.next += 1;
        unsynced.files.entry(file.clone()).or_default().push((number, change));
        number
    }

    /// The number of the next change.
    fn next(&self) -> u64 {
        self.unsynced.lock().next
    }

    /// The changes of a file with these numbers are durable.
    fn forget(&self, file: &File, numbers: Range<u64>) {
        if let Some(changes) = self.unsynced.lock().files.get_mut(file) {
            changes.retain(|(number, _)| !numbers.contains(number));
        }
    }

    fn forget_files(&self, partition: &str, name: Option<&[u8]>) {
        let gone = |file: &File| file.0 == partition && name.is_none_or(|name| file.1 == name);
        self.unsynced.lock().files.retain(|file, _| !gone(file));
    }
}

/// Decides what is on the disk after the power went: of the changes that no sync covered each is there, or is not, or begins to be. All
/// tasks of the validator must be gone.
///
/// # Errors
/// If the simulated storage fails.
pub async fn lose_power(storage: &deterministic::Context, power: &Power, random: &mut Random) -> Result<(), Error> {
    let unsynced = std::mem::take(&mut power.unsynced.lock().files);
    for ((partition, name), changes) in unsynced {
        let exists = storage.scan(&partition).await.is_ok_and(|names| names.contains(&name));
        if !exists {
            continue;
        }
        let (blob, length) = storage.open(&partition, &name).await?;
        let mut length = length;
        for (_, change) in changes {
            length = survive(&blob, length, change, random).await?;
        }
        blob.sync().await?;
    }
    Ok(())
}

/// Applies what is left of a change to a file of `length` bytes; its length afterwards.
async fn survive<B: Blob>(blob: &B, length: u64, change: Change, random: &mut Random) -> Result<u64, Error> {
    if random.chance(50) {
        return Ok(length);
    }
    match change {
        Change::Resize(length) => {
            blob.resize(length).await?;
            Ok(length)
        }
        Change::Write { offset, mut bytes } => {
            if random.chance(50) {
                bytes.truncate(random.index(bytes.len() + 1));
            }
            let end = offset + bytes.len() as u64;
            blob.write_at(offset, bytes, WriteOptions::default()).await?;
            Ok(length.max(end))
        }
    }
}

/// The runtime of a validator; see the [module](self).
pub struct MachineContext {
    inner: deterministic::Context,
    hardware: Arc<Hardware>,
    power: Arc<Power>,
}

impl MachineContext {
    /// A validator's runtime on this machine.
    pub const fn new(inner: deterministic::Context, hardware: Arc<Hardware>, power: Arc<Power>) -> Self {
        Self { inner, hardware, power }
    }

    fn around(&self, inner: deterministic::Context) -> Self {
        Self { inner, hardware: Arc::clone(&self.hardware), power: Arc::clone(&self.power) }
    }
}

impl std::fmt::Debug for MachineContext {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MachineContext").field("hardware", &self.hardware).finish_non_exhaustive()
    }
}

impl Supervisor for MachineContext {
    fn name(&self) -> Name {
        self.inner.name()
    }

    fn child(&self, label: &'static str) -> Self {
        self.around(self.inner.child(label))
    }

    fn with_attribute(self, key: &'static str, value: impl std::fmt::Display) -> Self {
        Self { inner: self.inner.with_attribute(key, value), ..self }
    }
}

impl Spawner for MachineContext {
    fn shared(self, blocking: bool) -> Self {
        Self { inner: self.inner.shared(blocking), ..self }
    }

    fn dedicated(self) -> Self {
        Self { inner: self.inner.dedicated(), ..self }
    }

    fn spawn<F, Fut, T>(self, f: F) -> Handle<T>
    where
        F: FnOnce(Self) -> Fut + Send + 'static,
        Fut: Future<Output = T> + Send + 'static,
        T: Send + 'static,
    {
        let Self { inner, hardware, power } = self;
        inner.spawn(move |inner| f(Self { inner, hardware, power }))
    }

    async fn stop(self, value: i32, timeout: Option<Duration>) -> Result<(), Error> {
        self.inner.stop(value, timeout).await
    }

    fn stopped(&self) -> signal::Signal {
        self.inner.stopped()
    }
}

impl Strategizer for MachineContext {
    fn strategy(&self, parallelism: NonZeroUsize) -> Rayon {
        self.inner.strategy(parallelism)
    }
}

impl Metrics for MachineContext {
    fn register<N: Into<String>, H: Into<String>, M: Metric>(&self, name: N, help: H, metric: M) -> Registered<M> {
        self.inner.register(name, help, metric)
    }

    fn encode(&self) -> String {
        self.inner.encode()
    }
}

impl GovernorClock for MachineContext {
    type Instant = SystemTime;

    fn now(&self) -> SystemTime {
        self.current()
    }
}

impl ReasonablyRealtime for MachineContext {}

impl Clock for MachineContext {
    fn current(&self) -> SystemTime {
        self.hardware.told(self.inner.current())
    }

    fn sleep(&self, duration: Duration) -> impl Future<Output = ()> + Send + 'static + use<> {
        self.inner.sleep(duration)
    }

    fn sleep_until(&self, deadline: SystemTime) -> impl Future<Output = ()> + Send + 'static + use<> {
        self.inner.sleep_until(self.hardware.true_time(deadline))
    }
}

impl TryRng for MachineContext {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        self.inner.try_next_u32()
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        self.inner.try_next_u64()
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        self.inner.try_fill_bytes(bytes)
    }
}

impl TryCryptoRng for MachineContext {}

impl Storage for MachineContext {
    type Blob = MachineBlob;

    async fn open_versioned(
        &self,
        partition: &str,
        name: &[u8],
        versions: RangeInclusive<BlobVersion>,
    ) -> Result<(Self::Blob, u64, BlobVersion), Error> {
        self.power.hold().await;
        let (inner, length, version) = self.inner.open_versioned(partition, name, versions).await?;
        let blob = MachineBlob {
            inner: Arc::new(inner),
            file: (partition.to_owned(), name.to_vec()),
            clock: self.inner.child("disk"),
            hardware: Arc::clone(&self.hardware),
            power: Arc::clone(&self.power),
        };
        Ok((blob, length, version))
    }

    async fn remove(&self, partition: &str, name: Option<&[u8]>) -> Result<(), Error> {
        self.power.hold().await;
        self.inner.remove(partition, name).await?;
        self.power.forget_files(partition, name);
        Ok(())
    }

    async fn scan(&self, partition: &str) -> Result<Vec<Vec<u8>>, Error> {
        self.power.hold().await;
        self.inner.scan(partition).await
    }
}

/// A file on a machine's disk.
pub struct MachineBlob {
    inner: Arc<deterministic::Blob>,
    file: File,
    clock: deterministic::Context,
    hardware: Arc<Hardware>,
    power: Arc<Power>,
}

impl std::fmt::Debug for MachineBlob {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MachineBlob").field("file", &self.file).finish_non_exhaustive()
    }
}

impl Blob for MachineBlob {
    async fn read_at_buf(
        &self,
        offset: u64,
        len: usize,
        bufs: impl Into<IoBufsMut> + Send,
        options: ReadOptions,
    ) -> Result<IoBufsMut, Error> {
        self.inner.read_at_buf(offset, len, bufs, options).await
    }

    async fn read_at(&self, offset: u64, len: usize, options: ReadOptions) -> Result<IoBufsMut, Error> {
        self.inner.read_at(offset, len, options).await
    }

    async fn write_at(&self, offset: u64, bufs: impl Into<IoBufs> + Send, options: WriteOptions) -> Result<(), Error> {
        self.power.hold().await;
        let bufs = bufs.into().coalesce();
        if !options.contains(WriteOptions::SYNC) {
            self.inner.write_at(offset, bufs.clone(), options).await?;
            self.power.remember(&self.file, Change::Write { offset, bytes: bufs.as_ref().to_vec() });
            return Ok(());
        }
        // Until it is durable it may be torn as any other write.
        let number = self.power.remember(&self.file, Change::Write { offset, bytes: bufs.as_ref().to_vec() });
        self.clock.sleep(self.hardware.sync_time()).await;
        self.power.hold().await;
        self.inner.write_at(offset, bufs, options).await?;
        self.power.forget(&self.file, number..number + 1);
        Ok(())
    }

    async fn resize(&self, len: u64) -> Result<(), Error> {
        self.power.hold().await;
        self.inner.resize(len).await?;
        self.power.remember(&self.file, Change::Resize(len));
        Ok(())
    }

    async fn sync(&self) -> Result<(), Error> {
        self.start_sync().await.await
    }

    async fn start_sync(&self) -> Handle<()> {
        self.power.hold().await;
        let covered = 0..self.power.next();
        let (inner, file, power) = (Arc::clone(&self.inner), self.file.clone(), Arc::clone(&self.power));
        let wait = self.clock.sleep(self.hardware.sync_time());
        let (done, handle) = oneshot::channel();
        // Goes on if nobody waits for it, as long as the power is on.
        self.clock.child("sync").spawn(move |_| async move {
            wait.await;
            power.hold().await;
            let result = inner.sync().await;
            if result.is_ok() {
                power.forget(&file, covered);
            }
            // Whoever asked may have gone.
            let _ = done.send(result);
        });
        Handle::from_receiver(handle)
    }
}
