//! Transparent commutative storage: transactions as functions of the hot slots that they read.
//!
//! Many transactions read a slot only to add to it: a balance, a total, a tally of votes. Executed with one value they tell
//! nearly everything about what they would have done with another. This module executes a transaction concretely, with
//! a *guess* for each slot that is known to be hot, and follows on the side which words are functions of the slot's *base*
//! `b`, the value that the slot turns out to have when the transaction's turn comes. Afterwards it knows, for each slot:
//!
//! - the **conditions** on `b` under which every instruction, branch, gas cost and refund would have been the same;
//! - the slot's **final value** as a function of `b`, and so for the words of logs.
//!
//! If the base satisfies the conditions, the result is patched instead of executed again. Unmodified byte code thus commutes;
//! it knows nothing of this. Symbolic execution with concrete inputs is old (concolic testing: Godefroid, Klarlund and Sen,
//! DART, 2005); that read and written values may be split into a delta and a range is Aptos' *aggregators*, which
//! programs must ask for. Here the deltas are found in the byte code.
//!
//! # Words
//!
//! A word moves with `b` in a linear way: whole or by fields, added or subtracted, shifted (`linear`). Its constant part need
//! not be kept, as the concrete word is at hand. Instructions map such words to such words (ADD, SUB, NOT, SHL always; AND,
//! OR, XOR, SHR, BYTE, SIGNEXTEND, products with and quotients by powers of two under conditions), or to words that no
//! longer depend on `b`, under conditions (LT, GT, SLT, SGT, EQ, ISZERO, JUMPI). All others *pin* their operands: only bases
//! with the same content in those fields are admitted. `arithmetic` has the table.
//!
//! # Conditions
//!
//! A condition is an interval of a field of `b` (`slot`). A comparison divides the circle of 2^256 in two arcs, and the word
//! must stay on its own. An arc is one interval of `b` only if it does not wrap around; else the part that contains the
//! guess is kept, which loses precision but is never wrong. In the same way `b ≠ x` keeps one side of `x`. Bit operations on a
//! sum need that nothing carries from one field to the next: that is an interval too. All conditions of a slot must hold;
//! there are at most four, then the slot is *exact*: it admits the guess alone.
//!
//! # Storage
//!
//! SLOAD of a tracked slot gives its present content with its tag. SSTORE gives it a new one; what it costs and refunds depends on
//! whether original, present and new value are equal or zero (EIP-2200, EIP-3529), and those answers become conditions. A frame
//! that fails takes back the contents that it stored; its conditions stay, as its failure may hang on them.
//!
//! Values that leave the words that are followed pin them: keys, addresses, gas, hashes, call data, returned data, transient
//! storage, other slots. Log topics and whole words of log data do not, as no contract can read logs: they are patched. So is what the outermost call returns.
//!
//! # Why this is sound
//!
//! By induction over the instructions: if for a base that satisfies all conditions so far the concrete and the followed words
//! agree with an execution that had `b` in storage, the next instruction is the same one, and either does not touch a
//! tagged word, or its result follows `b` as its tag says, under the conditions that it adds. Gas is the same because no tagged
//! word reaches anything whose price depends on it but SSTORE. Tests compare patched with executed results for random
//! programs.
//!
//! # Cost
//!
//! Without tags the loop compares each opcode with SLOAD and SSTORE; with tags it compares the height of the stack with that of
//! the highest tag (`machine`). Only instructions that touch a tagged word are looked at.
//!
//! Reading order: `linear`, `slot`, `arithmetic`, `tracker` (tags by frame), `memory`, `machine` (the loop),
//! `handler`.

mod arithmetic;
#[cfg(test)]
mod fuzz;
mod handler;
mod linear;
mod machine;
mod memory;
#[cfg(test)]
mod precision;
mod slot;
#[cfg(test)]
mod testkit;
#[cfg(test)]
mod tests;
mod tracker;

pub use handler::TrackingHandler;
pub use slot::TrackedSlot;
pub use tracker::{LogPatch, LogPlace, OutputPatch, Tracker};
