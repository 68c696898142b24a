// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {Suite, vm} from "../Suite.sol";
import {IAccessManaged} from "@openzeppelin/access/manager/IAccessManaged.sol";
import {Attestations} from "src/microloans/Attestations.sol";
import {JournalAnchor} from "src/microloans/JournalAnchor.sol";
import {RoleGate} from "src/microloans/RoleGate.sol";

/// @dev The journal's anchor and what issuers say.
contract RecordsTest is Suite {
    RoleGate gate = new RoleGate(address(this));
    JournalAnchor journal = new JournalAnchor(gate);
    Attestations attestations = new Attestations(gate);
    address issuer = account("issuer");
    bytes32 constant SUBJECT = keccak256("a random word");
    bytes32 constant SCHEMA = keccak256("one person");

    function setUp() public {
        vm.warp(20_000 days);
        bytes4[] memory one = new bytes4[](1);
        one[0] = JournalAnchor.anchor.selector;
        gate.setTargetFunctionRole(address(journal), one, gate.ANCHOR());
        gate.grantRole(gate.ANCHOR(), address(this), 0);
        bytes4[] memory two = new bytes4[](2);
        (two[0], two[1]) = (Attestations.issue.selector, Attestations.take.selector);
        gate.setTargetFunctionRole(address(attestations), two, gate.ISSUER());
        gate.grantRole(gate.ISSUER(), issuer, 0);
    }

    // Journal

    function test_DaysAreAnchoredInOrderAndOnce() external {
        journal.anchor(19_990, "a", 1, 7);
        journal.anchor(19_990, "a", 1, 7);
        bytes memory contradiction = abi.encodeWithSelector(JournalAnchor.Contradiction.selector, uint32(19_990));
        vm.expectRevert(contradiction);
        journal.anchor(19_990, "b", 1, 7);
        vm.expectRevert(contradiction);
        journal.anchor(19_990, "a", 2, 7);
        vm.expectRevert(contradiction);
        journal.anchor(19_990, "a", 1, 8);
        vm.expectRevert(abi.encodeWithSelector(JournalAnchor.OutOfOrder.selector, uint32(19_989), uint32(19_990)));
        journal.anchor(19_989, "a", 8, 9);
        vm.expectRevert(abi.encodeWithSelector(JournalAnchor.EntriesMissing.selector, uint64(8), uint64(9)));
        journal.anchor(19_995, "a", 9, 9);
        vm.expectRevert(abi.encodeWithSelector(JournalAnchor.NotOver.selector, uint32(20_000)));
        journal.anchor(20_000, "a", 8, 9);
        // A day without entries has no anchor.
        journal.anchor(19_999, "c", 8, 9);
        vm.assertEq(journal.lastEntry(), 9, "the last entry");
    }

    function test_AnchorsSayEverything() external {
        vm.expectRevert(JournalAnchor.InvalidSeal.selector);
        journal.anchor(19_990, 0, 1, 7);
        vm.expectRevert(JournalAnchor.InvalidSeal.selector);
        journal.anchor(19_990, "a", 0, 7);
        vm.expectRevert(JournalAnchor.InvalidSeal.selector);
        journal.anchor(19_990, "a", 7, 6);
        vm.prank(issuer);
        vm.expectRevert(abi.encodeWithSelector(IAccessManaged.AccessManagedUnauthorized.selector, issuer));
        journal.anchor(19_990, "a", 1, 7);
    }

    /// @dev Every leaf of every tree up to 33 leaves, by an implementation of its own.
    function test_EveryEntryIsProved() external {
        uint64 first = 1;
        for (uint256 size = 1; size <= 33; size++) {
            bytes32[] memory leaves = new bytes32[](size);
            for (uint256 i = 0; i < size; i++) {
                leaves[i] = keccak256(abi.encode(size, i));
            }
            uint32 day = uint32(19_900 + size);
            journal.anchor(day, _root(leaves, 0, size), first, first + uint64(size) - 1);
            for (uint256 i = 0; i < size; i++) {
                uint64 entry = first + uint64(i);
                bytes32[] memory path = _path(leaves, i);
                assertTrue(journal.isAnchored(day, entry, leaves[i], path), "is in");
                assertFalse(journal.isAnchored(day, entry, keccak256("other"), path), "another hash");
                if (size > 1) {
                    uint64 beside = first + uint64((i + 1) % size);
                    assertFalse(journal.isAnchored(day, beside, leaves[i], path), "another place");
                }
            }
            assertFalse(journal.isAnchored(day, first + uint64(size), leaves[0], _path(leaves, 0)), "beyond");
            first += uint64(size);
        }
        assertFalse(journal.isAnchored(1, 1, 0, new bytes32[](0)), "no such day");
        assertFalse(journal.isAnchored(19_901, 1, 0, new bytes32[](65)), "too long");
        assertFalse(journal.isAnchored(19_902, 2, 0, new bytes32[](0)), "too short");
        assertFalse(journal.isAnchored(19_901, 1, 0, new bytes32[](1)), "longer than the tree");
    }

    function _split(uint256 size) private pure returns (uint256 half) {
        half = 1;
        while (half * 2 < size) half *= 2;
    }

    function _root(bytes32[] memory leaves, uint256 from, uint256 size) private pure returns (bytes32) {
        if (size == 1) return sha256(abi.encodePacked(uint8(0), leaves[from]));
        uint256 half = _split(size);
        return sha256(abi.encodePacked(uint8(1), _root(leaves, from, half), _root(leaves, from + half, size - half)));
    }

    function _path(bytes32[] memory leaves, uint256 at) private pure returns (bytes32[] memory path) {
        bytes32[] memory down = new bytes32[](8);
        uint256 depth = 0;
        (uint256 from, uint256 size) = (0, leaves.length);
        while (size > 1) {
            uint256 half = _split(size);
            bool isLeft = at < from + half;
            down[depth++] = isLeft ? _root(leaves, from + half, size - half) : _root(leaves, from, half);
            (from, size) = isLeft ? (from, half) : (from + half, size - half);
        }
        path = new bytes32[](depth);
        for (uint256 i = 0; i < depth; i++) {
            path[i] = down[depth - 1 - i];
        }
    }

    // Attestations

    function test_WhatIsSaidIsSeenByWhoHasTheSalt() external {
        bytes32 commitment = attestations.commitmentOf("income above 100", "salt");
        vm.prank(issuer);
        bytes32 id = attestations.issue(SCHEMA, SUBJECT, commitment, uint64(block.timestamp + 1 days));
        assertTrue(attestations.says(id, "income above 100", "salt"), "says so");
        assertFalse(attestations.says(id, "income above 200", "salt"), "and nothing else");
        assertFalse(attestations.says(id, "income above 100", "pepper"), "to who knows the salt");
        vm.assertEq(attestations.attestationOf(id).issuer, issuer, "who");
        vm.warp(block.timestamp + 1 days + 1);
        assertFalse(attestations.isValid(id), "until its day");
    }

    function test_AnIssuerTakesItBack() external {
        vm.prank(issuer);
        bytes32 id = attestations.issue(SCHEMA, SUBJECT, "c", uint64(block.timestamp + 1 days));
        vm.expectRevert(abi.encodeWithSelector(Attestations.NotIssuer.selector, id, address(this)));
        attestations.revoke(id);
        gate.revokeRole(gate.ISSUER(), issuer);
        vm.prank(issuer);
        attestations.revoke(id);
        assertFalse(attestations.isValid(id), "revoked");
        vm.expectRevert(abi.encodeWithSelector(Attestations.UnknownAttestation.selector, bytes32("x")));
        attestations.revoke("x");
    }

    function test_AttestationsAreSaidOnceAndFully() external {
        uint64 until = uint64(block.timestamp + 1 days);
        vm.expectRevert(abi.encodeWithSelector(IAccessManaged.AccessManagedUnauthorized.selector, address(this)));
        attestations.issue(SCHEMA, SUBJECT, "c", until);
        vm.startPrank(issuer);
        bytes32 id = attestations.issue(SCHEMA, SUBJECT, "c", until);
        vm.expectRevert(abi.encodeWithSelector(Attestations.AlreadyIssued.selector, id));
        attestations.issue(SCHEMA, SUBJECT, "c", until);
        vm.expectRevert(Attestations.InvalidAttestation.selector);
        attestations.issue(SCHEMA, 0, "c", until);
        vm.expectRevert(Attestations.InvalidAttestation.selector);
        attestations.issue(SCHEMA, SUBJECT, 0, until);
        vm.expectRevert(Attestations.InvalidAttestation.selector);
        attestations.issue(SCHEMA, SUBJECT, "c", uint64(block.timestamp));
        vm.stopPrank();
    }

    /// @dev Nobody has two loans at once under two names: the word that stands for a person is taken once.
    function test_ANullifierIsTakenOnce() external {
        vm.startPrank(issuer);
        attestations.take("one loan", "person");
        vm.expectRevert(abi.encodeWithSelector(Attestations.Taken.selector, bytes32("one loan"), bytes32("person")));
        attestations.take("one loan", "person");
        attestations.take("another purpose", "person");
        vm.stopPrank();
        vm.expectRevert(
            abi.encodeWithSelector(
                Attestations.NotTaken.selector, bytes32("one loan"), bytes32("person"), address(this)
            )
        );
        attestations.free("one loan", "person");
        vm.startPrank(issuer);
        attestations.free("one loan", "person");
        attestations.take("one loan", "person");
        vm.stopPrank();
    }
}
