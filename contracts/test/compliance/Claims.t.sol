// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {Suite, vm} from "../Suite.sol";
import {RegulatedSuite} from "./RegulatedToken.t.sol";
import {IAccessControl} from "@openzeppelin/access/IAccessControl.sol";
import {Ownable} from "@openzeppelin/access/Ownable.sol";
import {ClaimIssuer} from "src/compliance/ClaimIssuer.sol";
import {ClaimTopicsRegistry} from "src/compliance/ClaimTopicsRegistry.sol";
import {ClaimedIdentityRegistry} from "src/compliance/ClaimedIdentityRegistry.sol";
import {Denial, ITransferCheck} from "src/compliance/Denial.sol";
import {IIdentity} from "src/compliance/IClaims.sol";
import {Identity} from "src/compliance/Identity.sol";
import {RegulatedToken} from "src/compliance/RegulatedToken.sol";
import {TrustedIssuersRegistry} from "src/compliance/TrustedIssuersRegistry.sol";

/// @dev Two topics, an issuer who is trusted for both, and one who is trusted for the second.
abstract contract ClaimsSuite is RegulatedSuite {
    uint256 constant KNOWN = 1;
    uint256 constant ACCREDITED = 7;

    ClaimTopicsRegistry topics = new ClaimTopicsRegistry(address(this));
    TrustedIssuersRegistry issuers = new TrustedIssuersRegistry(address(this));
    ClaimedIdentityRegistry claimed = new ClaimedIdentityRegistry(address(this), topics, issuers);
    ClaimIssuer bank = new ClaimIssuer(address(this));
    ClaimIssuer auditor = new ClaimIssuer(address(this));
    uint256 bankKey;
    uint256 auditorKey;

    function _issue() internal {
        bankKey = _addSigner(bank, "bank");
        auditorKey = _addSigner(auditor, "auditor");
        issuers.addTrustedIssuer(address(bank), _topics(KNOWN, ACCREDITED));
        issuers.addTrustedIssuer(address(auditor), _topics(ACCREDITED));
        topics.addClaimTopic(KNOWN);
        topics.addClaimTopic(ACCREDITED);
    }

    function _addSigner(Identity of_, string memory name) internal returns (uint256 key) {
        address signer_;
        (signer_, key) = signer(name);
        of_.addKey(_keyOf(signer_), 3, 1);
    }

    function _keyOf(address who) internal pure returns (bytes32) {
        return keccak256(abi.encode(who));
    }

    function _idOf(address issuer, uint256 topic) internal pure returns (bytes32) {
        return keccak256(abi.encode(issuer, topic));
    }

    function _topics(uint256 only) internal pure returns (uint256[] memory list) {
        list = new uint256[](1);
        list[0] = only;
    }

    function _topics(uint256 first, uint256 second) internal pure returns (uint256[] memory list) {
        list = new uint256[](2);
        (list[0], list[1]) = (first, second);
    }

    /// @dev What an issuer's key signs, as ONCHAINID has it.
    function _signed(uint256 key, address about, uint256 topic, bytes memory data)
        internal
        pure
        returns (bytes memory)
    {
        bytes32 claim = keccak256(abi.encode(about, topic, data));
        (uint8 v, bytes32 r, bytes32 s) =
            vm.sign(key, keccak256(abi.encodePacked("\x19Ethereum Signed Message:\n32", claim)));
        return abi.encodePacked(r, s, v);
    }

    /// @dev Claims something of an identity that this suite manages.
    function _claim(Identity about, ClaimIssuer issuer, uint256 key, uint256 topic) internal returns (bytes32) {
        bytes memory signature = _signed(key, address(about), topic, "what is known");
        return about.addClaim(topic, 1, address(issuer), signature, "what is known", "");
    }
}

contract ClaimsTest is ClaimsSuite {
    Identity holder = new Identity(address(this));

    function setUp() public {
        _deployed();
        _issue();
        claimed.registerIdentity(alice, address(holder), KENYA);
    }

    // Verification

    function test_WhoHasAllClaimsIsVerified() external {
        assertFalse(claimed.isVerified(alice), "nothing is claimed");
        _claim(holder, bank, bankKey, KNOWN);
        assertFalse(claimed.isVerified(alice), "one of two");
        _claim(holder, auditor, auditorKey, ACCREDITED);
        assertTrue(claimed.isVerified(alice), "both, of two issuers");
        assertFalse(claimed.isVerified(bob), "not registered");
        claimed.deleteIdentity(alice);
        assertFalse(claimed.isVerified(alice), "no more");
    }

    function test_WithoutTopicsTheRegisteredAreVerified() external {
        topics.removeClaimTopic(KNOWN);
        topics.removeClaimTopic(ACCREDITED);
        assertTrue(claimed.isVerified(alice), "registered");
        assertFalse(claimed.isVerified(stranger), "not registered");
    }

    function test_AClaimTakenBackCountsNoMore() external {
        _verify();
        bytes memory signature = _signed(bankKey, address(holder), KNOWN, "what is known");
        vm.expectRevert(abi.encodeWithSelector(Identity.NotManager.selector, stranger));
        vm.prank(stranger);
        bank.revokeClaimBySignature(signature);
        bank.revokeClaimBySignature(signature);
        assertTrue(bank.isClaimRevoked(signature), "taken back");
        assertFalse(claimed.isVerified(alice), "at once");
        vm.expectRevert(ClaimIssuer.AlreadyRevoked.selector);
        bank.revokeClaimBySignature(signature);
        // The same claim is not to be had again by the same signature; with other data it is another.
        vm.expectRevert(abi.encodeWithSelector(Identity.InvalidClaim.selector, address(bank), KNOWN));
        holder.addClaim(KNOWN, 1, address(bank), signature, "what is known", "");
        holder.addClaim(KNOWN, 1, address(bank), _signed(bankKey, address(holder), KNOWN, "anew"), "anew", "");
        assertTrue(claimed.isVerified(alice), "again");
    }

    function test_AnotherFormOfASignatureIsNone() external view {
        (uint8 v, bytes32 r, bytes32 s) = _split(_signed(bankKey, address(holder), KNOWN, "x"));
        uint256 order = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141;
        bytes memory other = abi.encodePacked(r, bytes32(order - uint256(s)), v == 27 ? uint8(28) : uint8(27));
        assertFalse(bank.isClaimValid(address(holder), KNOWN, other, "x"), "the other s");
        assertFalse(bank.isClaimValid(address(holder), KNOWN, abi.encodePacked(r, s), "x"), "a short one");
        assertFalse(bank.isClaimValid(address(holder), KNOWN, "", "x"), "none");
    }

    function test_ARemovedKeyVouchesForNothing() external {
        _verify();
        bank.removeKey(_keyOf(account("bank")), 3);
        assertFalse(claimed.isVerified(alice), "by that key");
    }

    function test_WhoIsTrustedDecides() external {
        _verify();
        issuers.updateIssuerClaimTopics(address(bank), _topics(ACCREDITED));
        assertFalse(claimed.isVerified(alice), "not for this topic");
        issuers.updateIssuerClaimTopics(address(bank), _topics(KNOWN));
        assertTrue(claimed.isVerified(alice), "again");
        issuers.removeTrustedIssuer(address(auditor));
        assertFalse(claimed.isVerified(alice), "nobody for the other");
    }

    function test_RegistriesAreReplaced() external {
        claimed.setClaimTopicsRegistry(new ClaimTopicsRegistry(address(this)));
        assertTrue(claimed.isVerified(alice), "nothing is asked");
        claimed.setClaimTopicsRegistry(topics);
        _verify();
        claimed.setTrustedIssuersRegistry(new TrustedIssuersRegistry(address(this)));
        assertFalse(claimed.isVerified(alice), "nobody is trusted");
        bytes memory unauthorised = abi.encodeWithSelector(
            IAccessControl.AccessControlUnauthorizedAccount.selector, stranger, claimed.DEFAULT_ADMIN_ROLE()
        );
        vm.startPrank(stranger);
        vm.expectRevert(unauthorised);
        claimed.setClaimTopicsRegistry(topics);
        vm.expectRevert(unauthorised);
        claimed.setTrustedIssuersRegistry(issuers);
    }

    /// @dev Identities and issuers that are no contracts, refuse, or show claims that were not made.
    function test_WhatDoesNotAnswerClaimsNothing() external {
        claimed.updateIdentity(alice, address(0x1234));
        assertFalse(claimed.isVerified(alice), "no contract");
        claimed.updateIdentity(alice, address(topics));
        assertFalse(claimed.isVerified(alice), "no identity");
        Impostor impostor = new Impostor();
        claimed.updateIdentity(alice, address(impostor));
        assertFalse(claimed.isVerified(alice), "nothing signed");
        impostor.show(_signed(bankKey, address(holder), KNOWN, "what is known"), "what is known");
        assertFalse(claimed.isVerified(alice), "signed for another");
        issuers.updateIssuerClaimTopics(address(bank), _topics(2));
        issuers.addTrustedIssuer(address(topics), _topics(KNOWN));
        issuers.addTrustedIssuer(address(0x1234), _topics(5));
        topics.removeClaimTopic(ACCREDITED);
        assertFalse(claimed.isVerified(alice), "an issuer that fails");
        topics.removeClaimTopic(KNOWN);
        topics.addClaimTopic(5);
        assertFalse(claimed.isVerified(alice), "an issuer that is no contract");
    }

    /// @dev A regulated token asks the registry: the transfer says why it is refused, and goes through once the claims are there.
    function test_ATokenAsks() external {
        token.setIdentityRegistry(address(claimed));
        claimed.registerIdentity(bob, address(new Identity(bob)), GHANA);
        vm.expectRevert();
        token.mint(alice, 100);
        _verify();
        token.mint(alice, 100);
        (Denial code, address by) = token.checkTransfer(alice, bob, 1);
        vm.assertEq(uint256(code), uint256(Denial.RecipientUnverified), "code");
        vm.assertEq(by, address(claimed), "by the registry");
        vm.expectRevert(abi.encodeWithSelector(ITransferCheck.TransferDenied.selector, code, by, alice, bob, 1));
        vm.prank(alice);
        token.transfer(bob, 1);
        claimed.updateIdentity(bob, address(holder));
        vm.prank(alice);
        token.transfer(bob, 1);
        vm.assertEq(token.balanceOf(bob), 1, "arrived");
    }

    function testFuzz_OnlyWhatWasSignedIsValid(address about, uint256 topic, bytes calldata data, uint256 flipped)
        external
        view
    {
        bytes memory signature = _signed(bankKey, about, topic, data);
        assertTrue(bank.isClaimValid(about, topic, signature, data), "signed");
        assertFalse(auditor.isClaimValid(about, topic, signature, data), "by somebody else");
        assertFalse(bank.isClaimValid(address(uint160(about) ^ 1), topic, signature, data), "of another");
        assertFalse(bank.isClaimValid(about, topic ^ 1, signature, data), "on another topic");
        assertFalse(bank.isClaimValid(about, topic, signature, bytes.concat(data, "x")), "something else");
        flipped = flipped % 520;
        signature[flipped / 8] ^= bytes1(uint8(1 << flipped % 8));
        assertFalse(bank.isClaimValid(about, topic, signature, data), "with another bit");
    }

    // Identities

    function test_ClaimsComeChangeAndGo() external {
        bytes32 id = _claim(holder, bank, bankKey, KNOWN);
        vm.assertEq(id, _idOf(address(bank), KNOWN), "id");
        vm.assertEq(_claim(holder, bank, bankKey, KNOWN), id, "takes its place");
        _claim(holder, auditor, auditorKey, KNOWN);
        holder.addClaim(KNOWN, 1, address(holder), "", "I say so", "https://example.org");
        vm.assertEq(holder.getClaimIdsByTopic(KNOWN).length, 3, "three claims");
        (uint256 topic, uint256 scheme, address issuer,, bytes memory data, string memory uri) =
            holder.getClaim(_idOf(address(holder), KNOWN));
        assertTrue(topic == KNOWN && scheme == 1 && issuer == address(holder), "its own");
        vm.assertEq(keccak256(data), keccak256("I say so"), "data");
        vm.assertEq(uri, "https://example.org", "uri");
        holder.removeClaim(id);
        bytes32[] memory left = holder.getClaimIdsByTopic(KNOWN);
        vm.assertEq(left.length, 2, "two left");
        assertTrue(left[0] != id && left[1] != id && left[0] != left[1], "the others");
        vm.expectRevert(abi.encodeWithSelector(Identity.ClaimMissing.selector, id));
        holder.removeClaim(id);
        holder.removeClaim(_idOf(address(holder), KNOWN));
        holder.removeClaim(_idOf(address(auditor), KNOWN));
        vm.assertEq(holder.getClaimIdsByTopic(KNOWN).length, 0, "none");
    }

    function test_RevertWhen_ThereAreTooManyClaims() external {
        for (uint256 i = 0; i < holder.MAX_CLAIMS(); i++) {
            ClaimIssuer issuer = new ClaimIssuer(address(this));
            _claim(holder, issuer, _addSigner(issuer, "one"), KNOWN);
        }
        bytes memory signature = _signed(bankKey, address(holder), KNOWN, "");
        vm.expectRevert(abi.encodeWithSelector(Identity.TooManyClaims.selector, KNOWN));
        holder.addClaim(KNOWN, 1, address(bank), signature, "", "");
    }

    function test_KeysDoWhatTheyAreFor() external {
        holder.addKey(_keyOf(alice), 3, 1);
        assertTrue(holder.keyHasPurpose(_keyOf(alice), 3), "claims");
        assertFalse(holder.keyHasPurpose(_keyOf(alice), 1), "no more");
        assertTrue(holder.keyHasPurpose(_keyOf(address(this)), 3), "a manager may do all");
        assertFalse(holder.keyHasPurpose(_keyOf(address(this)), 256), "that there is");
        vm.startPrank(alice);
        _claim(holder, bank, bankKey, KNOWN);
        vm.expectRevert(abi.encodeWithSelector(Identity.NotManager.selector, alice));
        holder.addKey(_keyOf(bob), 1, 1);
        vm.expectRevert(abi.encodeWithSelector(Identity.NotManager.selector, alice));
        holder.removeKey(_keyOf(address(this)), 1);
        vm.stopPrank();
        bytes memory notClaimKey = abi.encodeWithSelector(Identity.NotClaimKey.selector, bob);
        vm.startPrank(bob);
        vm.expectRevert(notClaimKey);
        holder.addClaim(KNOWN, 1, address(bank), "", "", "");
        vm.expectRevert(notClaimKey);
        holder.removeClaim(0);
        vm.stopPrank();
        holder.removeKey(_keyOf(alice), 3);
        assertFalse(holder.keyHasPurpose(_keyOf(alice), 3), "removed");
    }

    function test_RevertWhen_KeysMakeNoSense() external {
        bytes32 key = _keyOf(address(this));
        vm.expectRevert(abi.encodeWithSelector(Identity.InvalidKey.selector, 0, 1));
        holder.addKey(key, 0, 1);
        vm.expectRevert(abi.encodeWithSelector(Identity.InvalidKey.selector, 256, 1));
        holder.addKey(key, 256, 1);
        vm.expectRevert(abi.encodeWithSelector(Identity.InvalidKey.selector, 3, 2));
        holder.addKey(key, 3, 2);
        vm.expectRevert(abi.encodeWithSelector(Identity.KeyPresent.selector, key, 1));
        holder.addKey(key, 1, 1);
        vm.expectRevert(abi.encodeWithSelector(Identity.KeyMissing.selector, key, 3));
        holder.removeKey(key, 3);
        vm.expectRevert(abi.encodeWithSelector(Identity.KeyMissing.selector, key, 256));
        holder.removeKey(key, 256);
        vm.expectRevert(Identity.LastManager.selector);
        holder.removeKey(key, 1);
        holder.addKey(_keyOf(alice), 1, 1);
        holder.removeKey(key, 1);
        assertFalse(holder.keyHasPurpose(key, 1), "given on");
    }

    // Registries of topics and issuers

    function test_RevertWhen_TopicsMakeNoSense() external {
        vm.expectRevert(abi.encodeWithSelector(ClaimTopicsRegistry.TopicPresent.selector, KNOWN));
        topics.addClaimTopic(KNOWN);
        vm.expectRevert(abi.encodeWithSelector(ClaimTopicsRegistry.TopicMissing.selector, 2));
        topics.removeClaimTopic(2);
        for (uint256 topic = 100; topic < 113; topic++) {
            topics.addClaimTopic(topic);
        }
        vm.assertEq(topics.getClaimTopics().length, topics.MAX_TOPICS(), "full");
        vm.expectRevert(ClaimTopicsRegistry.TooManyTopics.selector);
        topics.addClaimTopic(200);
        bytes memory notOwner = abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, stranger);
        vm.startPrank(stranger);
        vm.expectRevert(notOwner);
        topics.addClaimTopic(3);
        vm.expectRevert(notOwner);
        topics.removeClaimTopic(KNOWN);
    }

    function test_IssuersAreTold() external {
        vm.assertEq(issuers.getTrustedIssuers().length, 2, "two");
        vm.assertEq(issuers.getTrustedIssuersForClaimTopic(ACCREDITED).length, 2, "for one");
        vm.assertEq(issuers.getTrustedIssuersForClaimTopic(KNOWN).length, 1, "for the other");
        vm.assertEq(issuers.getTrustedIssuerClaimTopics(address(bank)).length, 2, "topics");
        assertTrue(issuers.hasClaimTopic(address(bank), KNOWN), "has");
        assertFalse(issuers.hasClaimTopic(address(auditor), KNOWN), "has not");
        issuers.removeTrustedIssuer(address(bank));
        assertFalse(issuers.isTrustedIssuer(address(bank)), "removed");
        vm.assertEq(issuers.getTrustedIssuers()[0], address(auditor), "the other stays");
        vm.assertEq(issuers.getTrustedIssuersForClaimTopic(KNOWN).length, 0, "for nobody");
        vm.assertEq(issuers.getTrustedIssuersForClaimTopic(ACCREDITED)[0], address(auditor), "but the other");
    }

    function test_RevertWhen_IssuersMakeNoSense() external {
        vm.expectRevert(TrustedIssuersRegistry.InvalidIssuer.selector);
        issuers.addTrustedIssuer(address(0), _topics(KNOWN));
        vm.expectRevert(abi.encodeWithSelector(TrustedIssuersRegistry.IssuerPresent.selector, address(bank)));
        issuers.addTrustedIssuer(address(bank), _topics(KNOWN));
        bytes memory invalid = abi.encodeWithSelector(TrustedIssuersRegistry.InvalidTopics.selector);
        vm.expectRevert(invalid);
        issuers.addTrustedIssuer(alice, new uint256[](0));
        vm.expectRevert(invalid);
        issuers.addTrustedIssuer(alice, new uint256[](16));
        vm.expectRevert(invalid);
        issuers.updateIssuerClaimTopics(address(bank), _topics(KNOWN, KNOWN));
        bytes memory missing = abi.encodeWithSelector(TrustedIssuersRegistry.IssuerMissing.selector, alice);
        vm.expectRevert(missing);
        issuers.removeTrustedIssuer(alice);
        vm.expectRevert(missing);
        issuers.updateIssuerClaimTopics(alice, _topics(KNOWN));
        vm.expectRevert(missing);
        issuers.getTrustedIssuerClaimTopics(alice);
        for (uint160 i = 0; i < 48; i++) {
            issuers.addTrustedIssuer(address(i + 1000), _topics(KNOWN));
        }
        vm.expectRevert(TrustedIssuersRegistry.TooManyIssuers.selector);
        issuers.addTrustedIssuer(alice, _topics(KNOWN));
        bytes memory notOwner = abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, stranger);
        vm.startPrank(stranger);
        vm.expectRevert(notOwner);
        issuers.addTrustedIssuer(alice, _topics(KNOWN));
        vm.expectRevert(notOwner);
        issuers.removeTrustedIssuer(address(bank));
        vm.expectRevert(notOwner);
        issuers.updateIssuerClaimTopics(address(bank), _topics(KNOWN));
    }

    function _verify() private {
        _claim(holder, bank, bankKey, KNOWN);
        _claim(holder, auditor, auditorKey, ACCREDITED);
        assertTrue(claimed.isVerified(alice), "verified");
    }

    function _split(bytes memory signature) private pure returns (uint8 v, bytes32 r, bytes32 s) {
        assembly ("memory-safe") {
            r := mload(add(signature, 32))
            s := mload(add(signature, 64))
            v := byte(0, mload(add(signature, 96)))
        }
    }
}

/// @dev An identity that shows every claim with one signature.
contract Impostor {
    bytes private signature;
    bytes private data;

    function show(bytes memory signature_, bytes memory data_) external {
        (signature, data) = (signature_, data_);
    }

    function getClaim(bytes32)
        external
        view
        returns (uint256, uint256, address, bytes memory, bytes memory, string memory)
    {
        return (1, 1, address(this), signature, data, "");
    }
}

/// @dev Claims of two issuers about three identities that come, change, go and are taken back, while trust and topics move.
contract ClaimsHandler is ClaimsSuite {
    Identity[3] public holders;
    uint256[3] public about = [KNOWN, ACCREDITED, 9];
    mapping(bytes32 => bool) private standing;

    constructor() {
        _issue();
        for (uint160 i = 0; i < 3; i++) {
            holders[i] = new Identity(address(this));
            claimed.registerIdentity(address(i + 100), address(holders[i]), KENYA);
        }
    }

    function claim(uint256 who, uint256 by, uint256 topic) external {
        Identity holder = holders[who % 3];
        topic = about[topic % 3];
        (ClaimIssuer issuer, uint256 key) = by % 2 == 0 ? (bank, bankKey) : (auditor, auditorKey);
        bytes memory signature = _signed(key, address(holder), topic, "what is known");
        bool revoked = issuer.isClaimRevoked(signature);
        try holder.addClaim(topic, 1, address(issuer), signature, "what is known", "") {
            assertFalse(revoked, "taken back, and taken");
            standing[_entry(who % 3, address(issuer), topic)] = true;
        } catch {
            assertTrue(revoked, "refused for no reason");
        }
    }

    function remove(uint256 who, uint256 by, uint256 topic) external {
        (address issuer, uint256 chosen) = (address(by % 2 == 0 ? bank : auditor), about[topic % 3]);
        bytes32 entry = _entry(who % 3, issuer, chosen);
        (,, address found,,,) = holders[who % 3].getClaim(_idOf(issuer, chosen));
        if (found == address(0)) return;
        holders[who % 3].removeClaim(_idOf(issuer, chosen));
        standing[entry] = false;
    }

    function revoke(uint256 who, uint256 by, uint256 topic) external {
        (ClaimIssuer issuer, uint256 key) = by % 2 == 0 ? (bank, bankKey) : (auditor, auditorKey);
        topic = about[topic % 3];
        bytes memory signature = _signed(key, address(holders[who % 3]), topic, "what is known");
        if (issuer.isClaimRevoked(signature)) return;
        issuer.revokeClaimBySignature(signature);
        standing[_entry(who % 3, address(issuer), topic)] = false;
    }

    function trust(uint256 who, uint256 first, uint256 second) external {
        (first, second) = (about[first % 3], about[second % 3]);
        uint256[] memory list = first == second ? _topics(first) : _topics(first, second);
        issuers.updateIssuerClaimTopics(address(who % 2 == 0 ? bank : auditor), list);
    }

    function ask(uint256 topic) external {
        topic = about[topic % 3];
        uint256[] memory asked = topics.getClaimTopics();
        for (uint256 i = 0; i < asked.length; i++) {
            if (asked[i] == topic) return topics.removeClaimTopic(topic);
        }
        topics.addClaimTopic(topic);
    }

    /// @dev What the registry says is what was done.
    function check() external view {
        uint256[] memory asked = topics.getClaimTopics();
        for (uint256 who = 0; who < 3; who++) {
            bool expected = true;
            for (uint256 i = 0; i < asked.length; i++) {
                expected =
                    expected && (_counts(who, address(bank), asked[i]) || _counts(who, address(auditor), asked[i]));
            }
            vm.assertEq(claimed.isVerified(address(uint160(who + 100))), expected, "verified");
        }
        for (uint256 i = 0; i < 3; i++) {
            uint256 trusted = (issuers.hasClaimTopic(address(bank), about[i]) ? 1 : 0)
                + (issuers.hasClaimTopic(address(auditor), about[i]) ? 1 : 0);
            vm.assertEq(issuers.getTrustedIssuersForClaimTopic(about[i]).length, trusted, "both ways");
        }
    }

    function _counts(uint256 who, address issuer, uint256 topic) private view returns (bool) {
        return standing[_entry(who, issuer, topic)] && issuers.hasClaimTopic(issuer, topic);
    }

    function _entry(uint256 who, address issuer, uint256 topic) private pure returns (bytes32) {
        return keccak256(abi.encode(who, issuer, topic));
    }
}

contract ClaimsInvariants is Suite {
    ClaimsHandler handler;

    function setUp() public {
        handler = new ClaimsHandler();
        target(address(handler));
    }

    function invariant_TheVerifiedAreThoseWithStandingClaims() external view {
        handler.check();
    }
}
