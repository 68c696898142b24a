//! People to begin with. Nobody of these names and numbers exists.

use std::collections::VecDeque;

use crate::phone::{Habit, Phone, Rail};

const NAMES: [&str; 16] = [
    "Amina Bello",
    "Kwame Mensah",
    "Wanjiru Kamau",
    "Esi Owusu",
    "Otieno Odhiambo",
    "Akua Boateng",
    "Chebet Koech",
    "Yaw Asante",
    "Njeri Mwangi",
    "Abena Darko",
    "Mutua Kilonzo",
    "Kofi Appiah",
    "Achieng Ouma",
    "Efua Quaye",
    "Barasa Wekesa",
    "Adwoa Sarpong",
];

/// So many people, in turn with a wallet of M-PESA in Kenya and one of MTN in Ghana, and with PINs that follow from their place.
#[must_use]
pub fn people(count: usize, habit: Habit) -> Vec<Phone> {
    (0..count).map(|n| person(n, habit)).collect()
}

fn person(n: usize, habit: Habit) -> Phone {
    let (rail, msisdn) = if n.is_multiple_of(2) {
        (Rail::Daraja, format!("2547{:08}", n / 2 + 1))
    } else {
        (Rail::MtnMomo, format!("23324{:07}", n / 2 + 1))
    };
    Phone {
        msisdn,
        name: NAMES[n % NAMES.len()].to_owned(),
        rail,
        balance_minor: 500_000,
        pin: format!("{:04}", (1234 + n) % 10_000),
        habit,
        wrong_pins: 0,
        sim_changed_ms: None,
        prompt: None,
        messages: VecDeque::new(),
    }
}
