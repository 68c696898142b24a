//! What holds in the world whatever happens in it: no money appears or disappears, and the same seed means the same.

use proptest::prelude::*;

use super::*;
use crate::{people::people, phone::Habit, world::payment::Order};

fn world(seed: u64, faults: Faults, habit: Habit) -> World {
    let float = BTreeMap::from([(Rail::Daraja, 1_000_000), (Rail::MtnMomo, 1_000_000)]);
    let mut world = World::new(seed, 0, faults, float);
    for phone in people(4, habit) {
        world.add_phone(phone).unwrap();
    }
    world
}

fn total(world: &World) -> i64 {
    let accounts: i64 = [Rail::Daraja, Rail::MtnMomo]
        .map(|rail| world.float_and_charges(rail))
        .iter()
        .map(|(float, charges)| float + charges)
        .sum();
    accounts + world.phones().map(|phone| phone.balance_minor).sum::<i64>()
}

fn order(world: &World, kind: Kind, n: usize, id: String, amount_minor: i64) -> Order {
    let phone = world.phones().nth(n % 4).unwrap();
    Order {
        rail: phone.rail,
        kind,
        server_id: format!("server-{id}"),
        id,
        msisdn: phone.msisdn.clone(),
        amount_minor,
        reference: "LN-1".into(),
        external_id: String::new(),
        note: String::new(),
        callbacks: Callbacks { result: "http://127.0.0.1/r".into(), timeout: "http://127.0.0.1/t".into() },
        is_authorised: true,
        about: String::new(),
    }
}

/// What a day brings, as numbers.
type Deed = (u8, usize, i64, i64);

fn live(seed: u64, faults: Faults, habit: Habit, deeds: &[Deed]) -> (World, Vec<Delivery>) {
    let mut world = world(seed, faults, habit);
    let before = total(&world);
    let mut told = Vec::new();
    for (at, (what, n, amount, wait)) in deeds.iter().enumerate() {
        let kind = if what.is_multiple_of(3) { Kind::Payout } else { Kind::Prompt };
        if *what == 5 {
            let phone = world.phones().nth(n % 4).unwrap().clone();
            let _ = world.pay_in(&phone.msisdn, &phone.pin, "LN-1", amount * 100);
        } else if *what == 6 {
            let receipt = world.entries(Rail::Daraja).next().map(|entry| (entry.receipt.clone(), entry.amount_minor));
            if let Some((about, amount_minor)) = receipt {
                let reversal = Order {
                    about,
                    rail: Rail::Daraja,
                    ..order(&world, Kind::Reversal, 0, format!("id-{at}"), amount_minor.abs())
                };
                let fate = world.fate(Kind::Reversal, "x");
                world.take(reversal, fate).unwrap();
            }
        } else {
            let order = order(&world, kind, *n, format!("id-{at}"), amount * 100);
            let fate = world.fate(kind, &order.msisdn);
            world.take(order, fate).unwrap();
        }
        let until = world.now_ms() + wait;
        while let Some(delivery) = world.step(until) {
            if let Some(key) = &delivery.validates {
                world.validated(key, None);
            }
            told.push(delivery);
        }
        assert_eq!(total(&world), before, "money appeared or disappeared");
        assert!(world.phones().all(|phone| phone.balance_minor >= 0));
    }
    (world, told)
}

fn deeds() -> impl Strategy<Value = Vec<Deed>> {
    prop::collection::vec((0..7u8, 0..4usize, 1..4000i64, 0..200_000i64), 1..40)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_money_appears_or_disappears(seed in any::<u64>(), deeds in deeds()) {
        live(seed, Faults::rough(), Habit::Approve, &deeds);
    }

    #[test]
    fn the_same_seed_means_the_same(seed in any::<u64>(), deeds in deeds()) {
        let (first, told_first) = live(seed, Faults::rough(), Habit::Approve, &deeds);
        let (second, told_second) = live(seed, Faults::rough(), Habit::Approve, &deeds);
        prop_assert_eq!(told_first, told_second);
        prop_assert!(first.phones().eq(second.phones()));
    }
}

#[test]
fn a_wallet_is_locked_after_three_wrong_pins() {
    let deeds: Vec<Deed> = (0..4).map(|n| (1, 0, 10 + n, 200_000)).collect();
    let (world, told) = live(1, Faults::calm(), Habit::WrongPin, &deeds);
    assert!(world.phones().next().unwrap().is_locked());
    assert_eq!(told.len(), 4);
    assert!(
        told[3].body.contains("APPROVAL_REJECTED")
            || told[3].body.contains("NOT_ALLOWED")
            || told[3].body.contains("8006")
    );
}

#[test]
fn who_is_no_telephone_is_not_added() {
    let mut world = world(1, Faults::calm(), Habit::Ask);
    let taken = world.phones().next().unwrap().msisdn.clone();
    let good = people(5, Habit::Ask).pop().unwrap();
    for bad in [
        Phone { msisdn: "0712345678".into(), ..good.clone() },
        Phone { msisdn: "25471234567a".into(), ..good.clone() },
        Phone { pin: "12".into(), ..good.clone() },
        Phone { balance_minor: -1, ..good.clone() },
        Phone { msisdn: taken, ..good.clone() },
    ] {
        assert!(matches!(world.add_phone(bad), Err(WorldError::Phone(_))));
    }
    assert_eq!(world.add_phone(good), Ok(()));
}
