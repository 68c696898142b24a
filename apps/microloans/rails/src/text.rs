//! Texts that go to providers: what they do not take is left out, and what is too long is cut.

/// A text of letters, digits, spaces and a little punctuation, at most `longest` characters; `otherwise` if nothing is left.
///
/// Providers refuse apostrophes (MTN) and control characters, and turn prompts with other letters into shorter ones.
pub(crate) fn plain(text: &str, longest: usize, otherwise: &str) -> String {
    let permitted = |c: &char| c.is_ascii_alphanumeric() || matches!(c, ' ' | '.' | ',' | '-' | ':' | '/');
    let cut: String = text.chars().filter(permitted).take(longest).collect();
    let cut = cut.trim();
    if cut.is_empty() { otherwise.to_owned() } else { cut.to_owned() }
}

/// Whether a reference can be carried by every provider.
pub(crate) fn is_reference(text: &str) -> bool {
    (1..=crate::port::MAX_REFERENCE).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_cleaned_and_cut() {
        assert_eq!(plain("Amina's loan — ₦5", 12, "Loan"), "Aminas loan");
        assert_eq!(plain("'\n", 12, "Loan"), "Loan");
        assert!(
            is_reference("LN-7K3Q9A") && !is_reference("") && !is_reference("LN 7") && !is_reference("LN-7K3Q9A-123")
        );
    }
}
