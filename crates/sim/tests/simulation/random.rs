//! The source of chance.

use braid_sim::random::Random;

#[test]
fn the_sequence_is_the_published_one() {
    let mut random = Random::new(1_234_567);
    assert_eq!([random.next(), random.next()], [6_457_827_717_110_365_317, 3_203_168_211_198_807_973]);
}

#[test]
fn a_fork_does_not_depend_on_what_was_drawn_from_other_forks() {
    let random = Random::new(7);
    let mut links = random.fork("links");
    let before = random.fork("disks").next();
    links.next();
    assert_eq!(random.fork("disks").next(), before);
    assert_ne!(random.fork("links").next(), before);
}

#[test]
fn draws_stay_in_their_bounds() {
    let mut random = Random::new(1);
    for _ in 0..1_000 {
        assert!((3..=5).contains(&random.within(3..=5)));
        assert!(random.index(2) < 2);
        assert!(!random.chance(0) && random.chance(100));
    }
    let mut some = random.some(&[1, 2, 3], 2);
    some.dedup();
    assert_eq!(some.len(), 2);
    assert_eq!(random.some(&[1, 2, 3], 9).len(), 3);
}
