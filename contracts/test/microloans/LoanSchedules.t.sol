// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {Suite, vm} from "../Suite.sol";
import {DateTimeLib} from "solady/utils/DateTimeLib.sol";
import {LoanSchedules} from "src/microloans/LoanSchedules.sol";
import {DayCount, Rhythm} from "src/microloans/YearShare.sol";

/// @dev The reference numbers, and what holds for all terms.
contract LoanSchedulesTest is Suite {
    LoanSchedules schedules = new LoanSchedules();

    function _day(uint256 year, uint256 month, uint256 day) private pure returns (uint32) {
        return uint32(DateTimeLib.dateToEpochDay(year, month, day));
    }

    function _monthly(uint256 principal, uint256 rate, uint256 instalments)
        private
        pure
        returns (LoanSchedules.Terms memory terms)
    {
        terms.principal = principal;
        terms.rate = rate;
        terms.method = LoanSchedules.Method.Declining;
        terms.rhythm = Rhythm(_day(2024, 2, 1), 1, 0);
        terms.disbursed = _day(2024, 1, 1);
        terms.instalments = instalments;
        terms.multiple = 1;
    }

    /// @dev Sums of principal and interest, the same but for the last.
    function _assertLevel(LoanSchedules.Terms memory terms, uint256 level, uint256 last) private view {
        LoanSchedules.Line[] memory lines = schedules.scheduleOf(terms);
        for (uint256 i = 0; i < lines.length; i++) {
            uint256 expected = i + 1 == lines.length ? last : level;
            vm.assertEq(lines[i].principal + lines[i].interest, expected, "instalment");
        }
        vm.assertEq(lines[lines.length - 1].balance, 0, "nothing is left");
    }

    function _assertInterest(LoanSchedules.Terms memory terms, uint256[6] memory expected) private view {
        LoanSchedules.Line[] memory lines = schedules.scheduleOf(terms);
        for (uint256 i = 0; i < 6; i++) {
            vm.assertEq(lines[i].interest, expected[i], "interest");
        }
    }

    function _total(LoanSchedules.Terms memory terms) private view returns (uint256 interest) {
        LoanSchedules.Line[] memory lines = schedules.scheduleOf(terms);
        for (uint256 i = 0; i < lines.length; i++) {
            interest += lines[i].interest;
        }
    }

    function test_SixMonths() external view {
        LoanSchedules.Terms memory terms = _monthly(10_000, 9_482_200, 6);
        _assertLevel(terms, 1713, 1713);
        _assertInterest(terms, [uint256(79), 66, 53, 40, 27, 13]);
        LoanSchedules.Line[] memory lines = schedules.scheduleOf(terms);
        uint256[6] memory balances = [uint256(8366), 6719, 5059, 3386, 1700, 0];
        for (uint256 i = 0; i < 6; i++) {
            vm.assertEq(lines[i].balance, balances[i], "balance");
        }
    }

    function test_PaidOutInTheMiddleOfAPeriod() external view {
        LoanSchedules.Terms memory terms = _monthly(19_222, 9_990_000, 6);
        terms.disbursed = _day(2024, 1, 15);
        _assertLevel(terms, 3285, 3287);
        _assertInterest(terms, [uint256(88), 133, 107, 81, 54, 27]);
    }

    function test_ActualDays() external view {
        LoanSchedules.Terms memory terms = _monthly(10_000, 15_678_000, 6);
        terms.dayCount = DayCount.Actual365;
        _assertLevel(terms, 1743, 1747);
        _assertInterest(terms, [uint256(133), 105, 90, 66, 46, 22]);
    }

    function test_WeeksAndFortnights() external view {
        LoanSchedules.Terms memory terms = _monthly(10_000, 9_482_200, 6);
        (terms.dayCount, terms.rhythm) = (DayCount.Actual364, Rhythm(_day(2024, 1, 8), 0, 7));
        _assertLevel(terms, 1677, 1678);
        (terms.instalments, terms.rhythm) = (3, Rhythm(_day(2024, 1, 15), 0, 14));
        _assertLevel(terms, 3357, 3358);
        (terms.instalments, terms.dayCount) = (6, DayCount.Thirty360);
        terms.rhythm = Rhythm(_day(2024, 1, 16), 0, 15);
        _assertLevel(terms, 1690, 1689);
    }

    function test_WithoutInterest() external view {
        _assertLevel(_monthly(100_000, 0, 4), 25_000, 25_000);
    }

    function test_FiveMethodsInWholeUnits() external view {
        LoanSchedules.Terms memory terms = _monthly(500_000, 12_000_000, 18);
        (terms.disbursed, terms.rhythm.firstDue) = (_day(2022, 11, 1), _day(2022, 12, 1));
        terms.multiple = 100;
        terms.method = LoanSchedules.Method.Flat;
        _assertLevel(terms, 32_800, 32_400);
        vm.assertEq(_total(terms), 90_000, "flat");
        terms.method = LoanSchedules.Method.Declining;
        _assertLevel(terms, 30_500, 30_322);
        vm.assertEq(_total(terms), 48_822, "declining");
        (terms.method, terms.dayCount) = (LoanSchedules.Method.Daily, DayCount.Actual365);
        _assertLevel(terms, 30_500, 30_233);
        vm.assertEq(_total(terms), 48_733, "daily");
        (terms.method, terms.dayCount) = (LoanSchedules.Method.EqualPrincipal, DayCount.Thirty360);
        LoanSchedules.Line[] memory lines = schedules.scheduleOf(terms);
        vm.assertEq(lines[0].principal, 27_778, "equal parts");
        vm.assertEq(lines[17].principal, 27_774, "and the rest");
        vm.assertEq(_total(terms), 47_500, "equal principal");
        terms.method = LoanSchedules.Method.Bullet;
        lines = schedules.scheduleOf(terms);
        vm.assertEq(lines[16].principal, 0, "nothing before");
        vm.assertEq(lines[17].principal, 500_000, "all at the end");
        vm.assertEq(_total(terms), 90_000, "bullet");
    }

    function test_TermsHaveBounds() external {
        for (uint256 i = 0; i < 14; i++) {
            LoanSchedules.Terms memory terms = _monthly(10_000, 9_482_200, 6);
            if (i == 0) terms.principal = 0;
            if (i == 1) terms.principal = 1e15 + 1;
            if (i == 2) terms.rate = 1e10 + 1;
            if (i == 3) terms.instalments = 0;
            if (i == 4) terms.instalments = 241;
            if (i == 5) terms.rhythm.months = 13;
            if (i == 6) terms.rhythm.dayLength = 1;
            if (i == 7) (terms.rhythm.months, terms.rhythm.dayLength) = (0, 367);
            if (i == 8) terms.multiple = 0;
            if (i == 9) terms.multiple = 1e15 + 1;
            if (i == 10) terms.gracePrincipal = 6;
            if (i == 11) terms.graceInterest = 6;
            if (i == 12) terms.disbursed = terms.rhythm.firstDue;
            if (i == 13) terms.rhythm.firstDue = 84_000;
            vm.expectRevert(LoanSchedules.InvalidTerms.selector);
            schedules.scheduleOf(terms);
        }
    }

    /// @dev I2: principal adds up, the last balance is nothing; and who has the longest and dearest loan has a schedule too.
    function testFuzz_PrincipalAddsUp(uint256 seed) external view {
        LoanSchedules.Terms memory terms =
            _monthly(_pick(seed, 0, 1, 1e15), _pick(seed, 1, 0, 1e10), _pick(seed, 2, 1, 24));
        terms.method = LoanSchedules.Method(_pick(seed, 3, 0, 4));
        terms.dayCount = DayCount(_pick(seed, 4, 0, 4));
        terms.multiple = _pick(seed, 5, 1, 1000);
        terms.isUp = _pick(seed, 6, 0, 1) == 1;
        terms.gracePrincipal = _pick(seed, 7, 0, terms.instalments - 1);
        terms.graceInterest = _pick(seed, 8, 0, terms.instalments - 1);
        LoanSchedules.Line[] memory lines = schedules.scheduleOf(terms);
        uint256 principal = 0;
        for (uint256 i = 0; i < lines.length; i++) {
            principal += lines[i].principal;
            vm.assertEq(lines[i].balance, terms.principal - principal, "balance");
        }
        vm.assertEq(principal, terms.principal, "all of it");
    }

    function _pick(uint256 seed, uint256 field, uint256 low, uint256 high) private pure returns (uint256) {
        return bound(uint256(keccak256(abi.encode(seed, field))), low, high);
    }
}
