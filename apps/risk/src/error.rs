//! Why there is no number. Where the contracts would revert.

/// A question without an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A result does not fit its word.
    #[error("a number is too large")]
    Overflow,
    /// A divisor is zero.
    #[error("division by zero")]
    DivisionByZero,
    /// The exponential of more than 135.3, or the logarithm of what is not positive.
    #[error("outside of the function's domain")]
    OutsideDomain,
    /// An option's terms are outside of what is calculated with.
    #[error("the option's terms are outside of what is calculated with")]
    InvalidOption,
    /// A portfolio, or the grid of scenarios, is outside of what is calculated with.
    #[error("the portfolio or its grid is outside of what is calculated with")]
    InvalidPortfolio,
}
