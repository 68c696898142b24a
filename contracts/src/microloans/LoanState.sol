// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

/// @notice What has become of a loan. A loan appears with its offer; what came before is between a borrower and a lender.
enum LoanState {
    None,
    Offered,
    OfferExpired,
    Declined,
    Accepted,
    Funding,
    FundingFailed,
    Funded,
    Disbursing,
    DisbursementUnknown,
    DisbursementFailed,
    Active,
    CoolingOffCancelled,
    Restructured,
    Overpaid,
    RefundPending,
    Closed,
    ChargedOff,
    Recovered,
    WrittenOffClosed,
    Forgiven
}

/// @title The table of steps between the states of a loan
/// @notice The same as that of the lending service (`apps/microloans/ledger/src/states.rs`), from the offer on. Arrears are no state: they
/// follow from the schedule and the day.
library LoanStates {
    /// @notice The states that may follow, a bit each.
    function following(LoanState from) internal pure returns (uint256) {
        if (from == LoanState.None) return _bit(LoanState.Offered);
        if (from == LoanState.Offered) {
            return _bit(LoanState.OfferExpired) | _bit(LoanState.Declined) | _bit(LoanState.Accepted);
        }
        if (from == LoanState.Accepted) return _bit(LoanState.Funding);
        if (from == LoanState.Funding) return _bit(LoanState.FundingFailed) | _bit(LoanState.Funded);
        if (from == LoanState.Funded) return _bit(LoanState.Disbursing);
        if (from == LoanState.Disbursing) {
            return _bit(LoanState.DisbursementUnknown) | _bit(LoanState.DisbursementFailed) | _bit(LoanState.Active);
        }
        if (from == LoanState.DisbursementUnknown) return _bit(LoanState.Disbursing);
        if (from == LoanState.DisbursementFailed) return _bit(LoanState.Funded);
        if (from == LoanState.Active) {
            return _bit(LoanState.CoolingOffCancelled) | _bit(LoanState.Closed) | _bit(LoanState.Overpaid)
                | _bit(LoanState.Restructured) | _bit(LoanState.ChargedOff) | _bit(LoanState.Forgiven);
        }
        if (from == LoanState.Restructured) {
            return
                _bit(LoanState.Closed) | _bit(LoanState.Overpaid) | _bit(LoanState.ChargedOff)
                    | _bit(LoanState.Forgiven);
        }
        if (from == LoanState.Overpaid) return _bit(LoanState.RefundPending);
        if (from == LoanState.RefundPending) return _bit(LoanState.Overpaid) | _bit(LoanState.Closed);
        if (from == LoanState.Closed) return _bit(LoanState.Overpaid);
        if (from == LoanState.ChargedOff) return _bit(LoanState.Recovered) | _bit(LoanState.WrittenOffClosed);
        if (from == LoanState.Recovered) return _bit(LoanState.WrittenOffClosed);
        return 0;
    }

    function allows(LoanState from, LoanState to) internal pure returns (bool) {
        return following(from) & _bit(to) != 0;
    }

    /// @notice Whether money is lent and expected back.
    function isRunning(LoanState state) internal pure returns (bool) {
        return state == LoanState.Active || state == LoanState.Restructured;
    }

    /// @notice Whether the step moves no money and asks nobody but the service: what is unknown, failed, settled or over.
    function isPlain(LoanState from, LoanState to) internal pure returns (bool) {
        if (to == LoanState.Disbursing) return from == LoanState.DisbursementUnknown;
        if (to == LoanState.Funded) return from == LoanState.DisbursementFailed;
        uint256 plain = _bit(LoanState.OfferExpired) | _bit(LoanState.Declined) | _bit(LoanState.DisbursementUnknown)
            | _bit(LoanState.DisbursementFailed) | _bit(LoanState.Overpaid) | _bit(LoanState.RefundPending)
            | _bit(LoanState.Closed) | _bit(LoanState.WrittenOffClosed);
        return plain & _bit(to) != 0;
    }

    function _bit(LoanState state) private pure returns (uint256) {
        return 1 << uint8(state);
    }
}
