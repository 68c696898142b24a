// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {LevelInstalment} from "./LevelInstalment.sol";
import {DayCount, Rhythm, YearShare} from "./YearShare.sol";

/// @title Schedules of micro-loans, to the last minor unit as the lending service calculates them
/// @notice Anybody can ask what an offer's terms come to, and compare it with the schedule whose root the loan book has. Integers only; what
/// is rounded, and where:
///
///   R1 the level instalment, to its multiple, half to even or up
///   R2 the interest of each period, by itself, half to even
///   R3 the last instalment takes what is left
///
/// Five methods; all instalments are paid when due; what is charged besides interest is not counted here.
/// @dev The twin of the service's crate for arithmetic, `apps/microloans/arithmetic`.
contract LoanSchedules {
    using LevelInstalment for LevelInstalment.Sums;

    enum Method {
        Flat,
        Declining,
        Daily,
        EqualPrincipal,
        Bullet
    }

    /// @param principal In minor units.
    /// @param rate Annual, in millionths of a percent.
    /// @param disbursed Day of payout, from 1970.
    /// @param multiple Of which level instalments are one, in minor units.
    /// @param isUp Whether they are rounded up to it.
    /// @param gracePrincipal Instalments at the start without principal.
    /// @param graceInterest Instalments at the start without interest, which falls due with the one after them.
    struct Terms {
        uint256 principal;
        uint256 rate;
        Method method;
        DayCount dayCount;
        Rhythm rhythm;
        uint32 disbursed;
        uint256 instalments;
        uint256 multiple;
        bool isUp;
        uint256 gracePrincipal;
        uint256 graceInterest;
    }

    /// @param balance Principal that is owed afterwards.
    struct Line {
        uint32 due;
        uint256 principal;
        uint256 interest;
        uint256 balance;
    }

    /// @dev What a schedule is made from.
    struct Plan {
        uint256[] numerators;
        uint256[] denominators;
        uint256 amount;
        bool isLevel;
    }

    uint256 public constant MAX_PRINCIPAL = 1e15;
    /// @notice 10,000 %.
    uint256 public constant MAX_RATE = 1e10;
    /// @notice What a node calculates within the gas it gives to a question.
    uint256 public constant MAX_INSTALMENTS = 240;
    uint256 public constant MAX_MONTHS = 12;
    uint256 public constant MAX_DAYS = 366;
    /// @dev What a rate of 100 % is.
    uint256 private constant WHOLE = 1e8;
    /// @dev The year 2200.
    uint256 private constant MAX_DAY = 84_000;

    error InvalidTerms();

    /// @notice The instalments of these terms.
    function scheduleOf(Terms calldata terms) external pure returns (Line[] memory lines) {
        _require(terms);
        Plan memory plan;
        (plan.numerators, plan.denominators) = _shares(terms);
        plan.isLevel = terms.method <= Method.Daily;
        plan.amount = _amount(terms, plan);
        return _lines(terms, plan, terms.graceInterest);
    }

    function _require(Terms calldata terms) private pure {
        bool isLent = terms.principal != 0 && terms.principal <= MAX_PRINCIPAL && terms.rate <= MAX_RATE;
        bool isCounted = terms.instalments != 0 && terms.instalments <= MAX_INSTALMENTS;
        Rhythm calldata rhythm = terms.rhythm;
        bool isMonthly = rhythm.months != 0 && rhythm.months <= MAX_MONTHS && rhythm.dayLength == 0;
        bool isDaily = rhythm.months == 0 && rhythm.dayLength != 0 && rhythm.dayLength <= MAX_DAYS;
        if (!isLent || !isCounted || !(isMonthly || isDaily)) revert InvalidTerms();
        if (terms.multiple == 0 || terms.multiple > MAX_PRINCIPAL) revert InvalidTerms();
        if (terms.gracePrincipal >= terms.instalments || terms.graceInterest >= terms.instalments) {
            revert InvalidTerms();
        }
        // Half a century before the first due date is far enough for anybody.
        bool isEarly = terms.disbursed < rhythm.firstDue && rhythm.firstDue - terms.disbursed < 18_263;
        if (!isEarly || YearShare.due(rhythm, terms.instalments - 1) > MAX_DAY) revert InvalidTerms();
    }

    function _shares(Terms calldata terms)
        private
        pure
        returns (uint256[] memory numerators, uint256[] memory denominators)
    {
        Rhythm memory rhythm = terms.rhythm;
        numerators = new uint256[](terms.instalments);
        denominators = new uint256[](terms.instalments);
        uint256 from = terms.disbursed;
        for (uint256 i = 0; i < terms.instalments; i++) {
            uint256 to = YearShare.due(rhythm, i);
            (numerators[i], denominators[i]) = YearShare.share(rhythm, terms.dayCount, from, to);
            from = to;
        }
    }

    /// @dev What is the same in all instalments: principal and interest together, or principal.
    function _amount(Terms calldata terms, Plan memory plan) private pure returns (uint256) {
        uint256 repaying = terms.instalments - terms.gracePrincipal;
        if (terms.method == Method.Bullet) return 0;
        if (terms.method == Method.EqualPrincipal) return _halfEven(terms.principal, repaying);
        if (terms.method == Method.Flat) {
            uint256 all = terms.principal;
            for (uint256 i = terms.gracePrincipal; i < terms.instalments; i++) {
                all += _interest(terms, plan, i, terms.principal);
            }
            uint256 divisor = repaying * terms.multiple;
            return (terms.isUp ? (all + divisor - 1) / divisor : _halfEven(all, divisor)) * terms.multiple;
        }
        return _evened(terms, plan, repaying, _level(terms, plan));
    }

    function _level(Terms calldata terms, Plan memory plan) private pure returns (uint256) {
        uint256 from = terms.gracePrincipal;
        LevelInstalment.Sums memory sums = LevelInstalment.begin(terms.principal, terms.instalments - from);
        for (uint256 i = from; i < terms.instalments; i++) {
            uint256 denominator = WHOLE * plan.denominators[i];
            sums.pass(denominator + terms.rate * plan.numerators[i], denominator);
        }
        return sums.rounded(terms.multiple, terms.isUp);
    }

    /// @dev If the last instalment differs from the others by more minor units than half their number, the level moves by the difference
    /// divided by that number, provided that this brings the last one closer.
    function _evened(Terms calldata terms, Plan memory plan, uint256 repaying, uint256 level)
        private
        pure
        returns (uint256)
    {
        int256 off = _lastAt(terms, plan, level) - int256(level);
        if (terms.isUp || repaying < 2 || _abs(off) <= repaying / 2) return level;
        int256 multiple = int256(terms.multiple);
        int256 target = int256(level) + _halfEvenSigned(off, int256(repaying));
        int256 moved = _halfEvenSigned(target, multiple) * multiple;
        if (moved <= 0 || moved == int256(level)) return level;
        bool isCloser = _abs(_lastAt(terms, plan, uint256(moved)) - moved) < _abs(off);
        return isCloser ? uint256(moved) : level;
    }

    function _lastAt(Terms calldata terms, Plan memory plan, uint256 level) private pure returns (int256) {
        plan.amount = level;
        Line[] memory lines = _lines(terms, plan, 0);
        Line memory last = lines[lines.length - 1];
        return int256(last.principal + last.interest);
    }

    function _lines(Terms calldata terms, Plan memory plan, uint256 graceInterest)
        private
        pure
        returns (Line[] memory lines)
    {
        lines = new Line[](terms.instalments);
        (uint256 balance, uint256 deferred) = (terms.principal, 0);
        for (uint256 i = 0; i < terms.instalments; i++) {
            Line memory line = lines[i];
            bool isLast = i + 1 == terms.instalments;
            uint256 bearing = terms.method != Method.Flat ? balance : balance == 0 ? 0 : terms.principal;
            uint256 interest = _interest(terms, plan, i, bearing);
            line.principal = isLast ? balance : _principal(terms, plan, i, interest, balance);
            if (i < graceInterest && !isLast) {
                deferred += interest;
            } else {
                (line.interest, deferred) = (interest + deferred, 0);
            }
            balance -= line.principal;
            line.balance = balance;
            line.due = uint32(YearShare.due(terms.rhythm, i));
        }
    }

    function _principal(Terms calldata terms, Plan memory plan, uint256 i, uint256 interest, uint256 balance)
        private
        pure
        returns (uint256 planned)
    {
        if (i < terms.gracePrincipal) return 0;
        planned = plan.amount;
        if (plan.isLevel) planned = planned > interest ? planned - interest : 0;
        return planned < balance ? planned : balance;
    }

    function _interest(Terms calldata terms, Plan memory plan, uint256 i, uint256 balance)
        private
        pure
        returns (uint256)
    {
        return _halfEven(balance * terms.rate * plan.numerators[i], WHOLE * plan.denominators[i]);
    }

    /// @dev To the nearest, and halfway to the even neighbour.
    function _halfEven(uint256 numerator, uint256 denominator) private pure returns (uint256 floor) {
        floor = numerator / denominator;
        uint256 rest = numerator % denominator;
        uint256 other = denominator - rest;
        if (rest > other || (rest == other && floor % 2 == 1)) floor += 1;
    }

    /// @dev The same below zero: halves go to the even neighbour there too.
    function _halfEvenSigned(int256 numerator, int256 denominator) private pure returns (int256) {
        uint256 magnitude = _halfEven(_abs(numerator), uint256(denominator));
        return numerator < 0 ? -int256(magnitude) : int256(magnitude);
    }

    function _abs(int256 number) private pure returns (uint256) {
        return number < 0 ? uint256(-number) : uint256(number);
    }
}
