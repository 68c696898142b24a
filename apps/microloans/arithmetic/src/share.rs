//! Distribution of an amount by weights (rounding point R4): everyone gets the whole part of their share, and the minor units that are left
//! go to the largest remainders, of equal ones to the earlier. The sum is what was distributed, always.

use crate::{Error, limits::MAX_MINOR, money::Minor};

/// Parts that an amount can be distributed to.
pub const MAX_PARTS: usize = 1_000_000;

/// Distributes an amount, not negative, by weights that are not negative.
///
/// # Errors
/// If there is nobody to distribute to, too many, or a number is out of bounds.
pub fn distribute(amount: Minor, weights: &[Minor]) -> Result<Vec<Minor>, Error> {
    let is_bounded = |number: &Minor| (0..=MAX_MINOR).contains(number);
    if !is_bounded(&amount) || !weights.iter().all(is_bounded) {
        return Err(Error::AmountTooLarge(amount.to_string()));
    }
    crate::terms::bounded("the number of parts", weights.len() as u64, 1, MAX_PARTS as u64)?;
    let whole: Minor = weights.iter().sum();
    if whole == 0 {
        return Err(Error::NotPositive("the sum of weights"));
    }
    let mut parts: Vec<Minor> = weights.iter().map(|weight| amount * weight / whole).collect();
    let left = amount - parts.iter().sum::<Minor>();
    let mut order: Vec<usize> = (0..weights.len()).collect();
    // The sort is stable: among equal remainders the earlier stays first.
    order.sort_by_key(|at| std::cmp::Reverse(amount * weights[*at] % whole));
    for at in order.into_iter().take(usize::try_from(left).unwrap_or(0)) {
        parts[at] += 1;
    }
    Ok(parts)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ties_go_to_the_earlier() {
        assert_eq!(distribute(100, &[1, 1, 1]), Ok(vec![34, 33, 33]));
        assert_eq!(distribute(2, &[1, 1, 1]), Ok(vec![1, 1, 0]));
        assert_eq!(distribute(10, &[0, 3, 7]), Ok(vec![0, 3, 7]));
        assert_eq!(distribute(11, &[0, 3, 7]), Ok(vec![0, 3, 8]));
        assert_eq!(distribute(0, &[5]), Ok(vec![0]));
        assert!(distribute(1, &[]).is_err() && distribute(1, &[0]).is_err() && distribute(-1, &[1]).is_err());
    }

    proptest! {
        #[test]
        fn nothing_is_lost(amount in 0..=MAX_MINOR, weights in proptest::collection::vec(0..=MAX_MINOR, 1..50)) {
            prop_assume!(weights.iter().any(|weight| *weight > 0));
            let parts = distribute(amount, &weights).unwrap();
            let whole: Minor = weights.iter().sum();
            prop_assert_eq!(parts.iter().sum::<Minor>(), amount);
            for (part, weight) in parts.iter().zip(&weights) {
                let exact = amount * weight;
                prop_assert!(*part >= exact / whole && *part <= exact / whole + 1);
                prop_assert!(*weight > 0 || *part == 0);
            }
        }
    }
}
