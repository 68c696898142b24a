// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {Gated, RoleGate} from "./RoleGate.sol";

/// @title The roots of a lending service's journal, a day each
/// @notice Every entry of the journal has a place in the Merkle tree of its day (RFC 6962, SHA-256). Once a root is here, an entry
/// cannot be changed, left out or slipped in without its proof failing. Days come in order, and their entries without a gap.
contract JournalAnchor is Gated {
    /// @param root Of the day's tree.
    /// @param firstEntry Number of the day's first entry in the journal, from 1.
    /// @param lastEntry Number of its last.
    /// @param anchoredAt In seconds since 1970.
    struct Seal {
        bytes32 root;
        uint64 firstEntry;
        uint64 lastEntry;
        uint64 anchoredAt;
    }

    /// @notice Longest way from a leaf to the root that is followed: more entries than a journal has.
    uint256 public constant MAX_PATH = 64;

    /// @notice The last day that is anchored, in days since 1970, and the journal's last entry by then.
    uint32 public lastDay;
    uint64 public lastEntry;
    mapping(uint32 day => Seal) public sealOf;

    error InvalidSeal();
    /// @notice Another root, or other entries, were anchored for that day.
    error Contradiction(uint32 day);
    /// @notice The day is over: no earlier day is anchored after a later one.
    error OutOfOrder(uint32 day, uint32 lastDay);
    error NotOver(uint32 day);
    error EntriesMissing(uint64 expected, uint64 given);

    event ReportAnchored(uint32 indexed day, bytes32 root, uint64 firstEntry, uint64 lastEntry);

    constructor(RoleGate gate) Gated(gate) {}

    /// @notice Anchors a day that has ended. Said again it changes nothing.
    function anchor(uint32 day, bytes32 root, uint64 firstEntry, uint64 lastEntry_) external restricted {
        if (root == 0 || firstEntry == 0 || lastEntry_ < firstEntry) revert InvalidSeal();
        Seal storage told = sealOf[day];
        if (told.root != 0) {
            bool isSame = told.root == root && told.firstEntry == firstEntry && told.lastEntry == lastEntry_;
            if (!isSame) revert Contradiction(day);
            return;
        }
        if (uint256(day) >= block.timestamp / 1 days) revert NotOver(day);
        if (day <= lastDay) revert OutOfOrder(day, lastDay);
        // The first anchor of a journal that has been kept for a while begins where it likes.
        if (lastDay != 0 && firstEntry != lastEntry + 1) revert EntriesMissing(lastEntry + 1, firstEntry);
        (lastDay, lastEntry) = (day, lastEntry_);
        sealOf[day] = Seal(root, firstEntry, lastEntry_, uint64(block.timestamp));
        emit ReportAnchored(day, root, firstEntry, lastEntry_);
    }

    /// @notice Whether the entry with this hash has this number in the journal (RFC 9162, section 2.1.3.2).
    /// @param path The hashes beside the way to the root, from the leaf on.
    function isAnchored(uint32 day, uint64 entry, bytes32 hash, bytes32[] calldata path) external view returns (bool) {
        Seal memory told = sealOf[day];
        if (told.root == 0 || entry < told.firstEntry || entry > told.lastEntry) return false;
        if (path.length > MAX_PATH) return false;
        (uint256 at, uint256 last) = (entry - told.firstEntry, told.lastEntry - told.firstEntry);
        bytes32 reached = sha256(bytes.concat(bytes1(0), hash));
        for (uint256 i = 0; i < path.length; i++) {
            if (last == 0) return false;
            if (at % 2 == 1 || at == last) {
                reached = sha256(bytes.concat(bytes1(uint8(1)), path[i], reached));
                while (at % 2 == 0 && at != 0) (at, last) = (at / 2, last / 2);
            } else {
                reached = sha256(bytes.concat(bytes1(uint8(1)), reached, path[i]));
            }
            (at, last) = (at / 2, last / 2);
        }
        return last == 0 && reached == told.root;
    }
}
