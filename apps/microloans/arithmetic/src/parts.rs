//! What an instalment consists of, and the order in which money pays it.

use crate::money::Minor;

/// A part of an instalment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Component {
    /// What was lent.
    Principal,
    /// Interest.
    Interest,
    /// Fees of the product.
    Fees,
    /// Charges for paying late.
    Penalties,
}

impl Component {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Principal, Self::Interest, Self::Fees, Self::Penalties];
}

/// What a payment pays first, unless the product says otherwise.
pub const DEFAULT_ORDER: [Component; 4] =
    [Component::Penalties, Component::Fees, Component::Interest, Component::Principal];

/// An amount of each component, in minor units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Parts {
    /// What was lent.
    pub principal: Minor,
    /// Interest.
    pub interest: Minor,
    /// Fees.
    pub fees: Minor,
    /// Penalties.
    pub penalties: Minor,
}

impl Parts {
    /// One component.
    #[must_use]
    pub const fn get(&self, component: Component) -> Minor {
        match component {
            Component::Principal => self.principal,
            Component::Interest => self.interest,
            Component::Fees => self.fees,
            Component::Penalties => self.penalties,
        }
    }

    /// One component, to be changed.
    pub const fn get_mut(&mut self, component: Component) -> &mut Minor {
        match component {
            Component::Principal => &mut self.principal,
            Component::Interest => &mut self.interest,
            Component::Fees => &mut self.fees,
            Component::Penalties => &mut self.penalties,
        }
    }

    /// The sum of the components.
    #[must_use]
    pub const fn total(&self) -> Minor {
        self.principal + self.interest + self.fees + self.penalties
    }

    /// Component by component.
    #[must_use]
    pub const fn plus(&self, other: &Self) -> Self {
        Self {
            principal: self.principal + other.principal,
            interest: self.interest + other.interest,
            fees: self.fees + other.fees,
            penalties: self.penalties + other.penalties,
        }
    }

    /// Component by component.
    #[must_use]
    pub const fn minus(&self, other: &Self) -> Self {
        Self {
            principal: self.principal - other.principal,
            interest: self.interest - other.interest,
            fees: self.fees - other.fees,
            penalties: self.penalties - other.penalties,
        }
    }

    /// Whether no component is below zero.
    #[must_use]
    pub const fn is_not_negative(&self) -> bool {
        self.principal >= 0 && self.interest >= 0 && self.fees >= 0 && self.penalties >= 0
    }

    /// As much of these parts as an amount pays, in an order.
    #[must_use]
    pub fn paid_by(&self, amount: Minor, order: &[Component; 4]) -> Self {
        let mut left = amount;
        let mut paid = Self::default();
        for component in order {
            let part = self.get(*component).min(left).max(0);
            *paid.get_mut(*component) = part;
            left -= part;
        }
        paid
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWED: Parts = Parts { principal: 100, interest: 20, fees: 5, penalties: 3 };

    #[test]
    fn money_pays_in_the_order_of_the_product() {
        let paid = OWED.paid_by(15, &DEFAULT_ORDER);
        assert_eq!(paid, Parts { principal: 0, interest: 7, fees: 5, penalties: 3 });
        let principal_first = [Component::Principal, Component::Interest, Component::Fees, Component::Penalties];
        assert_eq!(OWED.paid_by(101, &principal_first), Parts { principal: 100, interest: 1, ..Parts::default() });
        assert_eq!(OWED.paid_by(1_000, &DEFAULT_ORDER), OWED);
    }
}
