//! Real byte code must not end exact: token transfers, totals, caps, packed fields, counters in events, votes.
//!
//! Each case runs with a guess, and again plainly with other bases; it says which of these must be admitted.

use alloy_primitives::{Address, B256, U256, hex, keccak256};
use braid_types::Fork;

use super::{
    TrackedSlot, Tracker,
    testkit::{Location, SENDER, World, deployed},
};

const CONTRACT: Address = Address::repeat_byte(0x44);
const HOT: Address = Address::repeat_byte(0x55);

const OZ_TOKEN: &str = include_str!("../../../bench/artifacts/OzToken.hex");
const SOLADY_TOKEN: &str = include_str!("../../../bench/artifacts/SoladyToken.hex");
const OZ_VOTES: &str = include_str!("../../../bench/artifacts/OzVotes.hex");
const OZ_GOVERNOR: &str = include_str!("../../../bench/artifacts/OzGovernor.hex");
const ACCOUNTING: [&str; 3] = [
    include_str!("fixtures/Accounting.hex"),
    include_str!("fixtures/Accounting-ir.hex"),
    include_str!("fixtures/Accounting-unoptimized.hex"),
];

/// A call of a contract whose slot is hot, and what the slot may hold.
struct Case<'a> {
    code: &'a str,
    call: Vec<u8>,
    slot: U256,
    guess: U256,
    admitted: &'a [U256],
    refused: &'a [U256],
}

impl Case<'_> {
    /// Checks the case in a state that has some other slots set; returns how the slot is left for each admitted base.
    fn check(&self, others: &[(U256, U256)]) -> Vec<U256> {
        let mut world = World::new(Fork::Cancun);
        world.deploy(CONTRACT, &deployed(&hex::decode(self.code.trim()).unwrap()));
        for (slot, value) in others {
            world.set((CONTRACT, *slot), *value);
        }
        world.call(CONTRACT, &self.call);
        let hot: Location = (CONTRACT, self.slot);
        world.set(hot, self.guess);
        let mut tracker = Tracker::default();
        let guessed = world.track(&mut tracker, &[hot]);
        assert!(guessed.result.is_success(), "{:?}", guessed.result);
        let [slot] = tracker.slots() else { unreachable!("one slot is hot") };
        for base in self.refused {
            assert!(!slot.admits(*base), "{base} must be refused: {slot:?}");
        }
        self.admitted.iter().map(|base| check_base(&world, hot, slot, *base)).collect()
    }
}

fn check_base(world: &World, hot: Location, slot: &TrackedSlot, base: U256) -> U256 {
    assert!(slot.admits(base), "{base} must be admitted: {slot:?}");
    let mut other = world.clone();
    other.set(hot, base);
    let plain = other.run();
    let mut tracker = Tracker::default();
    let left = plain.slot(hot);
    assert_eq!(world.track(&mut tracker, &[hot]).patched(&tracker, &[base]), plain);
    left
}

fn word(number: u64) -> U256 {
    U256::from(number)
}

/// A call by its signature with words as arguments.
fn call(signature: &str, arguments: &[U256]) -> Vec<u8> {
    let words = arguments.iter().flat_map(|argument| argument.to_be_bytes::<32>());
    keccak256(signature)[..4].iter().copied().chain(words).collect()
}

fn as_word(address: Address) -> U256 {
    U256::from_be_slice(address.as_slice())
}

/// The slot of a key in a Solidity mapping.
fn mapping(key: Address, slot: u64) -> U256 {
    let bytes = [key.into_word(), B256::from(word(slot))].concat();
    keccak256(bytes).into()
}

/// The slot of an account's balance in Solady's ERC-20.
fn solady_balance(owner: Address) -> U256 {
    let bytes = [owner.as_slice(), &hex!("000000000000000087a211a2")].concat();
    keccak256(bytes).into()
}

const SOLADY_SUPPLY: U256 = U256::from_limbs([0x345c_df77_eb68_f44c, 0x05, 0, 0]);

#[test]
fn a_transfer_to_a_hot_recipient_adds() {
    let tokens =
        [(OZ_TOKEN, mapping(HOT, 0), mapping(SENDER, 0)), (SOLADY_TOKEN, solady_balance(HOT), solady_balance(SENDER))];
    for (code, slot, sender) in tokens {
        let case = Case {
            code,
            call: call("transfer(address,uint256)", &[as_word(HOT), word(7)]),
            slot,
            guess: word(1_000),
            admitted: &[word(1), word(999), word(1_000_000)],
            refused: &[U256::ZERO],
        };
        assert_eq!(case.check(&[(sender, word(100))]), [word(8), word(1_006), word(1_000_007)]);
    }
}

#[test]
fn a_transfer_from_a_hot_sender_subtracts() {
    let tokens =
        [(OZ_TOKEN, mapping(SENDER, 0), mapping(HOT, 0)), (SOLADY_TOKEN, solady_balance(SENDER), solady_balance(HOT))];
    for (code, slot, recipient) in tokens {
        let case = Case {
            code,
            call: call("transfer(address,uint256)", &[as_word(HOT), word(7)]),
            slot,
            guess: word(1_000),
            admitted: &[word(8), U256::MAX],
            refused: &[word(7), word(6), U256::ZERO],
        };
        assert_eq!(case.check(&[(recipient, word(1))]), [word(1), U256::MAX - word(7)]);
    }
}

#[test]
fn mints_add_to_the_supply() {
    for (code, slot) in [(OZ_TOKEN, word(2)), (SOLADY_TOKEN, SOLADY_SUPPLY)] {
        let case = Case {
            code,
            call: call("mint(address,uint256)", &[as_word(HOT), word(7)]),
            slot,
            guess: word(1_000),
            admitted: &[word(1), word(500), U256::MAX - word(7)],
            refused: &[U256::ZERO, U256::MAX - word(6)],
        };
        assert_eq!(case.check(&[]), [word(8), word(507), U256::MAX]);
    }
}

/// Runs a case on the same contract from three compilers.
fn accounting(
    signature: &str,
    arguments: &[U256],
    slot: U256,
    guess: U256,
    admitted: &[U256],
    refused: &[U256],
) -> Vec<U256> {
    let left = ACCOUNTING
        .map(|code| Case { code, call: call(signature, arguments), slot, guess, admitted, refused }.check(&[]));
    assert!(left.iter().all(|other| *other == left[0]));
    left[0].clone()
}

#[test]
fn a_tally_adds() {
    let left = accounting("add(uint256)", &[word(5)], word(0), word(9), &[word(1), word(1 << 60)], &[U256::ZERO]);
    assert_eq!(left, [word(6), word((1 << 60) + 5)]);
}

#[test]
fn a_cap_is_an_interval() {
    let arguments = [word(10), word(100)];
    accounting("addCapped(uint256,uint256)", &arguments, word(1), word(50), &[word(1), word(90)], &[word(91), word(0)]);
}

#[test]
fn packed_fields_are_apart() {
    let pair = |high: u128, low: u128| (U256::from(high) << 128) | U256::from(low);
    let (guess, slot) = (pair(70, 50), word(2));
    let admitted = [pair(1, 1), pair(u128::MAX, 50), pair(0, 3)];
    let refused = [pair(7, u128::MAX), pair(0, 0)];
    let left = accounting("addLow(uint128)", &[word(10)], slot, guess, &admitted, &refused);
    assert_eq!(left, [pair(1, 11), pair(u128::MAX, 60), pair(0, 13)]);

    let admitted = [pair(1, 0), pair(3, u128::MAX)];
    let left = accounting("addHigh(uint128)", &[word(10)], slot, guess, &admitted, &[pair(u128::MAX, 0)]);
    assert_eq!(left, [pair(11, 0), pair(13, u128::MAX)]);

    let admitted = [pair(6, 6), pair(5, 6), pair(1_000, 2_000)];
    let arguments = [word(5), word(5)];
    let left =
        accounting("subtractBoth(uint128,uint128)", &arguments, slot, guess, &admitted, &[pair(4, 9), pair(9, 4)]);
    assert_eq!(left, [pair(1, 1), pair(0, 1), pair(995, 1_995)]);
}

#[test]
fn a_field_that_is_used_is_kept_and_others_move() {
    let packed = |first: u64, second: u64| (U256::from(second) << 64) | U256::from(first);
    let owned = packed(5, 3) | (word(1) << 96);
    let left = accounting("addFirst(uint64)", &[word(2)], word(3), packed(5, 3), &[packed(9, 4)], &[owned]);
    assert_eq!(left, [packed(11, 4)]);
}

#[test]
fn a_signed_field_keeps_its_sign() {
    let minus = |number: i128| U256::from(number.cast_unsigned());
    let left = accounting("addSkew(int128)", &[word(3)], word(4), word(100), &[word(1), word(9)], &[minus(-50)]);
    assert_eq!(left, [word(4), word(12)]);
    let left = accounting("addSkew(int128)", &[word(3)], word(4), minus(-100), &[minus(-90)], &[word(5)]);
    assert_eq!(left, [minus(-87)]);
}

#[test]
fn a_counter_in_an_event_is_patched() {
    let left = accounting("name()", &[], word(5), word(9), &[word(1), word(41)], &[U256::ZERO, U256::MAX]);
    assert_eq!(left, [word(2), word(42)]);
    // This one also returns what it counts.
    let left = accounting("count()", &[], word(5), word(9), &[word(1), word(41)], &[U256::ZERO, U256::MAX]);
    assert_eq!(left, [word(2), word(42)]);
}

#[test]
fn a_charge_asks_for_enough() {
    let slot = mapping(HOT, 6);
    for signature in ["charge(address,uint256)", "chargeNested(address,uint256)"] {
        let arguments = [as_word(HOT), word(20)];
        accounting(signature, &arguments, slot, word(500), &[word(21), U256::MAX], &[word(19), word(20)]);
    }
    // Where the charge fails, it fails below the same bound, and the slot is left as it was.
    let arguments = [as_word(HOT), word(20)];
    let left =
        accounting("chargeNested(address,uint256)", &arguments, slot, word(5), &[word(0), word(19)], &[word(20)]);
    assert_eq!(left, [word(0), word(19)]);
}

/// `propose` with one call, of nothing, to `target`.
fn proposal(target: Address) -> Vec<u8> {
    let heads = [0x80, 0xc0, 0x100, 0x160].map(word);
    let calls = [word(1), as_word(target), word(1), word(0), word(1), word(0x20), word(0)];
    let description = [word(1), word(u64::from(b'x')) << 248];
    call("propose(address[],uint256[],bytes[],string)", &[&heads[..], &calls, &description].concat())
}

#[test]
fn votes_on_one_proposal_add() {
    let (token, governor) = (CONTRACT, Address::repeat_byte(0x66));
    let voters = [Address::repeat_byte(0x71), Address::repeat_byte(0x72)];
    let weights = [word(123_456), word(1_000)];
    let mut world = World::new(Fork::Cancun);
    world.deploy(token, &deployed(&hex::decode(OZ_VOTES.trim()).unwrap()));
    let argument = as_word(token).to_be_bytes::<32>();
    world.deploy(governor, &deployed(&[hex::decode(OZ_GOVERNOR.trim()).unwrap(), argument.to_vec()].concat()));
    for (voter, weight) in voters.into_iter().zip(weights) {
        world.keep(voter, token, &call("delegate(address)", &[as_word(voter)]));
        world.keep(voter, token, &call("mint(address,uint256)", &[as_word(voter), weight]));
    }
    let id = U256::from_be_slice(&world.keep(voters[0], governor, &proposal(token)));
    world.height += 5;
    let vote = call("castVote(uint256,uint8)", &[id, word(1)]);
    world.keep(voters[0], governor, &vote);

    world.transaction.caller = voters[1];
    world.transaction.nonce = 2;
    let hot = world.run().slots(governor);
    let mut tracker = Tracker::default();
    assert!(world.track(&mut tracker, &hot).result.is_success());
    let position = tracker.slots().iter().position(|slot| slot.guess() == weights[0]).unwrap();
    let tally = &tracker.slots()[position];
    assert!(tally.is_written() && !tally.is_exact());
    let location = (governor, tally.slot());
    for base in [word(1), word(1 << 60)] {
        assert_eq!(check_base(&world, location, tally, base), base + weights[1]);
    }
}

#[test]
fn what_is_multiplied_is_exact() {
    accounting("scale(uint256)", &[word(3)], word(0), word(5), &[], &[word(4), word(6)]);
}

#[test]
fn slots_of_new_and_destroyed_accounts_do_not_move() {
    use revm::bytecode::opcode::*;
    // The init code of a new account adds to its slot 0.
    let init = [PUSH1, 0, SLOAD, PUSH1, 1, ADD, PUSH1, 0, SSTORE, STOP];
    let mut code = vec![PUSH10];
    code.extend(init);
    code.extend([PUSH1, 0, MSTORE, PUSH1, 7, PUSH1, 10, PUSH1, 22, PUSH1, 0, CREATE2, STOP]);
    let mut world = World::new(Fork::Cancun);
    world.deploy(CONTRACT, &code);
    world.call(CONTRACT, &[]);
    let created = CONTRACT.create2(B256::from(word(7)), keccak256(init));
    let mut tracker = Tracker::default();
    let run = world.track(&mut tracker, &[(created, U256::ZERO)]);
    assert_eq!(run.slot((created, U256::ZERO)), word(1));
    assert!(tracker.slots().is_empty());

    let mut world = World::new(Fork::London);
    world.deploy(CONTRACT, &[&init[..9], &[CALLER, SELFDESTRUCT]].concat());
    world.call(CONTRACT, &[]);
    world.track(&mut tracker, &[(CONTRACT, U256::ZERO)]);
    assert!(tracker.slots()[0].is_exact());
}

#[test]
fn before_istanbul_nothing_is_tracked() {
    let mut world = World::new(Fork::Petersburg);
    world.deploy(CONTRACT, &hex!("60005460010160005500"));
    world.call(CONTRACT, &[]);
    let hot: Location = (CONTRACT, U256::ZERO);
    let mut tracker = Tracker::default();
    assert_eq!(world.track(&mut tracker, &[hot]).slot(hot), word(1));
    assert!(tracker.slots().is_empty());
}
