// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {DateTimeLib} from "solady/utils/DateTimeLib.sol";

/// @notice How days become a share of a year.
enum DayCount {
    Thirty360,
    Actual365,
    Actual360,
    Actual364,
    ActualActual
}

/// @notice When instalments fall due: from the first one on, every so many months, or days if there are no months.
struct Rhythm {
    uint32 firstDue;
    uint32 months;
    uint32 dayLength;
}

/// @title Due dates and shares of a year, as the lending service counts them
/// @notice Days are counted from 1970. 30/360 takes a notional period (between two due dates, also before the first) as its months of thirty
/// days, and a part of one by its share of the actual days; between instalments that are not months apart it counts actual days of 360. ACT/ACT
/// takes each day by the length of its calendar year.
library YearShare {
    uint256 private constant DAY = 1 days;

    /// @notice The day on which an instalment falls due, from 0.
    function due(Rhythm memory rhythm, uint256 number) internal pure returns (uint256) {
        if (rhythm.months == 0) return rhythm.firstDue + number * rhythm.dayLength;
        return DateTimeLib.addMonths(rhythm.firstDue * DAY, number * rhythm.months) / DAY;
    }

    /// @notice The share from the day of payout to the first due date, or from a due date to the next.
    function share(Rhythm memory rhythm, DayCount count, uint256 from, uint256 to)
        internal
        pure
        returns (uint256 numerator, uint256 denominator)
    {
        if (count == DayCount.ActualActual) return _inYears(from, to);
        if (count == DayCount.Actual365) return (to - from, 365);
        if (count == DayCount.Actual364) return (to - from, 364);
        if (count == DayCount.Actual360 || rhythm.months == 0) return (to - from, 360);
        // From the first due date on, periods are whole.
        return from >= rhythm.firstDue ? (rhythm.months, 12) : _inMonths(rhythm, from);
    }

    /// @dev Goes back from the first due date, period by period, to the one in which `from` lies.
    function _inMonths(Rhythm memory rhythm, uint256 from) private pure returns (uint256, uint256) {
        (uint256 whole, uint256 end, uint256 start) = (0, rhythm.firstDue, 0);
        while (true) {
            start = DateTimeLib.subMonths(rhythm.firstDue * DAY, (whole + 1) * rhythm.months) / DAY;
            if (start <= from) break;
            (whole, end) = (whole + 1, start);
        }
        uint256 length = end - start;
        return ((whole * length + end - from) * rhythm.months, 12 * length);
    }

    function _inYears(uint256 from, uint256 to) private pure returns (uint256, uint256) {
        (uint256 firstInto, uint256 firstLength, uint256 first) = _place(from);
        (uint256 lastInto, uint256 lastLength, uint256 last) = _place(to);
        // Into the last year, less what was gone of the first, and the years between.
        uint256 numerator = lastInto * firstLength + (last - first) * firstLength * lastLength - firstInto * lastLength;
        return (numerator, firstLength * lastLength);
    }

    function _place(uint256 day) private pure returns (uint256 into, uint256 length, uint256 year) {
        (year,,) = DateTimeLib.epochDayToDate(day);
        into = day - DateTimeLib.dateToEpochDay(year, 1, 1);
        length = DateTimeLib.isLeapYear(year) ? 366 : 365;
    }
}
