//! The default alphabet of GSM 03.38 (3GPP TS 23.038, section 6.2.1): which texts a telephone's menu can show in 7-bit characters, and how many
//! septets they take. One letter outside turns the whole text into UCS-2, with less than half the room.

/// How many septets a USSD screen holds: 160 octets of 8 bits.
pub const SCREEN_SEPTETS: usize = 182;

/// The alphabet, without the characters that take two septets.
const BASIC: &str = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà";

/// Characters of the extension table: an escape, and one more septet.
const EXTENDED: &str = "\u{c}^{}\\[~]|€";

/// How many septets a text takes; none if a character is in neither table.
#[must_use]
pub fn septets(text: &str) -> Option<usize> {
    text.chars().try_fold(0, |sum, c| {
        if BASIC.contains(c) {
            Some(sum + 1)
        } else if EXTENDED.contains(c) {
            Some(sum + 2)
        } else {
            None
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_alphabet_is_whole() {
        // 128 places, one of which is the escape.
        assert_eq!(BASIC.chars().count(), 127);
        assert_eq!(septets("Braid 1 {2}"), Some(13));
        assert_eq!(septets("€5"), Some(3));
        for text in ["\u{1e63}e", "\u{2019}", "\u{0928}", "\u{20a6}", "\u{254}"] {
            assert_eq!(septets(text), None, "{text}");
        }
    }
}
