//! Products: the terms that are offered, and between which bounds a borrower may choose. A product is checked against the law's rules before
//! it is used, and a loan keeps the terms it was offered as text, whatever becomes of the product.

use std::collections::{BTreeMap, BTreeSet};

use braid_microloans_arithmetic::{
    Charge, Component, Currency, Date, DayCount, Disbursement, Every, Fee, Grace, Late, Method, Minor, Penalty,
    Periods, Prepayment, Rate, Rounding, Terms, When, calendar::Calendar, parts::DEFAULT_ORDER,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    LedgerError,
    rules::{self, Rules},
};

/// A product, as it is written in the configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Product {
    /// Its name in requests.
    pub id: String,
    /// Where it is offered.
    pub country: String,
    /// The least that is lent, in units of the country's currency.
    pub principal_min: String,
    /// The most.
    pub principal_max: String,
    /// The fewest instalments.
    pub instalments_min: u32,
    /// The most.
    pub instalments_max: u32,
    /// The rest of the terms.
    pub terms: ProductTerms,
    /// The mobile money through which it is paid out and repaid.
    pub rail: String,
    /// The annual percentage rate above which it may not cost; the operator's promise, checked for every offer.
    pub apr_percent_max: String,
    /// The regulated lender whose loan it is, where the law does not let others lend.
    pub regulated_lender: Option<String>,
    /// Up to how much is offered at once, by these rules alone; what is above, or everything without it, people decide on.
    #[serde(default)]
    pub instant_max: Option<String>,
}

/// Terms as text: what is kept with a loan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProductTerms {
    /// `flat`, `declining`, `daily`, `equal_principal`, `bullet`.
    pub method: String,
    /// Nominal annual rate.
    pub annual_rate_percent: String,
    /// `30/360` and so on.
    pub day_count: String,
    /// `1 month`, `1 week` and so on.
    pub every: String,
    /// `next_instalment`, `last_instalment`, `reduce_instalment`, `reduce_count`.
    pub advance: String,
    /// Instalments at the start without principal.
    #[serde(default)]
    pub grace_principal: u32,
    /// Instalments at the start whose interest falls due later.
    #[serde(default)]
    pub grace_interest: u32,
    /// Fees.
    #[serde(default)]
    pub fees: Vec<ProductFee>,
    /// What paying late costs.
    pub late: Option<ProductLate>,
    /// Days after the payout within which the money may be given back for the interest so far alone; fees that were kept back are then given back too.
    #[serde(default)]
    pub cooling_off_days: u16,
}

/// A fee.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProductFee {
    /// What it is for.
    pub name: String,
    /// Percent of the principal.
    pub percent: String,
    /// `disbursement`, `first_instalment`, `every_instalment`.
    pub when: String,
}

/// What paying late costs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProductLate {
    /// Once, percent of what is unpaid of the instalment.
    pub percent: String,
    /// Days without charge.
    pub grace_days: u16,
    /// Percent of the principal that all penalties are at most.
    pub cap_percent: String,
}

/// What is offered: the products, and the public holidays by which working days are counted.
#[derive(Clone, Debug, Default)]
pub struct Catalogue {
    products: BTreeMap<String, Product>,
    holidays: BTreeMap<String, BTreeSet<Date>>,
}

impl Catalogue {
    /// Checks every product against the rules of its country.
    ///
    /// # Errors
    /// The first product that cannot be offered, or two of one name.
    pub fn new(products: Vec<Product>, holidays: BTreeMap<String, BTreeSet<Date>>) -> Result<Self, LedgerError> {
        let mut by_id = BTreeMap::new();
        for product in products {
            product.check(&rules::of_country(&product.country)?)?;
            let id = product.id.clone();
            if by_id.insert(id.clone(), product).is_some() {
                return Err(LedgerError::invalid(format!("there are two products {id}")));
            }
        }
        Ok(Self { products: by_id, holidays })
    }

    /// A product.
    ///
    /// # Errors
    /// If there is none of this name.
    pub fn product(&self, id: &str) -> Result<&Product, LedgerError> {
        let shortened = || id.chars().take(40).collect();
        self.products.get(id).ok_or_else(|| LedgerError::NotFound("product", shortened()))
    }

    /// All products.
    pub fn products(&self) -> impl Iterator<Item = &Product> {
        self.products.values()
    }

    /// The business days of a country.
    #[must_use]
    pub fn calendar(&self, rules: &Rules) -> Calendar {
        rules.calendar(self.holidays.get(&rules.country).unwrap_or(&BTreeSet::new()))
    }
}

/// The terms of one loan, as they are kept with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LoanTerms {
    /// The currency's code.
    pub currency: String,
    /// In minor units.
    pub principal: i64,
    /// How many.
    pub instalments: u32,
    /// When the first one falls due. It stays, should the payout take some days.
    pub first_due: String,
    /// What payments are a multiple of, in minor units.
    pub multiple: i64,
    /// By law, from so many days late on.
    pub in_duplum: Option<u16>,
    /// The rest.
    pub product: ProductTerms,
}

impl Product {
    /// Checks a product against the rules of its country.
    ///
    /// # Errors
    /// The first thing about it that cannot be.
    pub fn check(&self, rules: &Rules) -> Result<(), LedgerError> {
        if self.country != rules.country {
            return Err(LedgerError::invalid(format!("product {} is of another country", self.id)));
        }
        if !rules.own_lending && self.regulated_lender.is_none() {
            let text =
                format!("product {} names no regulated lender, whom the law of {} asks for", self.id, self.country);
            return Err(LedgerError::Invalid(text));
        }
        if self.instalments_min == 0 || self.instalments_min > self.instalments_max {
            return Err(LedgerError::invalid(format!("product {} has no number of instalments", self.id)));
        }
        let (min, max) = self.principal_bounds(rules.currency)?;
        self.is_instant(rules.currency, min)?;
        self.apr_percent_max.parse::<Rate>()?;
        for principal in [min, max] {
            for instalments in [self.instalments_min, self.instalments_max] {
                let disbursed = rules.from;
                self.terms_of(rules, principal, instalments, disbursed)?.terms(disbursed)?.check()?;
            }
        }
        Ok(())
    }

    fn principal_bounds(&self, currency: Currency) -> Result<(Minor, Minor), LedgerError> {
        let (min, max) = (currency.parse(&self.principal_min)?, currency.parse(&self.principal_max)?);
        if min <= 0 || min > max {
            return Err(LedgerError::invalid(format!("product {} has no principal", self.id)));
        }
        Ok((min, max))
    }

    /// The least and the most that is lent, in minor units.
    ///
    /// # Errors
    /// If they are no amounts, which the check at the start refuses.
    pub fn bounds(&self) -> Result<(Currency, Minor, Minor), LedgerError> {
        let currency = rules::of_country(&self.country)?.currency;
        let (low, high) = self.principal_bounds(currency)?;
        Ok((currency, low, high))
    }

    /// Whether so much is offered without people deciding.
    ///
    /// # Errors
    /// If the bound is no amount, which the check at the start refuses.
    pub fn is_instant(&self, currency: Currency, principal: Minor) -> Result<bool, LedgerError> {
        let Some(most) = &self.instant_max else { return Ok(false) };
        Ok(principal <= currency.parse(most)?)
    }

    /// Whether a borrower may have so much of it, in so many instalments.
    ///
    /// # Errors
    /// If it is out of bounds, or no amount that can be paid.
    pub fn check_request(&self, rules: &Rules, principal: Minor, instalments: u32) -> Result<(), LedgerError> {
        let (min, max) = self.principal_bounds(rules.currency)?;
        if !(min..=max).contains(&principal) {
            let text =
                format!("the principal is from {} to {} {}", self.principal_min, self.principal_max, rules.currency);
            return Err(LedgerError::Invalid(text));
        }
        if principal % rules.payment_multiple != 0 {
            let multiple = rules.currency.format(rules.payment_multiple);
            return Err(LedgerError::Invalid(format!("the principal is a multiple of {multiple} {}", rules.currency)));
        }
        if !(self.instalments_min..=self.instalments_max).contains(&instalments) {
            let text = format!("instalments are from {} to {}", self.instalments_min, self.instalments_max);
            return Err(LedgerError::Invalid(text));
        }
        let terms = self.terms_of(rules, principal, instalments, rules.from)?.terms(rules.from)?;
        if (principal - terms.fees_on_disbursement()) % rules.payment_multiple != 0 {
            return Err(LedgerError::invalid("what is left of the principal after fees cannot be paid out"));
        }
        Ok(())
    }

    /// The terms of a loan that is disbursed on a day.
    ///
    /// # Errors
    /// If they cannot be read.
    pub fn terms_of(
        &self,
        rules: &Rules,
        principal: Minor,
        instalments: u32,
        disbursed: Date,
    ) -> Result<LoanTerms, LedgerError> {
        let first_due = self.terms.due_after(disbursed)?;
        Ok(LoanTerms {
            currency: rules.currency.code().to_owned(),
            principal: crate::store::stored(principal)?,
            instalments,
            first_due: first_due.to_string(),
            multiple: crate::store::stored(rules.payment_multiple)?,
            in_duplum: rules.in_duplum_after_days,
            product: self.terms.clone(),
        })
    }
}

impl ProductTerms {
    /// One interval after a day.
    fn due_after(&self, day: Date) -> Result<Date, LedgerError> {
        Ok(match self.every.parse()? {
            Every::Months(months) => day.plus_months(months.cast_signed()),
            Every::Days(days) => day.plus_days(days.cast_signed()),
        })
    }
}

impl LoanTerms {
    /// One interval after a day.
    pub(crate) fn due_after(&self, day: Date) -> Result<Date, LedgerError> {
        self.product.due_after(day)
    }

    /// The terms for the arithmetic, disbursed on a day.
    ///
    /// # Errors
    /// If they cannot be calculated.
    pub fn terms(&self, disbursed: Date) -> Result<Terms, LedgerError> {
        let currency: Currency = self.currency.parse()?;
        let product = &self.product;
        let first_due: Date = self.first_due.parse()?;
        let terms = Terms {
            currency,
            disbursements: vec![Disbursement { date: disbursed, amount: self.principal.into() }],
            rate: product.annual_rate_percent.parse()?,
            method: method(&product.method)?,
            day_count: product.day_count.parse::<DayCount>()?,
            periods: Periods::new(first_due, product.every.parse()?),
            instalments: self.instalments,
            multiple: self.multiple.into(),
            rounding: Rounding::default(),
            grace: Grace { principal: product.grace_principal, interest: product.grace_interest },
            fees: product.fees.iter().map(fee).collect::<Result<_, _>>()?,
            penalty: product.late.as_ref().map(penalty).transpose()?,
            in_duplum: self.in_duplum,
            order: DEFAULT_ORDER,
            prepayment: prepayment(&product.advance)?,
        };
        terms.check()?;
        Ok(terms)
    }
}

fn method(name: &str) -> Result<Method, LedgerError> {
    match name {
        "flat" => Ok(Method::Flat),
        "declining" => Ok(Method::Declining),
        "daily" => Ok(Method::Daily),
        "equal_principal" => Ok(Method::EqualPrincipal),
        "bullet" => Ok(Method::Bullet),
        _ => Err(LedgerError::invalid(format!("{name:?} is not a method of repayment"))),
    }
}

fn prepayment(name: &str) -> Result<Prepayment, LedgerError> {
    match name {
        "next_instalment" => Ok(Prepayment::NextInstalment),
        "last_instalment" => Ok(Prepayment::LastInstalment),
        "reduce_instalment" => Ok(Prepayment::ReduceInstalment),
        "reduce_count" => Ok(Prepayment::ReduceCount),
        _ => Err(LedgerError::invalid(format!("{name:?} is not what is done with money paid ahead"))),
    }
}

fn fee(fee: &ProductFee) -> Result<Fee, LedgerError> {
    let when = match fee.when.as_str() {
        "disbursement" => When::Disbursement,
        "first_instalment" => When::FirstInstalment,
        "every_instalment" => When::EveryInstalment,
        other => return Err(LedgerError::invalid(format!("{other:?} is not when a fee is charged"))),
    };
    Ok(Fee { name: fee.name.clone(), charge: Charge::Share(fee.percent.parse()?), when })
}

fn penalty(late: &ProductLate) -> Result<Penalty, LedgerError> {
    Ok(Penalty {
        late: Late::Once(Charge::Share(late.percent.parse()?)),
        grace_days: late.grace_days,
        cap: Some(late.cap_percent.parse()?),
    })
}

/// A component by its name.
///
/// # Errors
/// If there is none of this name.
pub fn component(name: &str) -> Result<Component, LedgerError> {
    match name {
        "principal" => Ok(Component::Principal),
        "interest" => Ok(Component::Interest),
        "fees" => Ok(Component::Fees),
        "penalties" => Ok(Component::Penalties),
        _ => Err(LedgerError::invalid(format!("{name:?} is not a part of an instalment"))),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn product() -> Product {
        Product {
            id: "stock".to_owned(),
            country: "KE".to_owned(),
            principal_min: "1000".to_owned(),
            principal_max: "100000".to_owned(),
            instalments_min: 1,
            instalments_max: 12,
            terms: ProductTerms {
                method: "declining".to_owned(),
                annual_rate_percent: "24".to_owned(),
                day_count: "30/360".to_owned(),
                every: "1 month".to_owned(),
                advance: "next_instalment".to_owned(),
                grace_principal: 0,
                grace_interest: 0,
                fees: vec![ProductFee {
                    name: "service".to_owned(),
                    percent: "2".to_owned(),
                    when: "disbursement".to_owned(),
                }],
                late: Some(ProductLate { percent: "5".to_owned(), grace_days: 3, cap_percent: "20".to_owned() }),
                cooling_off_days: 0,
            },
            rail: "daraja".to_owned(),
            apr_percent_max: "60".to_owned(),
            regulated_lender: None,
            instant_max: None,
        }
    }

    #[test]
    fn a_product_within_the_rules_is_accepted() {
        let rules = rules::of_country("KE").unwrap();
        product().check(&rules).unwrap();
        let elsewhere = rules::of_country("NG").unwrap();
        assert!(product().check(&elsewhere).is_err());
        let india = rules::of_country("IN").unwrap();
        let abroad = Product { country: "IN".to_owned(), ..product() };
        assert!(abroad.check(&india).is_err(), "nobody lends there but regulated lenders");
        let partner = Some("a regulated lender".to_owned());
        Product { regulated_lender: partner, ..abroad }.check(&india).unwrap();
        let nothing = Product { principal_min: "0".to_owned(), ..product() };
        assert!(nothing.check(&rules).is_err());
        let none = Product { instalments_max: 0, ..product() };
        assert!(none.check(&rules).is_err());
    }

    #[test]
    fn requests_are_bounded_and_payable() {
        let rules = rules::of_country("KE").unwrap();
        product().check_request(&rules, 1_000_000, 6).unwrap();
        for (principal, instalments) in [(99_900, 6), (10_000_100, 6), (1_000_050, 6), (1_000_000, 0), (1_000_000, 13)]
        {
            assert!(product().check_request(&rules, principal, instalments).is_err(), "{principal} {instalments}");
        }
    }

    #[test]
    fn a_late_payout_costs_the_borrower_no_more() {
        let rules = rules::of_country("KE").unwrap();
        let offered: Date = "2026-11-23".parse().unwrap();
        for method in ["flat", "declining", "daily", "equal_principal", "bullet"] {
            let mut product = product();
            product.terms.method = method.to_owned();
            let terms = product.terms_of(&rules, 1_000_000, 6, offered).unwrap();
            let cost =
                |day| braid_microloans_arithmetic::key_facts::KeyFacts::of(&terms.terms(day).unwrap()).unwrap().cost;
            for days in 1..=5 {
                assert!(cost(offered.plus_days(days)) <= cost(offered), "{method}, {days} days late");
            }
        }
    }
}
