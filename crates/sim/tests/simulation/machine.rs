//! Clocks, disks and power.

use std::{sync::Arc, time::Duration};

use braid_sim::{
    machine::{Hardware, MachineContext, Power, lose_power},
    plan::Machine,
    random::Random,
};
use commonware_runtime::{
    Blob as _, Clock as _, ReadOptions, Runner as _, Spawner as _, Storage as _, Supervisor as _, WriteOptions,
    deterministic,
};

const HALF_SYNC: Duration = Duration::from_millis(20);

fn hardware() -> Arc<Hardware> {
    Arc::new(Hardware::new(Machine { skew_ms: -300, sync_ms: 40 }))
}

/// Runs a validator that `work`s until its power is cut `after` that time; what is in the file then.
fn after_power_cut<F, Fut>(seed: u64, after: Duration, work: F) -> Vec<u8>
where
    F: FnOnce(MachineContext) -> Fut + Send + 'static,
    Fut: Future<Output = ()> + Send + 'static,
{
    deterministic::Runner::seeded(seed).start(|context| async move {
        let power = Arc::new(Power::default());
        let machine = MachineContext::new(context.child("machine"), hardware(), Arc::clone(&power));
        let validator = machine.spawn(work);
        context.sleep(after).await;
        power.cut();
        validator.abort();
        context.sleep(Duration::from_millis(5)).await;
        lose_power(&context, &power, &mut Random::new(seed)).await.unwrap();
        let (blob, length) = context.open("partition", b"file").await.unwrap();
        let length = usize::try_from(length).unwrap();
        blob.read_at(0, length, ReadOptions::default()).await.unwrap().coalesce().as_ref().to_vec()
    })
}

#[test]
fn what_a_sync_has_covered_stays() {
    for seed in 0..50 {
        let found = after_power_cut(seed, Duration::from_millis(200), |machine| async move {
            let (blob, _) = machine.open("partition", b"file").await.unwrap();
            blob.write_at(0, b"first".to_vec(), WriteOptions::default()).await.unwrap();
            blob.sync().await.unwrap();
            blob.write_at(5, b"second".to_vec(), WriteOptions::SYNC).await.unwrap();
            futures::future::pending().await
        });
        assert_eq!(found, b"firstsecond");
    }
}

#[test]
fn what_no_sync_has_covered_may_be_there_or_not_or_torn() {
    let outcomes = |options| {
        let mut outcomes = Vec::new();
        for seed in 0..100 {
            let found = after_power_cut(seed, HALF_SYNC, move |machine| async move {
                let (blob, _) = machine.open("partition", b"file").await.unwrap();
                blob.write_at(0, b"torn".to_vec(), options).await.unwrap();
                blob.sync().await.unwrap();
                panic!("the power goes before a sync is over");
            });
            assert!(b"torn".starts_with(&found[..]) || found == [0; 4], "{found:?}");
            outcomes.push(found);
        }
        outcomes.sort();
        outcomes.dedup();
        outcomes.len()
    };
    assert!(outcomes(WriteOptions::default()) >= 4);
    assert!(outcomes(WriteOptions::SYNC) >= 4);
}

#[test]
fn clocks_are_wrong_and_durations_are_true() {
    deterministic::Runner::seeded(1).start(|context| async move {
        let start = context.current() + Duration::from_secs(10);
        context.sleep_until(start).await;
        let machine = MachineContext::new(context.child("machine"), hardware(), Arc::default());
        assert_eq!(machine.current(), start - Duration::from_millis(300));
        machine.sleep_until(machine.current() + Duration::from_millis(50)).await;
        let passed = context.current().duration_since(start).unwrap();
        assert!((50..53).contains(&passed.as_millis()), "{passed:?}");
    });
}
